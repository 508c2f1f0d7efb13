"""One line of rclone's JSON log (`--use-json-log`) becomes one typed event.

Source of the fields: rclone's documentation ("--use-json-log") and captures of 1.75.2 and 1.60.1.
What is not JSON is kept as `PlainText`: usage errors, and in 1.60.1 the last lines. A message is
matched only if no field says the same; `source` (Go file and line) never is. Sizes are in bytes,
times in seconds, speeds in bytes per second.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

import msgspec
from msgspec import field

from pluton_rclone import errors


class Event(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """`text` is rclone's message, which may hold secrets (`values.redaction`)."""

    text: str
    level: str = "info"


class InFlight(msgspec.Struct, frozen=True, gc=False):
    """A file that is being transferred. `size` is -1, `eta` None if it is unknown."""

    name: str = ""
    bytes: int = 0
    size: int = -1
    speed: float = 0.0
    eta: float | None = None
    percentage: int = 0


class Progress(Event, frozen=True, gc=False, kw_only=True, rename="camel"):
    """How far a transfer is. `total_bytes` grows while rclone lists: a percentage can fall."""

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
    """The service wants nothing to be asked before."""
    raw: dict[str, Any] = {}

    @property
    def fraction(self) -> float | None:
        """The part that is done, by bytes, from 0 to 1; None if there is no total yet."""
        return min(1.0, self.bytes / self.total_bytes) if self.total_bytes else None

    @property
    def comparing(self) -> bool:
        """Whether a file is being compared, or one that has arrived: it may be read for that, to
        its end, and nothing is counted meanwhile."""
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
    """Copied or moved, through this machine or server-side."""


class Checked(FileEvent, frozen=True, gc=False, kw_only=True):
    """The same at the destination already (only at `log_level="DEBUG"`), or the same for check."""


class Deleted(FileEvent, frozen=True, gc=False, kw_only=True):
    """A file or folder was deleted, or moved into the backup directory."""


class Updated(FileEvent, frozen=True, gc=False, kw_only=True):
    """Changed without a transfer of content: a folder made, a time set, a file renamed."""


class Skipped(FileEvent, frozen=True, gc=False, kw_only=True):
    """Not done in a dry run; `action` is "copy", "move", "delete", "make directory"…"""

    action: str


class Failed(FileEvent, frozen=True, gc=False, kw_only=True):
    """One try for a file or folder failed; a later one may succeed."""


class Throttled(Event, frozen=True, gc=False, kw_only=True):
    """The service asks rclone to slow down, for so many `seconds`, if it says how long."""

    seconds: float | None = None

    @property
    def by_microsoft(self) -> bool:
        """Whether rclone's OneDrive says so, which it does of each wait, and no other remote."""
        return _OF_MICROSOFT.match(self.text) is not None


class Notice(Event, frozen=True, gc=False, kw_only=True):
    """Any other message; `about` is the object that it names, if any."""

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
"""The end of the name under which rclone writes a file until it is complete."""
_OF_WHAT_IS_THERE = re.compile(r"Failed to (?!calculate dst hash|remove partially)|Couldn't ")
"""How rclone begins what it says of a file at the source, or of one to be deleted, and not of one
in the making: its name may have that end by itself, left by an rclone that was killed."""
_OF_A_CHUNK = "Failed to remove temporary chunk"
"""Of a file that a chunker could not make, and has said so."""
_WAIT = re.compile(r"rying again in ((?:\d+(?:\.\d+)?(?:h|ms|m|s)?)+)")
_PART = re.compile(r"([\d.]+)(h|ms|m|s)?")  # Go writes 2h0m0s
_UNIT = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "": 1.0}
_PLAIN = re.compile(r"\d{4}/\d\d/\d\d \d\d:\d\d:\d\d (?:([A-Z]+)\s*: )?(.*)", re.DOTALL)
_LEVELS = {"warning": "notice", "fatal": "critical"}


def parse(line: bytes) -> Event:
    """The event in one line of stderr. A line that is not JSON is `PlainText`."""
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
    """Whether the service asks for it: rclone also repeats after a fault of the network."""
    again = _AGAIN.match(text)
    if again is None:
        return _TOO_MANY.match(text) is not None
    from . import faults  # its patterns take 10 ms

    meaning = faults.meaning(text[again.end() :])
    return meaning is not None and meaning.kind is errors.Throttled


def _progress(stats: dict[str, Any], text: str, level: str) -> Progress:
    try:
        known = {"text": text, "level": level, "raw": stats}
        return msgspec.convert({**stats, **known}, Progress, strict=False)
    except msgspec.ValidationError:
        return Progress(text=text, level=level, raw=stats)


def _plain(line: str) -> PlainText:
    """A line that is not JSON; of rclone's plain log line without date and time."""
    found = _PLAIN.match(line)
    if found is None:
        return PlainText(text=line)
    level = (found[1] or "notice").lower()
    return PlainText(text=found[2], level=_LEVELS.get(level, level))
