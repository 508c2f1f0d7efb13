"""A tree too large for one run, divided into shards: upload or download steps of their own.

A shard is a step with additional filters: it excludes the pieces of all other shards, and then
applies the plan's own filters. The pieces cover every possible name exactly once, whatever was
listed: a file that appears while the shards run belongs to exactly one of them.

A sync is not divided: a folder renamed from "a" to "A" would be deleted by one shard while another
uploads it, and no shard sees how much all of them delete."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import msgspec

from pluton_rclone.connection.health import at_once
from pluton_rclone.errors import NameRefused, OptionInvalid, PlutonRcloneError
from pluton_rclone.preflight import Listed
from pluton_rclone.rclone.commands import filter_name
from pluton_rclone.rclone.engine import Rclone
from pluton_rclone.rclone.runner import nothing
from pluton_rclone.storages.storage import Storage, Storages

from .plan import Plan, Step
from .steps import NAMED, STOPPED, Outcome, failed, stop
from .which import Target, storage_of

_FILE, _FOLDER, _CHUNK = 3, 1, 10 << 20
"""Weights of a file and a folder (requests); bytes for each further request (docs/scale.md)."""
_FINE = 4
"""The least pieces per shard, if there are folders to divide."""


class Piece(NamedTuple):
    """Part of a tree: rclone's pattern for it, its weight, and the folder that it divides."""

    pattern: str
    weight: int
    folder: str


@dataclass(slots=True)
class _Folder:
    loose: int = 0  # the weight of the files directly in it
    weight: int = 0  # the weight of everything below it
    folders: dict[str, _Folder] = field(default_factory=dict)


def divide(entries: Iterable[Listed], shards: int) -> list[list[Piece]]:
    """The pieces of at most `shards` shards of similar weight, the same for the same entries in any
    order. A folder takes about 300 bytes of memory, a file none. The files of one folder stay
    together."""
    root = _Folder()
    for entry in entries:
        above = entry.path if entry.is_dir else entry.path.rpartition("/")[0]
        weight = _FOLDER if entry.is_dir else _FILE + max(entry.size, 0) // _CHUNK
        folder = root
        folder.weight += weight
        for name in filter(None, above.split("/")):
            folder = folder.folders.setdefault(name, _Folder())
            folder.weight += weight
        folder.loose += weight
    pieces = list(_pieces(root, "", root.weight / shards / _FINE)) if shards > 1 else []
    weights = [0] * shards
    dealt: list[list[Piece]] = [[] for _ in weights]
    for piece in sorted(pieces, key=lambda piece: -piece.weight):
        number = weights.index(min(weights)) if piece.weight else 0
        dealt[number].append(piece)
        weights[number] += piece.weight
    return list(filter(None, dealt)) or [[]]


def _pieces(folder: _Folder, path: str, most: float) -> Iterator[Piece]:
    """The pieces of a folder: its files, and its folders by ranges of names, heavy ones divided."""
    place = f"{path}/"
    quoted = filter_name(place)
    yield Piece(f"{quoted}*", folder.loose, place)
    begin, weight, last = "", 0, ""

    def until(end: str | None) -> Piece:
        names = "*" if not begin and end is None else f"{{{{{_range(begin, end)}}}}}"
        return Piece(f"{quoted}{names}/**", weight, place)

    for name, below in sorted(folder.folders.items()):
        heavy = below.weight > most
        if weight and (heavy or weight + below.weight > most):
            cut = name if heavy else _between(last, name)
            yield until(cut)
            begin, weight = cut, 0
        if not heavy:
            weight, last = weight + below.weight, name
            continue
        if begin != name:
            yield until(name)
        begin = f"{name}\0"  # the next possible name
        if below.folders:
            yield from _pieces(below, f"{path}/{name}", most)
        else:
            yield Piece(f"{quoted}{filter_name(name + '/')}**", below.weight, place)
    yield until(None)


def _between(last: str, name: str) -> str:
    """The shortest text that is greater than `last` and not greater than `name`."""
    return next(name[:n] for n in range(1, len(name) + 1) if name[:n] > last)


def _range(begin: str, end: str | None) -> str:
    """A regular expression for the names from `begin` to before `end`, by code points."""
    if not begin:
        return _REST if end is None else _before(end)
    if end is None:
        return _from(begin)
    if begin[0] == end[0]:
        return f"{_text(begin[0])}(?:{_range(begin[1:], end[1:])})"
    found = [f"{_text(begin[0])}(?:{_from(begin[1:])})"]
    if ord(end[0]) - ord(begin[0]) > 1:
        found.append(_characters(ord(begin[0]) + 1, ord(end[0]) - 1) + _REST)
    if end[1:]:
        found.append(f"{_text(end[0])}(?:{_before(end[1:])})")
    return "|".join(found)


_REST = "[^/]*"
_NONE = r"^\x{0}-\x{10ffff}"


def _from(text: str) -> str:
    later = [
        f"{_text(text[:n])}{_characters(ord(char) + 1, 0x10FFFF)}{_REST}"
        for n, char in enumerate(text)
        if ord(char) < 0x10FFFF
    ]
    return "|".join([f"{_text(text)}{_REST}", *later])


def _before(text: str) -> str:
    return "|".join(
        f"{_text(text[:n])}(?:{_characters(0, ord(char) - 1)}{_REST})?"
        for n, char in enumerate(text)
    )


def _characters(first: int, last: int) -> str:
    """A character class without "/", as names contain none; if empty, it matches nothing."""
    slash = ord("/")
    two = [(first, min(last, slash - 1)), (max(first, slash + 1), last)]
    found = "".join(f"{_text(chr(one))}-{_text(chr(end))}" for one, end in two if one <= end)
    return f"[{found or _NONE}]"


def _text(text: str) -> str:
    return "".join(c if c.isalnum() else f"\\x{{{ord(c):x}}}" for c in text)


def shards_of(storages: Storages, target: Target, step: Step) -> list[tuple[Target, Step]]:
    """The shards of a step, each with the storage through which it is transferred. Common folders
    are created at the destination first, because shards that create them at once interfere. Raises
    what listing and creating folders raise; OptionInvalid if `through` is another drive."""
    storage = storage_of(storages, target)
    doors = _doors(storages, storage, step) or [target]
    local, folder = step.local_in(target.name), step.folder_in(target.name)
    chosen: Any = step.choosing
    here = Rclone(storages.binary)
    upload = step.do == "upload"
    entries = here.walk(os.fsencode(local), **chosen) if upload else storage.walk(folder, **chosen)
    dealt = divide(_as_far_as(entries), step.shards)
    if upload and len(dealt) > 1:
        divided = {piece.folder for pieces in dealt for piece in pieces}
        for place in sorted(divided):
            inner = any(other != place and other.startswith(place) for other in divided)
            if not inner and "\ufffd" not in place:  # a name with bytes that are not UTF-8
                whole = f"{folder.rstrip('/')}{place}" if folder else place[1:]
                with suppress(NameRefused):  # those that need it report it, the others continue
                    storage.rclone.mkdir(storage.at(whole.rstrip("/")))
    plain = step.model_dump(exclude_unset=True, exclude={"shards", "through", "verify"})
    found = []
    for number, mine in enumerate(dealt):
        others = [piece for pieces in dealt if pieces is not mine for piece in pieces]
        part = f"{number + 1} of {len(dealt)}"
        given: dict[str, Any] = {"local": local, "folder": folder, "part": part}
        if others:
            rules = [f"- {piece.pattern}" for piece in others]
            filters = [*rules, *step.options.get("filters", ())]
            given["options"] = {**step.options, "filters": filters}
        found.append((doors[number % len(doors)], Step.model_validate(plain | given)))
    return found


def _as_far_as(entries: Iterator[Listed]) -> Iterator[Listed]:
    """The entries that can be listed: an unreadable folder is still in a shard, which reports it.
    Raises the error if nothing can be listed."""
    some = False
    try:
        for entry in entries:
            some = True
            yield entry
    except PlutonRcloneError:
        if not some:
            raise


def _doors(storages: Storages, storage: Storage, step: Step) -> list[Target]:
    found = []
    for name in step.doors_in(storage.remote_name):
        door = storages[name]
        for option in ("drive_id", "root_folder_id", "base_folder"):
            if getattr(door.remote, option) != getattr(storage.remote, option):
                what = f"{name!r} has another {option} than {storage.remote_name!r}."
                raise OptionInvalid(what, option="through")
        found.append(Target(name=door.remote_name))
    return found


def joined(outcomes: list[Outcome], target: Target, step: Step) -> Outcome:
    """The combined outcome of a step's shards."""
    worst = next((one for one in outcomes if not one.ok), outcomes[0])
    return msgspec.structs.replace(
        worst,
        storage=target.name,
        step=str(step),
        files=sum(one.files for one in outcomes),
        bytes=sum(one.bytes for one in outcomes),
        failures=sum(one.failures for one in outcomes),
        failed=[file for one in outcomes for file in one.failed][:NAMED],
        notices=[notice for one in outcomes for notice in one.notices][:NAMED],
    )


def carry_out(
    plan: Plan,
    storages: Storages,
    targets: list[Target],
    perform: Callable[[Target, Step], Outcome],
    said: Callable[[Outcome], None] = nothing,
) -> list[Outcome]:
    """Run all steps of a plan in these storages with `perform`, at most `at_once.worker` storages,
    or shards of a step, at a time. A failed step ends its storage's steps. Ctrl-C stops running
    steps cleanly and prevents new ones."""
    STOPPED.clear()
    saying = threading.Lock()

    def whole(target: Target, step: Step) -> Outcome:
        if step.shards == 1:
            return perform(target, step)
        began = time.monotonic()
        try:
            shards = shards_of(storages, target, step)
        except Exception as error:  # noqa: BLE001 - as in `do`
            return failed(target, step, error)
        outcomes = at_once(lambda one: perform(*one), shards, plan.at_once.worker)
        seconds = round(time.monotonic() - began, 3)
        return msgspec.structs.replace(joined(outcomes, target, step), seconds=seconds)

    def in_one(target: Target) -> list[Outcome]:
        found: list[Outcome] = []
        for step in plan.all_steps():
            found.append(whole(target, step))
            with saying:  # one at a time: each outcome may be several lines
                said(found[-1])
            if not found[-1].ok:
                break
        return found

    try:
        return [one for group in at_once(in_one, targets, plan.at_once.worker) for one in group]
    except BaseException:
        stop()
        raise
