"""A transfer to OneDrive: the Office files of a library in a run of their own, and what a person
should know of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from pluton_rclone.rclone.commands import Command
from pluton_rclone.rclone.results import TransferResult
from pluton_rclone.rclone.transfer import Start, Starting, Transfer

from .office import SAID, Runs, has_office_files


class OneDriveTransfer(Transfer):
    """As `Transfer`, in the `runs` of office.py."""

    def __init__(
        self,
        command: Command,
        starting: Starting,
        flags: Sequence[str],
        *,
        runs: Runs,
        notices: list[str],
        **limits: float | None,
    ) -> None:
        self._notices = notices

        def for_office_files() -> Start | None:
            assert runs.office is not None
            found = has_office_files(command.places[0], lambda: self._stopped is not None)
            if found:
                notices.append(SAID)
            # a sync deletes what only the library has, too
            return self._bound(runs.office) if found or command.words == ("sync",) else None

        then = () if runs.office is None else (for_office_files,)
        super().__init__(command, starting, flags, run=runs.first, then=then, **limits)

    def wait(self, timeout: float | None = None) -> TransferResult:
        """As `Transfer.wait`, with these notices."""
        result = super().wait(timeout)
        return dataclasses.replace(result, notices=(*self._notices, *result.notices))
