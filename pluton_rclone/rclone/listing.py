"""`rclone lsjson` as a stream of typed entries: flat memory, each entry as soon as rclone has
printed it.

rclone prints "[", one object a line, "]". A block of whole lines is decoded at once, in C, straight
into `Entry` (measured: a call per block costs a third of a call per line). One odd line (a year
beyond 9999, a time that is "") does not spoil the others: its block is then read line by line, and
what cannot be read in it is None.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterator
from datetime import datetime
from typing import Any

import msgspec

from pluton_rclone.errors import RcloneError
from pluton_rclone.process.pipes import LINE_LIMIT

from .locations import Location


class Entry(
    msgspec.Struct,
    frozen=True,
    gc=False,
    rename={
        "path": "Path",
        "name": "Name",
        "size": "Size",
        "modified": "ModTime",
        "is_dir": "IsDir",
        "id": "ID",
        "mime_type": "MimeType",
        "hashes": "Hashes",
    },
):
    """A file or folder.

    `path` is relative to what was listed and in rclone's form, like `name`. `size` is in bytes, -1
    where rclone does not know it. `modified` is an aware datetime in microseconds, None if there is
    none. `hashes` maps type to hex.
    """

    path: str
    name: str
    size: int = -1
    modified: datetime | None = None
    is_dir: bool = False
    id: str | None = None
    mime_type: str | None = None
    hashes: dict[str, str] | None = None


_decode_many = msgspec.json.Decoder(list[Entry]).decode
_decode_one = msgspec.json.Decoder(Entry).decode
_OPEN, _CLOSE = b"[", b"]"


def entries(read: Callable[[], bytes]) -> Generator[Entry, None, bool]:
    """The entries in lsjson's output; `read` gives the next block, b"" at the end.

    Returns whether the closing bracket came: without it the listing is not complete. RcloneError at
    a line that is no entry.
    """
    rest = b""
    closed = False
    while block := read():
        cut = block.rfind(b"\n")
        if cut < 0:
            rest += block
            if len(rest) > LINE_LIMIT:
                raise RcloneError("The listing cannot be read.", why="one line of it has no end")
            continue
        lines = rest + block[:cut] if rest else block[:cut]
        rest = block[cut + 1 :]
        if lines.startswith(b"[\n"):
            lines = lines[2:]
        if lines.endswith(b"]") and (lines == b"]" or lines.endswith(b"\n]")):
            closed = True
            lines = lines[:-2]
        lines = lines.removesuffix(b",").removeprefix(b"[")
        if lines:
            try:
                yield from _decode_many(b"[" + lines + b"]")
            except (msgspec.DecodeError, UnicodeDecodeError):
                yield from _one_by_one(lines)
    return closed


def single(found: Generator[Entry, None, bool]) -> Generator[Entry, None, bool]:
    """The same entries. RcloneError at their end if two folders in one have the same name: rclone
    lists one of them twice.

    For rclone a shortcut has the name of what it leads to. What is in one folder comes together: no
    more names are kept.
    """
    above, names, twice = None, set[str](), None
    while True:
        try:
            entry = next(found)
        except StopIteration as end:
            if twice is None:
                return bool(end.value)
            raise RcloneError(
                f"Two folders are called {twice!r} for rclone, and it looks into one of them "
                "alone.",
                why="one of them is a shortcut, which has another name on the drive",
                advice="List the folder by that name, or rename what the shortcut leads to.",
            ) from None
        folder = entry.path.rpartition("/")[0]
        if folder != above:
            above, names = folder, set()
        twice = entry.path if entry.is_dir and entry.path in names else twice
        names.add(entry.path)
        yield entry


def _one_by_one(lines: bytes) -> Iterator[Entry]:
    for line in lines.split(b"\n"):
        text = line.strip().removesuffix(b",")
        if text:
            yield entry(text)


def entry(text: bytes) -> Entry:
    """One entry from its JSON object. RcloneError if it is none."""
    try:
        return _decode_one(text)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _tolerant(text)


def named(found: Entry, place: Location) -> Entry:
    """What `stat` found, with its own name as path; rclone leaves a folder's empty, and makes up
    its time."""
    if not found.is_dir:
        return found
    text = os.fsdecode(place).rstrip("/")
    name = (
        text.rpartition("/")[2].rpartition(":")[2]
        if isinstance(place, str)
        else text.rpartition("/")[2]
    )
    return Entry(name, name, is_dir=True, id=found.id)


def below(found: Entry, folder: str) -> Entry:
    """The entry with its path relative to `folder` (or to its own folder, if that is "")."""
    path = found.path[len(folder) + 1 :] if folder else found.name
    return Entry(
        path,
        found.name,
        found.size,
        found.modified,
        found.is_dir,
        found.id,
        found.mime_type,
        found.hashes,
    )


def _tolerant(text: bytes) -> Entry:
    try:
        item = msgspec.json.decode(text.decode("utf-8", "replace"))
    except msgspec.DecodeError as error:
        raise RcloneError("A line of the listing cannot be read.", why=str(error)) from error
    return _convert(item)


def _convert(item: Any) -> Entry:
    if not isinstance(item, dict) or not isinstance(item.get("Path"), str):
        raise RcloneError("A line of the listing is no entry.")
    try:
        return msgspec.convert(item, Entry)
    except msgspec.ValidationError:
        fields = {"Path": item["Path"], "Name": item.get("Name") or item["Path"].rpartition("/")[2]}
        for name in ("Size", "ModTime", "IsDir", "ID", "MimeType", "Hashes"):
            try:
                msgspec.convert({**fields, name: item.get(name)}, Entry)
            except msgspec.ValidationError:
                continue
            fields[name] = item.get(name)
        return msgspec.convert(fields, Entry)
