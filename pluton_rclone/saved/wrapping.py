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
    found = {name: conf.whole_section(name) for name in map(conf.storage_of, names)}

    def follow(name: str, above: tuple[str, ...]) -> None:
        if name in above:
            circle = " → ".join((*above[above.index(name) :], name))
            raise OptionInvalid(
                f"The remote {name!r} lies on itself: {circle}.",
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
    """The OneDrive remotes that a remote lies on: itself, or those that it wraps."""
    sections = with_wrapped(conf, [name]).items()
    return [each for each, section in sections if section.get("type") == "onedrive"]


def above(conf: Conf, name: str) -> str:
    """The remotes that name this one as what they wrap, in words; "" if none does."""
    found = conf.sections().items()
    return ", ".join(repr(each) for each, section in found if name in _wrapped(section))


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
