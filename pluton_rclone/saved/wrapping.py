"""Remotes that wrap others, such as crypt, alias, combine and union, at any depth, and where in a
drive a place is, through whichever remote it is named."""

from __future__ import annotations

import itertools
import posixpath
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from pluton_rclone.conf.conf import Conf
from pluton_rclone.conf.environment import space_separated
from pluton_rclone.errors import OptionInvalid, PlutonRcloneError, StorageNotFound, UsageError
from pluton_rclone.rclone.commands import TRANSFERS, Command, filter_name
from pluton_rclone.rclone.locations import is_local
from pluton_rclone.remote.pairs import BASE, BASE_ID
from pluton_rclone.values.drive_ids import normal_drive_id

if TYPE_CHECKING:
    from pluton_rclone.runs.store import Runs

Spot = tuple[str, ...]
"""A drive id, then folder names. A name that begins with HIDDEN stands for folders that rclone.conf
does not reveal: encrypted ones, or the parents of a folder known only by id."""
HIDDEN = "\0"
_TRANSPARENT = frozenset({"alias", "chunker", "hasher", "union"})
"""Types with the same folders, by the same names, as the remotes that they wrap."""


def with_wrapped(conf: Conf, names: Iterable[str]) -> dict[str, dict[str, str]]:
    """The sections of these remotes, then those of the remotes that they wrap, if in the file; the
    drive of a storage has the storage's section. StorageNotFound for one of `names`; OptionInvalid
    for a remote that wraps itself, which rclone 1.75.2 follows until it runs out of memory."""
    found = {name: conf.whole_section(name) for name in map(conf.storage_of, names)}

    def follow(name: str, above: tuple[str, ...]) -> None:
        if name in above:
            circle = " → ".join((*above[above.index(name) :], name))
            raise OptionInvalid(
                f"The remote {name!r} wraps itself: {circle}.",
                advice="Correct what one of them wraps (its remote or upstreams) in rclone.conf.",
                option="remote",
            )
        for below in map(conf.storage_of, _wrapped(found[name])):
            with suppress(StorageNotFound):
                found.setdefault(below, conf.whole_section(below))
                follow(below, (*above, name))

    for name in list(found):
        follow(name, ())
    return found


def below(conf: Conf, name: str) -> list[str]:
    """The OneDrive remotes below a remote: itself, or those that it wraps."""
    sections = with_wrapped(conf, [name]).items()
    return [each for each, section in sections if section.get("type") == "onedrive"]


def is_of_another_service(section: Mapping[str, str]) -> bool:
    """Whether it is a remote of another service, such as S3 or WebDAV, and wraps none."""
    return section.get("type") not in ("onedrive", "local") and not any(_upstreams(section))


def runs_of(conf: Conf) -> Runs:
    """The records of runs with this rclone.conf, each with the drives that the run used."""
    from pluton_rclone.runs.store import Runs

    return Runs(conf.path, partial(_drives, conf), partial(_bases, conf))


def _drives(conf: Conf, name: str) -> list[str] | None:
    """As `runs.store.Drives`."""
    with suppress(PlutonRcloneError):
        ids = (conf.whole_section(one).get("drive_id", "") for one in below(conf, name))
        return sorted({normal_drive_id(id) for id in ids})
    return None


def _bases(conf: Conf, name: str) -> list[tuple[str, str]] | None:
    """As `runs.store.Bases`. Before `remote.pairs`, paths began at the drive's root; so do the
    paths of remotes that wrap the drive of a pair."""
    with suppress(PlutonRcloneError):
        sections = with_wrapped(conf, [name]).values()
        named = {conf.storage_of(name), *itertools.chain.from_iterable(map(_wrapped, sections))}
        bases = (one for one in below(conf, name) if one in named)
        pairs = ((conf.drive_of(one) != one, conf.whole_section(one)) for one in bases)
        found = (section if pair else {} for pair, section in pairs)
        return [(section.get(BASE, ""), section.get(BASE_ID, "")) for section in found]
    return None


def above(conf: Conf, name: str) -> str:
    """The remotes that wrap this one, as text; "" if none does."""
    found = conf.sections().items()
    return ", ".join(repr(each) for each, section in found if name in _wrapped(section))


def spots(conf: Conf, place: str, but: tuple[str, ...] = ()) -> list[Spot]:
    """Where a place is in each OneDrive below it; empty for any other place. Upstreams of a union
    that end in one of `but` do not count. OptionInvalid as in `with_wrapped`."""
    name = place.partition(":")[0].partition(",")[0]
    if is_local(place) or name not in conf:
        return []
    sections = with_wrapped(conf, [name])

    def follow(place: str) -> Iterator[Spot]:
        name, _, path = place.partition(":")
        name = name.partition(",")[0]
        section = sections.get(conf.storage_of(name), {})
        if section.get("type") == "onedrive":
            base = section.get(BASE, "") if conf.drive_of(name) != name else ""
            root = section.get("root_folder_id")
            hidden = (HIDDEN + root,) if root else ()
            yield (normal_drive_id(section.get("drive_id", "")), *hidden, *_names(f"{base}/{path}"))
            return
        for folder, wrapped in _upstreams(section, but):
            first, *rest = _names(path) or [folder]
            if section.get("type") != "combine":
                known = section.get("type") in _TRANSPARENT
                inside = path if known else f"{HIDDEN}{name}/{path}"
                yield from follow(f"{wrapped}/{inside}")
            elif first == folder:
                yield from follow("/".join((wrapped, *rest)))

    return list(follow(place))


def spelled_out(conf: Conf, place: str) -> list[str]:
    """The place, without outer slashes; if it is exactly what a remote wraps, the wrapped place."""
    name, _, path = place.partition(":")
    remote, names = name.partition(",")[0], _names(path)
    if is_local(place) or remote not in conf:
        return [place]
    section, drive = conf.whole_section(conf.storage_of(remote)), conf.drive_of(remote)
    found = [inside for folder, inside in _upstreams(section) if names == _names(folder)]
    if drive != remote and not names and section.get(BASE):
        found = [f"{drive}:{section[BASE]}"]
    inner = itertools.chain.from_iterable(spelled_out(conf, one) for one in found)
    return list(inner) or [f"{name}:{path.strip('/')}"]


def looked_through(conf: Conf, place: str) -> tuple[str, str]:
    """The remote and the path in it that a place stands for, through aliases of a storage.
    StorageNotFound for any other wrapping remote, which changes names or places."""
    name, _, path = place.partition(":")
    name = name.partition(",")[0]
    owner, found = conf.storage_of(name), below(conf, name)
    section = conf.whole_section(owner)
    if section.get("type") == "onedrive":
        inside = path.strip("/")  # to rclone, "team:/" is the same place as "team:"
        return owner, inside if conf.drive_of(name) != name else f"/{inside}"
    if found and section.get("type") == "alias":
        return looked_through(conf, f"{section['remote']}/{path}")
    if found:
        on = " and ".join(map(repr, found))
        raise StorageNotFound(
            f"What would arrive through {name!r} cannot be predicted.",
            why=f"a remote of type {section['type']} has its own names, sizes or locations in {on}",
            advice="Continue without a preflight: the transfer reports what OneDrive refuses.",
        )
    return name, path


def holds(outer: Spot, inner: Spot) -> bool | None:
    """Whether `inner` equals `outer` or is in it; None if unknown."""
    for one, other in zip(outer, inner, strict=False):
        if one.casefold() != other.casefold():
            return None if HIDDEN in one + other else False
    return len(outer) <= len(inner)


def require_apart(
    command: Command, conf: Conf, is_folder: Callable[[str], bool | None] = lambda place: True
) -> None:
    """UsageError for a transfer that would delete or copy again what it has just transferred,
    because its places are the same or one contains the other: rclone checks that only within one
    remote. The inner place may be the source of a copy or of a file, and a filter rule may exclude
    it."""
    word, keeps = command.words[0], command.words[0].startswith("copy")
    if word not in TRANSFERS or (keeps and command.rules):
        return
    source, destination = command.places
    name = source.partition(":")[0]
    one_remote = conf.storage_of(name) == conf.storage_of(destination.partition(":")[0])
    # within one of them, rclone itself considers the rules, and renames a file to other letter case
    rclones = one_remote and conf.remotes().get(conf.storage_of(name)) == "onedrive"
    renames = word == "moveto" and posixpath.basename(source) != posixpath.basename(destination)
    for here, there in itertools.product(spots(conf, source), spots(conf, destination)):
        into, out = holds(here, there), holds(there, here)
        inner = (there if into else here)[min(len(here), len(there)) :]
        if (into is False and out is False) or (keeps and not into):
            continue
        if rclones and (command.rules or (into and out and renames)):
            continue
        rules = _rules_without(inner) if into or out else []
        if _left_out(command, rules):
            continue
        if out and len(inner) > 1 and word in ("move", "sync") and is_folder(source) is False:
            continue
        raise _refusal(word, source, destination, into, out, rules)


def _refusal(
    word: str, source: str, destination: str, into: bool | None, out: bool | None, rules: list[str]
) -> UsageError:
    what, why = f"{source!r} and {destination!r} may overlap.", None
    advice = "Choose separate locations."
    if into and out:
        what = f"{source!r} and {destination!r} are the same location."
    elif into or out:
        inner, outer = (destination, source) if into else (source, destination)
        what = f"{inner!r} is in {outer!r}."
    else:
        why = "both are in one drive, but encryption, or a folder's id, hides where"
    if out and not into and word.startswith("move"):
        advice = "Copy it there, and delete it here afterwards."
    elif into and rules:
        advice += f" Or exclude the inner one, with the filter rule {rules[-1]!r}."
    doing = "copy its own copies" if word.startswith("copy") else "delete what it has transferred"
    return UsageError(what, why=why or f"a {word} would {doing}", advice=advice)


def _rules_without(inner: Spot) -> list[str]:
    """Filter rules that each exclude this folder."""
    known = tuple(itertools.takewhile(lambda name: HIDDEN not in name, inner))
    names = itertools.accumulate(map(filter_name, known), "{}/{}".format)
    return [f"- /{name}/**" for name in names]


def _left_out(command: Command, rules: list[str]) -> bool:
    """Whether one of these rules comes before any rule that includes something."""
    if command.rules != ["--filter-from=-"] or not isinstance(command.stdin, bytes):
        return False
    given = command.stdin.decode("utf-8", "surrogateescape").split("\n")
    return any(rule in rules for rule in itertools.takewhile(re.compile("- ").match, given))


def _names(path: str) -> list[str]:
    return [name for name in posixpath.normpath(f"/{path}").split("/") if name]


def _wrapped(section: Mapping[str, str]) -> Iterator[str]:
    """The names of the remotes in `remote` and `upstreams`."""
    for _, place in _upstreams(section):
        name, colon, _ = place.partition(":")
        if colon and name:
            yield name.partition(",")[0]


def _upstreams(section: Mapping[str, str], but: tuple[str, ...] = ()) -> Iterator[tuple[str, str]]:
    """The places in `remote` and `upstreams`: `NAME:path` or `NAME,option=value:path`; in a combine
    `folder=NAME:path`, yielded with that folder; in a union perhaps `NAME:path:ro`. Several are
    separated by spaces, and quoted if they contain spaces."""
    if "remote" in section:
        yield "", section["remote"]
    combined = section.get("type") == "combine"
    for place in space_separated(section["upstreams"]) if "upstreams" in section else ():
        folder, _, inside = place.partition("=") if combined else ("", "", place)
        if combined or not place.endswith(but):
            yield folder, re.sub(":(?:ro|nc|writeback)$", "", inside)
