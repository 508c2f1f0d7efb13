"""The results of runs: counts, bytes, and each failed file once, with its cause."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any

from pluton_rclone.errors import (
    Cancelled,
    Corrupted,
    LimitReached,
    PlutonRcloneError,
    TransferFailed,
)


@dataclass(frozen=True)
class FailedFile:
    """A file or folder that failed; `path` is relative to the root of the run, in rclone's form."""

    path: str
    error: PlutonRcloneError
    retry_helps: bool
    is_dir: bool = False
    """Whether it is a folder, with everything in it."""
    deleting: bool = False
    """Whether it was to be deleted, and still exists."""

    def record(self) -> dict[str, Any]:
        """The failure as a JSON object: the error's members, `path` and `retry_helps`."""
        return {"path": self.path, "retry_helps": self.retry_helps, **self.error.record()}


@dataclass(frozen=True)
class LeftOut:
    """A file or folder that rclone left out, but that is not missing at the destination."""

    path: str
    why: str


@dataclass(frozen=True)
class Planned:
    """An action that a dry run omitted: `action` is "copy", "move", "delete", "make directory"…"""

    action: str
    path: str
    size: int | None


@dataclass(frozen=True)
class TransferResult:
    """The result of a transfer. Counts are rclone's; after a cancel, those of its last report.

    `ended` is "done", "failed", "cancelled", "stalled" or "timed out". `checks` counts files that
    were compared or considered for deletion; `unchanged` those that were identical (known only at
    `log_level="DEBUG"`); `folders` those that the service moved or deleted as a whole, whose files
    are not counted. `failed` are missing at the destination or were not deleted; `left_out` are
    not missing. `duration` is in seconds.
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
    """Remarks on the run, as sentences for users."""
    left_out: tuple[LeftOut, ...] = ()
    kept: int = 0
    """Files that were moved to the backup directory, or renamed with the suffix, instead of being
    overwritten or deleted."""
    unchanged: int = 0
    folders: int = 0

    @property
    def ok(self) -> bool:
        """Whether nothing failed and the run was not ended early."""
        return self.error is None

    @property
    def retry_helps(self) -> bool:
        """Whether the same run may achieve more, because not every cause needs a change first."""
        if self.error is None:
            return False
        if self.failed:
            return any(file.retry_helps for file in self.failed)
        return bool(self.error.details.get("retry", True))

    def record(self) -> dict[str, Any]:
        """The result as a JSON object."""
        return {**_plain(self), "retry_helps": self.retry_helps}


@dataclass(frozen=True)
class About:
    """The quota of a remote, in bytes; None if the remote does not report it."""

    total: int | None = None
    used: int | None = None
    free: int | None = None
    trashed: int | None = None


@dataclass(frozen=True)
class Total:
    """The number of files, their total size, and the number of files of unknown size."""

    count: int
    bytes: int
    sizeless: int = 0


@dataclass(frozen=True)
class CheckResult:
    """The result of a comparison. Paths are in rclone's form."""

    matching: int
    differing: tuple[str, ...] = ()
    missing_on_source: tuple[str, ...] = ()
    missing_on_destination: tuple[str, ...] = ()
    failed: tuple[FailedFile, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    by_size: int = 0
    """Files compared only by size, because the two sides share no hash type (crypt, S3…)."""
    notices: tuple[str, ...] = ()

    @property
    def same(self) -> bool:
        """Whether both sides hold the same files, and all could be compared."""
        missing = self.missing_on_source or self.missing_on_destination
        return not (self.differing or missing or self.failed)

    @property
    def differences(self) -> tuple[FailedFile, ...]:
        """Every path that differs between both sides, with the reason."""
        kinds = {
            "differs": self.differing,
            "is missing at the source": self.missing_on_source,
            "is missing at the destination": self.missing_on_destination,
        }
        again = "Copy again, then check again."
        found = [
            FailedFile(path, Corrupted(f"{path} {what}.", advice=again), retry_helps=True)
            for what, paths in kinds.items()
            for path in paths
        ]
        return (*found, *self.failed)

    def record(self) -> dict[str, Any]:
        """The result as a JSON object."""
        return {"same": self.same, **_plain(self)}


def _plain(result: TransferResult | CheckResult) -> dict[str, Any]:
    return {field.name: _for_json(getattr(result, field.name)) for field in fields(result)}


def _for_json(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_for_json(one) for one in value]
    if isinstance(value, FailedFile | PlutonRcloneError):
        return value.record()
    if isinstance(value, LeftOut | Planned):
        return asdict(value)
    return round(value, 3) if isinstance(value, float) else value


DONE = {
    **dict.fromkeys(("delete", "deletefile", "purge"), "deleted"),
    **dict.fromkeys(("move", "moveto"), "moved"),
    "check": "checked",
}
"""What a command does with files, unless it transfers them."""


def transfer_failed(
    command: str, failed: tuple[FailedFile, ...], *, early: bool = False, **details: Any
) -> TransferFailed:
    """The exception for a run with failed files, with their advice if all have the same cause.
    `early`: the run ended before it had tried everything."""
    # a fault that ends the run, such as a full drive, cancels everything else in progress
    causes = [file for file in failed if not isinstance(file.error, Cancelled)] or failed
    first = causes[0].error
    kinds = {type(file.error) for file in causes}
    shared, limit = len(kinds) == 1, kinds == {LimitReached}
    own = (LimitReached, Corrupted)
    kind: type[TransferFailed] = next((one for one in own if kinds == {one}), TransferFailed)
    others = [file for file in failed if not file.deleting]
    deleting = [file for file in failed if file.deleting]
    told = [f"{_counted(others)} not {DONE.get(command, 'transferred')}"] if others else []
    told += [f"{_counted(deleting)} not deleted"] if deleting else []
    why = f"{causes[0].path}: {first.why or first.what}" + (", and more" if failed[1:] else "")
    return kind(
        f"{', '.join(told)}{'; it ended before everything was tried' if early else ''}.",
        why="the limit for this run was reached" if limit else why,
        who=first.who if shared else None,
        advice=first.advice if shared else None,
        next_step=first.next_step if shared else None,
        failed=len(failed),
        causes=sorted(kind.code for kind in kinds),
        command=command,
        **details,
    )


def _counted(files: list[FailedFile]) -> str:
    folders = sum(file.is_dir for file in files)
    if len(files) == 1:
        return f"1 {'folder' if folders else 'file'} was"
    noun = "files" if not folders else "folders" if folders == len(files) else "files and folders"
    return f"{len(files)} {noun} were"
