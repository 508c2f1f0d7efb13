"""One line of rclone's JSON log (`--use-json-log`) becomes one typed event.

Source of the fields: rclone's documentation ("--use-json-log") and captures of 1.75.2 and 1.60.1.
What is not JSON is kept as `PlainText`: usage errors always, and in 1.60.1 the closing lines. A
message is matched only where no field says the same; `source` (Go file and line) never is. Sizes
are bytes, times seconds, speeds bytes per second.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec


class Event(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What every event has: `text` is rclone's message, not yet cleaned of secrets (see
    `faults.redact`)."""

    text: str
    level: str = "info"


class InFlight(msgspec.Struct, frozen=True, gc=False):
    """A file that is being transferred. `size` is -1 and `eta` None while unknown."""

    name: str = ""
    bytes: int = 0
    size: int = -1
    speed: float = 0.0
    eta: float | None = None
    percentage: int = 0


def _in_log(name: str) -> str:
    """rclone's name of a count."""
    return {"elapsed": "elapsedTime", "in_flight": "transferring"}.get(name) or re.sub(
        "_(.)", lambda found: found[1].upper(), name
    )


class Progress(Event, frozen=True, gc=False, kw_only=True, rename=_in_log):
    """How far a transfer is. `total_bytes` grows while rclone still lists, so a percentage can
    fall."""

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
    elapsed: float = 0.0
    last_error: str = ""
    in_flight: tuple[InFlight, ...] = ()
    raw: dict[str, Any] = {}

    @property
    def fraction(self) -> float | None:
        """Done, from 0 to 1, by bytes; None as long as there is nothing to compare with."""
        return min(1.0, self.bytes / self.total_bytes) if self.total_bytes else None


_SUMS = tuple(
    f.name for f in msgspec.structs.fields(Progress) if f.type is int and f.name != "errors"
)


def together(before: Progress, now: Progress) -> Progress:
    """The counts of an earlier run and of this one; what is in flight, and how fast, is this
    one's."""
    return msgspec.structs.replace(
        now, **{name: getattr(before, name) + getattr(now, name) for name in _SUMS}
    )


class FileEvent(Event, frozen=True, gc=False, kw_only=True):
    """About one file or directory; `path` is relative to the root of the transfer, in rclone's
    form."""

    path: str
    size: int | None = None


class Transferred(FileEvent, frozen=True, gc=False, kw_only=True):
    """Copied or moved, through this machine or server-side."""


class Checked(FileEvent, frozen=True, gc=False, kw_only=True):
    """Already the same at the destination (seen with `log_level="DEBUG"` only), or found the same
    by check."""


class Deleted(FileEvent, frozen=True, gc=False, kw_only=True):
    """Deleted, or moved into the backup directory; directories included."""


class Updated(FileEvent, frozen=True, gc=False, kw_only=True):
    """Made or changed without moving content: a directory made, a time set, a file renamed."""


class Skipped(FileEvent, frozen=True, gc=False, kw_only=True):
    """Not done because of a dry run; `action` says what: "copy", "move", "delete", "make
    directory"…"""

    action: str


class Failed(FileEvent, frozen=True, gc=False, kw_only=True):
    """One try of one file or directory failed; a later try may still succeed."""


class Throttled(Event, frozen=True, gc=False, kw_only=True):
    """The service asks to slow down; `seconds` is the wait that it named, if it named one."""

    seconds: float | None = None


class Notice(Event, frozen=True, gc=False, kw_only=True):
    """Anything else that rclone says; `about` is the object that it speaks of, if any."""

    about: str | None = None


class PlainText(Event, frozen=True, gc=False, kw_only=True):
    """A line that is not JSON."""


# ---- the line as rclone writes it ----------------------------------------------------------------


class _Line(msgspec.Struct, gc=False):
    msg: str = ""
    level: str = "info"
    object: str = ""
    object_type: str = msgspec.field(default="", name="objectType")
    size: int | None = None
    skipped: str = ""
    stats: dict[str, Any] | None = None


_decode = msgspec.json.Decoder(_Line).decode

_FILE_EVENTS: tuple[tuple[re.Pattern[str], type[FileEvent]], ...] = (
    (re.compile(r"(?:Multi-thread )?Copied \(|Moved \(server-side\)|Copied$|Moved$"), Transferred),
    (re.compile(r"Deleted$|Moved into backup dir|Removing directory|Removed directory"), Deleted),
    (
        re.compile(
            r"Updated |Set directory |Made directory|Making directory|Renamed from|Fixed case"
        ),
        Updated,
    ),
    (re.compile(r"Unchanged skipping|OK$"), Checked),
)
_THROTTLED = re.compile(
    r"(?i)(?!failed to ).*(too ?many ?requests|activityLimitReached|throttled|rate limited, inc|error 429)",
    re.DOTALL,
)
_PARTIAL = re.compile(
    r"\.[0-9a-f]{8}\.partial$"
)  # the name under which rclone writes a file until it is whole
_SECONDS = re.compile(r"(?:rying again in |sleep to )(\d+(?:\.\d+)?)(ms|s|m)?")
_UNIT = {"ms": 0.001, "s": 1.0, "m": 60.0, "": 1.0}
_PLAIN = re.compile(r"\d{4}/\d\d/\d\d \d\d:\d\d:\d\d (?:([A-Z]+)\s*: )?(.*)", re.DOTALL)
_LEVELS = {"warning": "notice", "fatal": "critical"}


def parse(line: bytes) -> Event:
    """The event in one line of stderr. Never fails: what cannot be read is `PlainText`."""
    try:
        record = _decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _plain(line.decode("utf-8", "replace"))
    level = _LEVELS.get(record.level, record.level)
    if record.stats is not None:
        return progress(record.stats, record.msg, level)
    if record.skipped:
        return Skipped(
            text=record.msg,
            level=level,
            path=record.object,
            size=record.size,
            action=record.skipped,
        )
    if record.object_type and level != "error" and not record.object_type.endswith(".Fs"):
        for pattern, kind in _FILE_EVENTS:
            if pattern.match(record.msg):
                return kind(text=record.msg, level=level, path=record.object, size=record.size)
    if _THROTTLED.match(record.msg) and level != "error":
        return Throttled(text=record.msg, level=level, seconds=_seconds(record.msg))
    if level == "error" and record.object and not record.object_type.endswith(".Fs"):
        path = _PARTIAL.sub("", record.object)
        return Failed(text=record.msg, level=level, path=path, size=record.size)
    return Notice(text=record.msg, level=level, about=record.object or None)


def progress(stats: dict[str, Any], text: str = "", level: str = "info") -> Progress:
    """From the `stats` of a log line, or the answer of core/stats."""
    known = {"text": text, "level": level, "raw": stats}
    try:
        return msgspec.convert({**stats, **known}, Progress, strict=False)
    except msgspec.ValidationError:
        return Progress(text=text, level=level, raw=stats)


def _seconds(text: str) -> float | None:
    found = _SECONDS.search(text)
    return float(found[1]) * _UNIT[found[2] or ""] if found else None


def _plain(line: str) -> PlainText:
    """rclone's plain log line, if it is one: the level is kept, date and time are not."""
    found = _PLAIN.match(line)
    if found is None:
        return PlainText(text=line)
    level = (found[1] or "notice").lower()
    return PlainText(text=found[2], level=_LEVELS.get(level, level))
