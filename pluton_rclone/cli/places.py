"""What SRC and DST mean: `NAME:path` is in a storage, everything else on this machine.

A colon always means a storage. A local path with a colon in it starts with `/`, `./` or `../`.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote, urlsplit

from pluton_rclone.errors import ItemNotFound, NothingFound, StorageNotFound, UsageError
from pluton_rclone.rclone.locations import local, names_drive

from .output import named, ours

if TYPE_CHECKING:
    from pluton_rclone.storages.storage import Storage

    from .context import Context


class Place(NamedTuple):
    """Somewhere: in `storage` at `path`, or, if `storage` is None, the local `path`."""

    storage: Storage | None
    path: str

    @property
    def remote_name(self) -> str | None:
        """The remote's name; None on this machine."""
        return None if self.storage is None else self.storage.remote_name

    @property
    def location(self) -> str:
        """The rclone location."""
        return local(self.path) if self.storage is None else self.storage.at(self.path)

    @property
    def is_file(self) -> bool:
        """Whether it is a file. Asks Microsoft, unless it is local."""
        if self.storage is None:
            return os.path.isfile(self.path)
        entry = self.storage.stat(self.path) if self.path.strip("/") else None
        return entry is not None and not entry.is_dir

    def nothing(self, side: str = "") -> NothingFound:
        """The error that nothing is here; `side` says which of two places it is: SRC, DST."""
        lead = f"{side} does not exist: there is" if side else "There is"
        if self.storage is None:
            searched = "" if os.path.isabs(self.path) else f": it was looked for in {os.getcwd()}"
            what = f"{lead} no {self.path!r} on this machine."
            return NothingFound(what, advice=f"Check the path{searched}.")
        above = self.path.rstrip("/").rpartition("/")[0]
        command = ours("ls", f"{self.storage.remote_name}:{above}")
        advice = f"Check the path; `{command}` lists what is there."
        return NothingFound(f"{lead} no {self.path!r} in {self.storage.name!r}.", advice=advice)

    @contextmanager
    def named(self, side: str = "") -> Iterator[None]:
        """Make an error that the whole place is missing name the place; errors about a file or
        folder in it are unchanged."""
        try:
            yield
        except (NothingFound, ItemNotFound) as error:
            if "unread" in error.details or (error.result is not None and error.result.failed):
                raise
            problem = self.nothing(side)
            problem.why, problem.result, problem.details = error.why, error.result, error.details
            raise problem from error

    def require(self, side: str) -> None:
        """NothingFound for a missing local place, before anything is started."""
        if self.storage is None and not os.path.lexists(self.path):
            raise self.nothing(side)


def parse_place(text: str, ctx: Context) -> Place:
    """`NAME:path` or a local path. UsageError for a path on a server; StorageNotFound."""
    if not text:
        raise UsageError("A path is empty.")
    if not names_storage(text):
        return Place(None, text)
    refuse_two_places(text, ctx)
    # A friendly name may contain colons and slashes: the longest match is meant.
    for end in sorted((i for i, char in enumerate(text) if char == ":"), reverse=True):
        found = ctx.reached(text[:end])
        if found is not None:
            place = Place(found, text[end + 1 :])
            refuse_server_path(place)
            return place
    try:
        return Place(ctx.storage(text.partition(":")[0]), "")
    except StorageNotFound as error:
        error.advice += f" For a local path, write ./{text}."
        raise


def names_storage(text: str) -> bool:
    """Whether the text is read as NAME:path."""
    return ":" in text and not text.startswith(("/", "./", "../")) and not names_drive(text)


def refuse_two_places(text: str, ctx: Context) -> None:
    """UsageError for a storage name that is also a path in another storage."""
    for end in range(len(text) - 2, 0, -1) if text in ctx.storages else ():
        if text[end] == ":" and ctx.reached(text[:end]):
            here, there = map(shlex.quote, (f"{text}:", f"{text[:end]}:./{text[end + 1 :]}"))
            what = f"{text!r} is both the name of a storage and a path in {text[:end]!r}."
            advice = f"Write {here} for the storage, {there} for the path."
            raise UsageError(what, advice=advice)


_SERVER_PATH = re.compile(
    r"/?(?:personal|sites|teams)/[^/]+/[^/]*Do[ck]ument[^/]*(?:/(?P<path>.*))?"
)


def refuse_server_path(place: Place) -> None:
    """UsageError for an address, a path on Microsoft's server, or a path with backslashes: each
    would become a new folder. Not if something has that name."""
    assert place.storage is not None
    if not place.storage.storages.below(place.storage.remote_name):
        return
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
    meant = shlex.quote(f"{named(place.storage)}:{spelled}")
    raise UsageError(
        f"{place.path!r} is not a path in a storage.",
        why="such a path names folders below the drive's root or the storage's base folder, with / "
        "between them",
        advice=f"Write {meant}." if spelled else f"Write {meant} followed by just the folders.",
    )


def parse_end(text: str, ctx: Context) -> Place:
    """As `parse_place`, for SRC and DST. UsageError for a storage name without its colon, unless
    something on this machine has that name."""
    place = parse_place(text, ctx)
    if place.storage is not None or any(map(os.path.lexists, (text, text.partition("/")[0]))):
        return place
    meant = forgotten_colon(text, ctx)
    if not meant:
        return place
    storage, here = shlex.quote(meant), shlex.quote(f"./{text}")
    what = f"There is no {text!r} on this machine, but there is a storage of that name."
    advice = f"Write {storage} for the storage, {here} for this machine."
    raise UsageError(f"{what} Did you mean {meant!r}?", advice=advice)


def forgotten_colon(text: str, ctx: Context) -> str | None:
    """`NAME` or `NAME/path` as a place in the storage NAME; None if there is no such storage."""
    if ctx.reached(text):
        return f"{text}:"
    name, _, path = text.partition("/")
    return f"{name}:{path}" if name and ctx.reached(name) else None


def parse_storage_place(text: str, ctx: Context) -> tuple[Storage, str]:
    """`NAME:path` that must be in a storage; `NAME` means its base folder."""
    found = ctx.reached(text)
    if found is not None:
        refuse_two_places(text, ctx)
        return found, ""
    place = parse_place(text, ctx)
    if place.storage is not None:
        return place.storage, place.path
    meant = forgotten_colon(text, ctx)
    hint = f" Did you mean {meant!r}?" if meant else ""
    advice = "Write NAME:path, or NAME: for its base folder."
    raise UsageError(f"{text!r} is not a place in a storage.{hint}", advice=advice)


def remote_names(*places: Place) -> list[str]:
    """The remotes that a command needs. UsageError if none of the places is in a storage."""
    names = [place.storage.remote_name for place in places if place.storage is not None]
    if not names:
        advice = "Write one of them as NAME:path."
        raise UsageError("Neither SRC nor DST is in a storage.", advice=advice)
    return names
