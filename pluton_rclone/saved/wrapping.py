"""Remotes that wrap others, such as crypt, alias, combine and union, at any depth."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress

from pluton_rclone.conf.conf import Conf
from pluton_rclone.conf.environment import space_separated
from pluton_rclone.errors import OptionInvalid, StorageNotFound


def with_wrapped(conf: Conf, names: Iterable[str]) -> dict[str, dict[str, str]]:
    """The sections of these remotes, then of what they wrap, as far as it is in the file; for the
    drive of a storage, the storage's. StorageNotFound for one of `names`; OptionInvalid where one
    lies on itself, which rclone 1.75.2 follows until no memory is left."""
    found, lies_on = _followed(conf, names)
    if any(lies_on.values()):
        _refuse_circles(lies_on)
    return found


def below(conf: Conf, name: str) -> list[str]:
    """The OneDrive remotes that a remote lies on: itself, or those that it wraps."""
    sections = _followed(conf, [name])[0].items()
    return [each for each, section in sections if section.get("type") == "onedrive"]


def _followed(
    conf: Conf, names: Iterable[str]
) -> tuple[dict[str, dict[str, str]], dict[str, list[str]]]:
    """The sections, and which of them lies on which."""
    names = map(conf.storage_of, names)
    found: dict[str, dict[str, str]] = {name: conf.whole_section(name) for name in names}
    waiting, lies_on = list(found), dict[str, list[str]]()
    while waiting:
        above = waiting.pop(0)
        lies_on[above] = list(map(conf.storage_of, _wrapped(found[above])))
        for name in lies_on[above]:
            if name not in found:
                with suppress(StorageNotFound):
                    found[name] = conf.whole_section(name)
                    waiting.append(name)
    return found, lies_on


def _refuse_circles(lies_on: Mapping[str, Iterable[str]]) -> None:
    from graphlib import CycleError, TopologicalSorter

    try:
        TopologicalSorter(lies_on).prepare()
    except CycleError as error:
        circle = error.args[1]
        raise OptionInvalid(
            f"The remote {circle[0]!r} lies on itself: {' → '.join(circle)}.",
            advice="Correct what one of them wraps (its remote or upstreams) in rclone.conf.",
            option="remote",
        ) from None


def _wrapped(section: Mapping[str, str]) -> Iterator[str]:
    """What `remote` and `upstreams` name: `NAME:path`, `NAME,option=value:path`, in a combine
    `folder=NAME:path`; several are separated by spaces, and quoted if they hold some."""
    places = [section.get("remote", "")]
    combined = section.get("type") == "combine"
    for place in space_separated(section["upstreams"]) if "upstreams" in section else ():
        places.append(place.partition("=")[2] if combined else place)
    for place in places:
        name, colon, _ = place.partition(":")
        if colon and name:
            yield name.partition(",")[0]
