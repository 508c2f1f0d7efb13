"""What SRC and DST mean on the command line: `NAME:path` is in a storage, everything else on this
machine.

A colon makes it a storage, so nothing is guessed. A local path that holds a colon is written with
`/`, `./` or `../` in front.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

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
    """`NAME:path` or a local path. StorageNotFound, which says how a local path is written, for
    what looks like the first and names no storage; UsageError for a path that is a server's.
    """
    if not text:
        raise UsageError("A path is empty.")
    if ":" not in text or text.startswith(_LOCAL):
        return Place(None, text)
    # A friendly name may hold colons and slashes itself: the longest one that fits is meant.
    for end in sorted((i for i, char in enumerate(text) if char == ":"), reverse=True):
        found = reached(text[:end], storages)
        if found is not None:
            place = Place(found, text[end + 1 :])
            refuse_server_path(place)
            return place
    try:
        return Place(storages[text.partition(":")[0]], "")
    except StorageNotFound as error:
        error.advice += f" A local path is written ./{text}"
        raise


_LOCAL = ("/", "./", "../")
_SERVER_PATH = re.compile(
    r"/?(?:personal|sites|teams)/[^/]+/[^/]*Do[ck]ument[^/]*(?:/(?P<path>.*))?"
)


def refuse_server_path(place: Place) -> None:
    """UsageError, with the right spelling, for an address, a path on Microsoft's server, or one
    with backslashes: each would become a new folder. What is really called so is taken.
    """
    assert place.storage is not None
    path, spelled = place.path, ""
    if re.match("https?:/", path):
        path = urlsplit(unquote(path)).path
    found = _SERVER_PATH.fullmatch(path)
    if found is not None:
        spelled = found["path"] or ""
    elif "\\" in path:
        spelled = path.replace("\\", "/").rstrip("/")
    elif path == place.path:
        return
    if path == place.path and place.storage.stat(path) is not None:
        return
    meant = shlex.quote(f"{place.storage.name}:{spelled}")
    raise UsageError(
        f"{place.path!r} is no path in a storage.",
        why=(
            "such a path names folders below the drive's root or the storage's base folder, with "
            "/ between them"
        ),
        advice=f"Write {meant} and behind it the folders alone."
        if not spelled
        else f"Write {meant}.",
    )


def parse_end(text: str, storages: Storages) -> Place:
    """As `parse_place`, for SRC and DST. UsageError when a storage's name stands there without its
    colon, unless something on this machine has that name.
    """
    place = parse_place(text, storages)
    if (
        place.storage is None
        and not os.path.lexists(text)
        and not os.path.lexists(text.partition("/")[0])
    ):
        meant = forgotten_colon(text, storages)
        if meant:
            raise UsageError(
                f"There is no {text!r} on this machine, but a storage of that name. Did you mean "
                f"{meant!r}?",
                advice=(
                    f"Write {shlex.quote(meant)} for the storage, {shlex.quote(f'./{text}')} "
                    "for this machine."
                ),
            )
    return place


def forgotten_colon(text: str, storages: Storages) -> str | None:
    """`NAME` or `NAME/path` as a place in the storage NAME; None when there is no such storage."""
    if reached(text, storages):
        return f"{text}:"
    name, _, path = text.partition("/")
    return f"{name}:{path}" if name and reached(name, storages) else None


def reached(name: str, storages: Storages) -> Storage | None:
    """The storage of that name, or a remote that wraps some."""
    try:
        return storages.reach(name)
    except StorageNotFound:
        return None


def parse_storage_place(text: str, storages: Storages) -> tuple[Storage, str]:
    """`NAME:path`, where only a storage will do; `NAME` alone is its base folder."""
    found = reached(text, storages)
    if found is not None:
        return found, ""
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
        raise UsageError(
            "Neither SRC nor DST is in a storage.", advice="Write one of them as NAME:path."
        )
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
    """An error that says "nothing there", as rclone does of a whole run, names the place. One of a
    single file stays."""
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
