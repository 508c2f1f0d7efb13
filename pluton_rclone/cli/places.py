"""What SRC and DST mean on the command line: `NAME:path` is in a storage, everything else on this machine.

rclone's own rule, so nothing is guessed: a colon before the first slash makes it a storage. A local file whose name holds
a colon is written with `./` in front.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pluton_rclone.errors import ItemNotFound, NothingFound, StorageNotFound, UsageError

if TYPE_CHECKING:
    from pluton_rclone.storages.storage import Storage
    from pluton_rclone.storages.storages import Storages


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


def parse_end(text: str, storages: Storages) -> Place:
    """As `parse_place`, for SRC and DST. UsageError when a storage's name stands there without its colon, unless
    something on this machine has that name.
    """
    place = parse_place(text, storages)
    if place.storage is None and not os.path.lexists(text) and not os.path.lexists(text.partition("/")[0]):
        meant = forgotten_colon(text, storages)
        if meant:
            raise UsageError(
                f"There is no {text!r} on this machine, but a storage of that name. Did you mean {meant!r}?",
                advice=f"Write {shlex.quote(meant)} for the storage, {shlex.quote(f'./{text}')} for this machine.",
            )
    return place


def forgotten_colon(text: str, storages: Storages) -> str | None:
    """`NAME` or `NAME/path` as a place in the storage NAME; None when there is no such storage."""
    if text in storages:
        return f"{text}:"
    name, _, path = text.partition("/")
    return f"{name}:{path}" if name and name in storages else None


def parse_storage_place(text: str, storages: Storages) -> tuple[Storage, str]:
    """`NAME:path`, where only a storage will do; `NAME` alone is its base folder."""
    if text in storages:
        return storages[text], ""
    place = parse_place(text, storages)
    if place.storage is None:
        meant = forgotten_colon(text, storages)
        hint = f" Did you mean {meant!r}?" if meant else ""
        raise UsageError(
            f"{text!r} is no place in a storage.{hint}",
            advice="Write NAME:path, or NAME: for its base folder.",
        )
    return place.storage, place.path


def remote_names(*places: Place) -> list[str]:
    """The remotes that a command needs. UsageError when none of the places is in a storage."""
    names = [place.storage.remote_name for place in places if place.storage is not None]
    if not names:
        raise UsageError("Neither SRC nor DST is in a storage.", advice="Write one of them as NAME:path.")
    return names


def nothing_at(place: Place, side: str = "") -> NothingFound:
    """There is nothing at a place; `side` says which one of two it is: SRC, DST."""
    lead = f"{side} does not exist: there is" if side else "There is"
    if place.storage is None:
        advice = "Check the path."
        if not os.path.isabs(place.path):
            advice = f"Check the path: it was looked for in {os.getcwd()}."
        return NothingFound(f"{lead} no {place.path!r} on this machine.", advice=advice)
    above = place.path.rstrip("/").rpartition("/")[0]
    folder = shlex.quote(f"{place.storage.remote_name}:{above}")
    return NothingFound(
        f"{lead} no {place.path!r} in {place.storage.name!r}.",
        advice=f"Check the path; `pluton-rclone ls {folder}` lists what is there.",
    )


@contextmanager
def named(place: Place, side: str = "") -> Iterator[None]:
    """An error that says "nothing there", as rclone does of a whole run, names the place. One of a single file stays."""
    try:
        yield
    except (NothingFound, ItemNotFound) as error:
        if error.result is not None and error.result.failed:
            raise
        problem = nothing_at(place, side)
        problem.why, problem.result = error.why, error.result
        problem.details = error.details
        raise problem from error


def require_here(place: Place, side: str) -> None:
    """NothingFound for a local place where nothing is, before anything is started."""
    if place.storage is None and not os.path.lexists(place.path):
        raise nothing_at(place, side)


def location(place: Place) -> str:
    """The place as rclone reads it."""
    from pluton_rclone.rclone.locations import local

    return local(place.path) if place.storage is None else place.storage.at(place.path)
