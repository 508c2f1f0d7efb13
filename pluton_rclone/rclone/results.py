"""What a run of rclone came to: counts, bytes, and every file that failed, once, with its cause."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from pluton_rclone.errors import Corrupted, PlutonRcloneError, TransferFailed


@dataclass(frozen=True)
class FailedFile:
    """A file or folder that did not make it; `path` is relative to the root of the run, in rclone's form."""

    path: str
    error: PlutonRcloneError
    retry_helps: bool

    def record(self) -> dict[str, Any]:
        """As a JSON object: the error's members, `path` and `retry_helps`."""
        return {"path": self.path, "retry_helps": self.retry_helps, **self.error.record()}


@dataclass(frozen=True)
class Planned:
    """What a dry run did not do: `action` is "copy", "move", "delete", "make directory" and so on."""

    action: str
    path: str
    size: int | None


@dataclass(frozen=True)
class TransferResult:
    """How a transfer ended. Counts are rclone's own; after a cancel they are those of the last report.

    `duration` in seconds. `ended` says how: "done", "failed", "cancelled", "stalled" or "timed out".
    """

    ended: str
    exit_code: int
    bytes: int
    transfers: int
    checks: int
    deletes: int
    renames: int
    server_side_copies: int
    server_side_moves: int
    duration: float
    failed: tuple[FailedFile, ...] = ()
    planned: tuple[Planned, ...] = ()
    error: PlutonRcloneError | None = None
    notices: tuple[str, ...] = ()
    """What a person should know about the way that it was done, a sentence each."""

    @property
    def ok(self) -> bool:
        """Whether nothing failed and nobody ended it early."""
        return self.error is None

    @property
    def retry_helps(self) -> bool:
        """Whether the same run can come further: true unless every cause needs a change first."""
        if self.error is None:
            return False
        if self.failed:
            return any(file.retry_helps for file in self.failed)
        return bool(self.error.details.get("retry", True))

    def record(self) -> dict[str, Any]:
        """As a JSON object."""
        return {
            "ended": self.ended,
            "exit_code": self.exit_code,
            **{name: getattr(self, name) for name in COUNTS},
            "duration": round(self.duration, 3),
            "failed": [file.record() for file in self.failed],
            "planned": [{"action": p.action, "path": p.path, "size": p.size} for p in self.planned],
            "retry_helps": self.retry_helps,
            "error": None if self.error is None else self.error.record(),
            "notices": list(self.notices),
        }


COUNTS = tuple(
    field.name for field in fields(TransferResult) if field.type == "int" and field.name != "exit_code"
)
"""What is counted of a transfer: in its JSON and in the schema of that, too."""


@dataclass(frozen=True)
class About:
    """The room on a remote, in bytes; None where the remote does not say (which does not mean that it is
    full)."""

    total: int | None = None
    used: int | None = None
    free: int | None = None
    trashed: int | None = None


@dataclass(frozen=True)
class Total:
    """How much there is: files, bytes, and files of unknown size, which are not in the bytes."""

    count: int
    bytes: int
    sizeless: int = 0


@dataclass(frozen=True)
class CheckResult:
    """A comparison. Paths in rclone's form."""

    matching: int
    differing: tuple[str, ...] = ()
    missing_on_source: tuple[str, ...] = ()
    missing_on_destination: tuple[str, ...] = ()
    failed: tuple[FailedFile, ...] = ()

    @property
    def same(self) -> bool:
        """Whether both sides hold the same files, and every one could be compared."""
        return not (self.differing or self.missing_on_source or self.missing_on_destination or self.failed)

    def record(self) -> dict[str, Any]:
        """As a JSON object."""
        return {
            "same": self.same,
            "matching": self.matching,
            "differing": list(self.differing),
            "missing_on_source": list(self.missing_on_source),
            "missing_on_destination": list(self.missing_on_destination),
            "failed": [file.record() for file in self.failed],
        }


def transfer_failed(command: str, failed: tuple[FailedFile, ...], **details: Any) -> TransferFailed:
    """The exception for a run in which files failed: with the advice of their cause, if they have one in
    common."""
    first = failed[0].error
    kinds = {type(file.error) for file in failed}
    kind = Corrupted if kinds == {Corrupted} else TransferFailed
    shared = len(kinds) == 1
    count = "1 file was" if len(failed) == 1 else f"{len(failed)} files were"
    done = {"delete": "deleted", "move": "moved", "moveto": "moved", "check": "checked"}.get(
        command, "transferred"
    )
    return kind(
        f"{count} not {done}.",
        why=f"{failed[0].path}: {first.why or first.what}" + ("" if len(failed) == 1 else ", and more"),
        who=first.who if shared else None,
        advice=first.advice if shared else None,
        next_step=first.next_step if shared else None,
        failed=len(failed),
        causes=sorted(kind.code for kind in kinds),
        command=command,
        **details,
    )
