"""`rclone lsjson` as a stream of typed entries, in constant memory.

rclone prints "[", an object in each line, and "]". Whole lines are decoded together, in C, in a
third of the time of a call for each (measured). If one of them is odd (a year beyond 9999, a time
that is ""), they are read one by one; what cannot be read is None.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator
from contextlib import suppress
from datetime import datetime
from typing import Any

import msgspec
from msgspec import field

from pluton_rclone.errors import RcloneError
from pluton_rclone.process.pipes import LINE_LIMIT

from .locations import Location


class Entry(msgspec.Struct, frozen=True, gc=False, rename="pascal"):
    """A file or folder. `path` is relative to what was listed, and in rclone's form, like `name`.
    `size` is in bytes, -1 if rclone does not know it. `modified` is an aware datetime with
    microseconds, or None. `hashes` maps type to hex."""

    path: str
    name: str
    size: int = -1
    modified: datetime | None = field(default=None, name="ModTime")
    is_dir: bool = False
    id: str | None = field(default=None, name="ID")
    mime_type: str | None = None
    hashes: dict[str, str] | None = None


_decode_many = msgspec.json.Decoder(list[Entry]).decode
_decode_one = msgspec.json.Decoder(Entry).decode
_MEMBERS = tuple(each.encode_name for each in msgspec.structs.fields(Entry))[2:]


def entries(read: Callable[[], bytes]) -> Generator[Entry, None, bool]:
    """The entries in lsjson's output; `read` gives the next block, b"" at the end. Returns whether
    it is complete: the closing bracket came. RcloneError if a line is not an entry."""
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
                each = (line.strip().removesuffix(b",") for line in lines.split(b"\n"))
                yield from map(entry, filter(None, each))
    with suppress(msgspec.DecodeError, UnicodeDecodeError):  # whole, where rclone then broke off
        yield _decode_one(rest)
    return closed


def single(found: Generator[Entry, None, bool]) -> Generator[Entry, None, bool]:
    """The same entries. RcloneError at their end if two folders in a folder have the same name, as
    a shortcut has that of its target: rclone lists one of them twice. The entries of a folder
    follow each other, so only their names are kept."""
    above, names, twice = None, set[str](), None
    while True:
        try:
            entry = next(found)
        except StopIteration as end:
            if twice is None:
                return bool(end.value)
            raise RcloneError(
                f"rclone sees two folders with the name {twice!r}, and lists only one of them.",
                why="one of them is a shortcut, which has another name on the drive",
                advice="List the folder by that name, or rename the target of the shortcut.",
            ) from None
        folder = entry.path.rpartition("/")[0]
        if folder != above:
            above, names = folder, set()
        twice = entry.path if entry.is_dir and entry.path in names else twice
        names.add(entry.path)
        yield entry


def entry(text: bytes) -> Entry:
    """One entry from its JSON object. RcloneError if it is not one."""
    try:
        return _decode_one(text)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _tolerant(text)


def named(found: Entry, place: Location) -> Entry:
    """What `stat` found; a folder with its name as path, without the time that rclone makes up."""
    if not found.is_dir:
        return found
    name = os.fsdecode(place).rstrip("/").rpartition("/")[2]
    if isinstance(place, str):
        name = name.rpartition(":")[2]
    return Entry(name, name, is_dir=True, id=found.id)


def _tolerant(text: bytes) -> Entry:
    """The entry without the values that cannot be read."""
    try:
        item: Any = msgspec.json.decode(text.decode("utf-8", "replace"))
    except msgspec.DecodeError as error:
        raise RcloneError("A line of the listing cannot be read.", why=str(error)) from error
    if not isinstance(item, dict) or not isinstance(item.get("Path"), str):
        raise RcloneError("A line of the listing is not an entry.")
    fields = {"Path": item["Path"], "Name": item.get("Name") or item["Path"].rpartition("/")[2]}
    for name in _MEMBERS:
        try:
            msgspec.convert({**fields, name: item.get(name)}, Entry)
        except msgspec.ValidationError:
            continue
        fields[name] = item.get(name)
    return msgspec.convert(fields, Entry)
