"""Typed events from rclone's JSON log (`--use-json-log`), one for each line.

Source of the fields: rclone's documentation ("--use-json-log") and captures of 1.75.2 and 1.60.1.
A line that is not JSON becomes `PlainText`: usage errors, and in 1.60.1 the last lines. The text of
a message is matched only if no field has the information; `source` (Go file and line) is never
used. Sizes are in bytes, times in seconds, speeds in bytes per second.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

import msgspec
from msgspec import field

from pluton_rclone import errors


class Event(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """The base class. `text` is rclone's message, which may hold secrets: pass it through
    `values.redaction.redact` before it is logged or shown, as `repr` does."""

    text: str
    level: str = "info"

    def __repr__(self) -> str:
        from pluton_rclone.values.redaction import redact  # late: its patterns take time to compile

        return redact(super().__repr__())


class InFlight(msgspec.Struct, frozen=True, gc=False):
    """A file that is being transferred. If unknown, `size` is -1 and `eta` None."""

    name: str = ""
    bytes: int = 0
    size: int = -1
    speed: float = 0.0
    eta: float | None = None
    percentage: int = 0


class Progress(Event, frozen=True, gc=False, kw_only=True, rename="camel"):
    """A transfer's progress. `total_bytes` grows while rclone lists, so `fraction` can fall."""

    bytes: int = 0
    total_bytes: int = 0
    speed: float = 0.0
    eta: float | None = None
    transfers: int = 0
    total_transfers: int = 0
    checks: int = 0
    total_checks: int = 0
    deletes: int = 0
    deleted_dirs: int = 0
    renames: int = 0
    listed: int = 0
    server_side_copies: int = 0
    server_side_moves: int = 0
    errors: int = 0
    elapsed: float = field(default=0.0, name="elapsedTime")
    last_error: str = ""
    in_flight: tuple[InFlight, ...] = field(default=(), name="transferring")
    waits_until: datetime | None = None
    """The service has asked for no requests before this time."""
    raw: dict[str, Any] = {}

    @property
    def fraction(self) -> float | None:
        """The part of the bytes that is done, from 0 to 1; None if there is no total yet."""
        return min(1.0, self.bytes / self.total_bytes) if self.total_bytes else None

    @property
    def comparing(self) -> bool:
        """Whether rclone is comparing a file, or one has just arrived and may be compared: reading
        it to its end may take long, and nothing is counted meanwhile."""
        arrived = any(file.bytes >= file.size > 0 for file in self.in_flight)
        return arrived or bool(self.raw.get("checking"))


_SUMS = tuple(
    f.name for f in msgspec.structs.fields(Progress) if f.type is int and f.name != "errors"
)


def together(before: Progress, now: Progress) -> Progress:
    """`now` with the counts of an earlier run added."""
    sums = {name: getattr(before, name) + getattr(now, name) for name in _SUMS}
    return msgspec.structs.replace(now, **sums)


class FileEvent(Event, frozen=True, gc=False, kw_only=True):
    """About a file or folder; `path` is relative to the transfer's root, in rclone's form."""

    path: str
    size: int | None = None


class Transferred(FileEvent, frozen=True, gc=False, kw_only=True):
    """A file was copied or moved, through this machine or server-side."""


class Checked(FileEvent, frozen=True, gc=False, kw_only=True):
    """A file is unchanged (only at `log_level="DEBUG"`), or the same on both sides of a check."""


class Deleted(FileEvent, frozen=True, gc=False, kw_only=True):
    """A file or folder was deleted, or moved into the backup directory."""


class Updated(FileEvent, frozen=True, gc=False, kw_only=True):
    """A change without content: a folder was created, a time set, or a file renamed."""


class Skipped(FileEvent, frozen=True, gc=False, kw_only=True):
    """An action omitted in a dry run: `action` is "copy", "move", "delete", "make directory"…"""

    action: str


class Failed(FileEvent, frozen=True, gc=False, kw_only=True):
    """One attempt at a file or folder failed; a later one may succeed."""


class Throttled(Event, frozen=True, gc=False, kw_only=True):
    """The service asked rclone to slow down, for `seconds` (None if it did not say how long)."""

    seconds: float | None = None

    @property
    def by_microsoft(self) -> bool:
        """Whether rclone's OneDrive backend wrote it, which reports every wait in these words."""
        return _OF_MICROSOFT.match(self.text) is not None


class Notice(Event, frozen=True, gc=False, kw_only=True):
    """Any other message; `about` is the object in its record, if any."""

    about: str | None = None


class PlainText(Event, frozen=True, gc=False, kw_only=True):
    """A line that is not JSON."""


class _Line(msgspec.Struct, gc=False):
    msg: str = ""
    level: str = "info"
    object: str = ""
    object_type: str = field(default="", name="objectType")
    size: int | None = None
    skipped: str = ""
    stats: dict[str, Any] | None = None


_decode = msgspec.json.Decoder(_Line).decode

_FILE_EVENTS: tuple[tuple[re.Pattern[str], type[FileEvent]], ...] = (
    (re.compile(r"(?:Multi-thread )?Copied \(|Moved \(server-side\)|Copied$|Moved$"), Transferred),
    (re.compile(r"Deleted$|Moved into backup dir|Removing directory|Removed directory"), Deleted),
    (
        re.compile(r"Updated |Set directory |Ma(?:de|king) directory|Renamed from|Fixed case"),
        Updated,
    ),
    (re.compile(r"Unchanged skipping|OK$"), Checked),
)
_TOO_MANY = re.compile("too many requests", re.IGNORECASE)
_OF_MICROSOFT = re.compile(r"Too many requests(?:\. Trying again| for Microsoft:)")
_AGAIN = re.compile(r"low level retry \d+/\d+ \(error ")
_PARTIAL = re.compile(r"\.[0-9a-f]{8}\.partial$")
"""The suffix under which rclone writes a file until it is complete."""
_OF_WHAT_IS_THERE = re.compile(r"Failed to (?!calculate dst hash|remove partially)|Couldn't ")
"""The beginning of messages about a file at the source, or one to be deleted, but not about one
being written: its real name may have that suffix, left by an rclone that was killed."""
_OF_A_CHUNK = "Failed to remove temporary chunk"
"""A message about a file that chunker could not create, which it has reported already."""
_WAIT = re.compile(r"rying again in ((?:\d+(?:\.\d+)?(?:h|ms|m|s)?)+)")
_PART = re.compile(r"([\d.]+)(h|ms|m|s)?")  # Go writes 2h0m0s
_UNIT = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "": 1.0}
_PLAIN = re.compile(r"\d{4}/\d\d/\d\d \d\d:\d\d:\d\d (?:([A-Z]+)\s*: )?(.*)", re.DOTALL)
_LEVELS = {"warning": "notice", "fatal": "critical"}


def parse(line: bytes) -> Event:
    """The event in one line of stderr."""
    try:
        record = _decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _plain(line.decode("utf-8", "replace"))
    text, level, path = record.msg, _LEVELS.get(record.level, record.level), record.object
    if record.stats is not None:
        return _progress(record.stats, text, level)
    if record.skipped:
        size, action = record.size, record.skipped
        return Skipped(text=text, level=level, path=path, size=size, action=action)
    of_a_file = not record.object_type.endswith(".Fs")
    if level == "error":
        if not path or not of_a_file or text.startswith(_OF_A_CHUNK):
            return Notice(text=text, level=level, about=path or None)
        if not _OF_WHAT_IS_THERE.match(text):
            path = _PARTIAL.sub("", path)
        return Failed(text=text, level=level, path=path, size=record.size)
    if record.object_type and of_a_file:
        for pattern, kind in _FILE_EVENTS:
            if pattern.match(text):
                return kind(text=text, level=level, path=path, size=record.size)
    if _slows_down(text):
        wait = _WAIT.search(text)
        parts = _PART.findall(wait[1]) if wait else ()
        seconds = sum(float(number) * _UNIT[unit] for number, unit in parts) if wait else None
        return Throttled(text=text, level=level, seconds=seconds)
    return Notice(text=text, level=level, about=path or None)


def _slows_down(text: str) -> bool:
    """Whether the service asked to slow down: rclone also retries after a network fault."""
    again = _AGAIN.match(text)
    if again is None:
        return _TOO_MANY.match(text) is not None
    from . import faults  # late: compiling its patterns takes 10 ms

    meaning = faults.meaning(text[again.end() :])
    return meaning is not None and meaning.kind is errors.Throttled


def _progress(stats: dict[str, Any], text: str, level: str) -> Progress:
    try:
        known = {"text": text, "level": level, "raw": stats}
        return msgspec.convert({**stats, **known}, Progress, strict=False)
    except msgspec.ValidationError:
        return Progress(text=text, level=level, raw=stats)


def _plain(line: str) -> PlainText:
    """A line that is not JSON; a line of rclone's plain log loses its date and time."""
    found = _PLAIN.match(line)
    if found is None:
        return PlainText(text=line)
    level = (found[1] or "notice").lower()
    return PlainText(text=found[2], level=_LEVELS.get(level, level))
