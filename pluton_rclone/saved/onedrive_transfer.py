"""A transfer to OneDrive: what rclone leaves out without calling it a failure counts as one in the result."""

from __future__ import annotations

import dataclasses

from pluton_rclone.errors import NameRefused
from pluton_rclone.rclone import events
from pluton_rclone.rclone.results import FailedFile, TransferResult, transfer_failed
from pluton_rclone.rclone.transfer import Start, Transfer

from .office import SAID, has_office_files

# OneDrive's names ignore case: of two files whose names differ by case only rclone takes one, says this as a notice and
# exits with 0 (tried with 1.75.2). A backup that lacks a file must not look complete.
_LEFT_OUT = b"Duplicate object found in source - ignoring"


class OneDriveTransfer(Transfer):
    """As `Transfer`; `office` is a run of its own for the Office files in the folder `source` (see office.py)."""

    def __init__(
        self,
        command: str,
        start: Start,
        *,
        office: Start | None,
        source: str,
        notices: list[str],
        **limits: float | None,
    ) -> None:
        self._left_out: dict[str, FailedFile] = {}
        self._notices = notices

        def for_office_files() -> Start | None:
            if has_office_files(source, lambda: self._stopped is not None):
                notices.append(SAID)
                return office
            return office if command == "sync" else None  # what only the library has goes, too

        super().__init__(command, start, then=() if office is None else (for_office_files,), **limits)

    def wait(self, timeout: float | None = None) -> TransferResult:
        """As `Transfer.wait`, with the files that were left out among the failed ones."""
        result = super().wait(timeout)
        result = dataclasses.replace(result, notices=(*self._notices, *result.notices))
        if not self._left_out:
            return result
        failed = (*result.failed, *self._left_out.values())
        ended = "failed" if result.ended == "done" else result.ended
        error = result.error or transfer_failed(self.command, failed)
        return dataclasses.replace(result, failed=failed, error=error, ended=ended)

    def _line(self, line: bytes) -> None:
        if _LEFT_OUT in line:
            event = events.parse(line)
            path = event.about if isinstance(event, events.Notice) else None
            error = NameRefused(
                f"{path} was left out: another file's name differs from it by upper and lower case only.",
                why="OneDrive does not tell the two apart; one of them was transferred, none was overwritten",
                advice="Rename one of the two; `pluton-rclone preflight` lists such names before a byte is sent.",
                path=path,
            )
            self._left_out[path or ""] = FailedFile(path or "", error, retry_helps=False)
        super()._line(line)
