"""Upload sessions: a file that arrives in fragments, one after the other.

Rules (driveitem-createuploadsession.md, limits.json): every fragment but the last is a multiple of
320 KiB, less than 60 MiB, and starts where the one before it ended; a fragment that has already
arrived gets 416; the session is gone (404) once it is finished, cancelled, lost or too old.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple

from pluton_rclone.emulator.faults import GraphFault

from . import refusals
from .drive import MAX_FILE, Drive
from .item import Actor, Item
from .storing import Sink

FRAGMENT_MULTIPLE = 320 * 1024
FRAGMENT_LIMIT = 60 * 1024 * 1024
LIFETIME = 24 * 3600.0  # seconds after the last fragment; no length is documented

_CONTENT_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+)$")


class Owner(NamedTuple):
    """The party that opened a session and is charged for its fragments."""

    user: str  # "" for app-only
    app: str
    tenant: str


@dataclass(frozen=True)
class Intent:
    """What the client wants the bytes to become."""

    drive: Drive
    parent: Item
    name: str
    conflict: str  # replace, fail, rename
    created: int | None  # milliseconds since 1970
    modified: int | None
    description: str | None
    author: Actor

    @property
    def path(self) -> str:
        """The path of the file from the drive's root."""
        return f"{self.parent.path()}/{self.name}".lstrip("/")

    def store(self, sink: Sink) -> tuple[Item, bool]:
        """Store the file. Returns the item and whether it is new."""
        content = sink.finish()
        drive = self.drive
        with drive.lock:
            if self.parent.deleted:
                raise refusals.not_found()
            item, new = drive.put(
                self.parent, self.name, content, conflict=self.conflict, author=self.author
            )
            if self.created is not None:
                item.client_created = self.created
            if self.modified is not None:
                item.client_modified = self.modified
            if self.description is not None:
                item.rarities.description = self.description
        return item, new


class OpenUpload(NamedTuple):
    """An open upload session, as tests see it. It holds quota until Microsoft ends it."""

    drive: Drive
    path: str  # from the drive's root
    received: int  # bytes that have arrived
    total: int | None  # bytes of the file; None before the first fragment


class UploadSession:
    """One upload in progress."""

    def __init__(self, intent: Intent, sink: Sink, now: float) -> None:
        self.intent = intent
        self.position = 0  # the next byte that is expected
        self.total: int | None = None  # known from the first fragment on
        self.fragments = 0
        self.expires = now + LIFETIME
        self.lost = False
        self.lost_after: int | None = None  # a fault: lost after this many fragments
        self.owner = Owner("", "", "")
        self._sink = sink
        self._busy = False
        self._end = 0

    @property
    def next_ranges(self) -> list[str]:
        return [f"{self.position}-"]

    def begin(self, content_range: str, content_length: int | None, now: float) -> None:
        """Begin a fragment. Raises the refusal of an invalid one before its bytes are read."""
        match = _CONTENT_RANGE.match(content_range)
        if match is None:
            raise refusals.invalid_request("The Content-Range header is missing or malformed.")
        first, last, total = map(int, match.groups())
        length = last - first + 1
        if length <= 0 or last >= total:
            raise refusals.invalid_request("The Content-Range header is not a valid range.")
        if content_length is not None and content_length != length:
            raise refusals.invalid_request(
                "The Content-Range header does not match the length of the fragment.",
                "fragmentLengthMismatch",
            )
        if self.total not in (None, total):
            raise refusals.invalid_request(
                "The total length differs from that of the fragments before."
            )
        if length >= FRAGMENT_LIMIT:
            raise refusals.fragment_too_large()
        if total > MAX_FILE and self.intent.drive.enforce_limits:
            raise refusals.file_too_large()
        if self._busy:
            raise refusals.locked()
        if first < self.position:
            raise refusals.invalid_range(
                "Uploaded fragment overlaps with existing data.", "fragmentOverlap"
            )
        if first > self.position:
            raise refusals.invalid_range("Uploaded fragment leaves a gap.", "fragmentOutOfOrder")
        if last + 1 < total and length % FRAGMENT_MULTIPLE:
            raise refusals.invalid_request(
                f"The length of a fragment must be a multiple of {FRAGMENT_MULTIPLE} bytes.",
                "fragmentLengthMismatch",
            )
        if last + 1 > self.intent.drive.remaining:
            raise refusals.upload_quota_reached()
        self.total = total
        self._end = last + 1
        self._busy = True
        self.expires = now + LIFETIME

    def feed(self, data: bytes) -> None:
        """Take bytes of the fragment."""
        if not self.lost:  # cancelled in mid-fragment, as by an interrupted rclone
            self._sink.write(data)

    def end(self) -> tuple[Item, bool] | None:
        """End a fragment. Returns the item and whether it is new after the last one, otherwise
        None."""
        self._busy = False
        if self.lost:
            raise refusals.session_not_found()
        if self._sink.size != self._end:
            self.abort()
            raise refusals.invalid_request(
                "The fragment was shorter or longer than announced.", "fragmentLengthMismatch"
            )
        self._sink.mark()
        self.position = self._end
        self.fragments += 1
        if self.position != self.total:
            return None
        self.lost = True
        try:
            return self.intent.store(self._sink)
        except GraphFault as fault:
            if fault.code == "nameAlreadyExists":
                raise refusals.upload_name_exists() from None
            raise

    def abort(self) -> None:
        """Undo a fragment whose connection broke."""
        self._busy = False
        if not self.lost:
            self._sink.roll_back()

    def cancel(self) -> None:
        """End the session at the client's request."""
        self.lost = True
        self._sink.discard()
