"""What SRC and DST mean on the command line: `NAME:path` is in a storage, everything else on this machine.

rclone's own rule, so nothing is guessed: a colon before the first slash makes it a storage. A local file whose name holds
a colon is written with `./` in front.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import StorageNotFound, UsageError

if TYPE_CHECKING:
    from ..storage import Storage
    from ..storages import Storages


@dataclass(frozen=True)
class Place:
    """Somewhere: in `storage` at `path`, or, when `storage` is None, the local `path`."""

    storage: Storage | None
    path: str


def parse_place(text: str, storages: Storages) -> Place:
    """`NAME:path` or a local path. Raises `StorageNotFound` when NAME is none, and how a local path is written."""
    name, colon, _ = text.partition(":")
    if not colon or "/" in name:
        if not text:
            raise UsageError("A path is empty.")
        return Place(None, text)
    # A friendly name may hold colons itself: the longest one that fits is meant.
    for end in sorted((i for i, char in enumerate(text) if char == ":"), reverse=True):
        if text[:end] in storages:
            return Place(storages[text[:end]], text[end + 1 :])
    try:
        return Place(storages[name], "")
    except StorageNotFound as error:
        error.advice += f" A local path is written ./{text}"
        raise


def parse_storage_place(text: str, storages: Storages) -> tuple[Storage, str]:
    """`NAME:path`, where only a storage will do; `NAME` alone is its base folder."""
    if text in storages:
        return storages[text], ""
    place = parse_place(text, storages)
    if place.storage is None:
        raise UsageError(
            f"{text!r} is no place in a storage.", advice="Write NAME:path, or NAME: for its base folder."
        )
    return place.storage, place.path


def remote_names(*places: Place) -> list[str]:
    """The remotes that a command needs. UsageError when none of the places is in a storage."""
    names = [place.storage.remote_name for place in places if place.storage is not None]
    if not names:
        raise UsageError("Neither SRC nor DST is in a storage.", advice="Write one of them as NAME:path.")
    return names


def location(place: Place) -> str:
    """The place as rclone reads it."""
    from ..rclone.locations import local

    return local(place.path) if place.storage is None else place.storage.at(place.path)
