"""A transfer of saved remotes: the Office files of a library in a run of their own, and errors that
know a personal account."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pluton_rclone.errors import PlutonRcloneError, Who
from pluton_rclone.rclone.commands import Command
from pluton_rclone.rclone.transfer import Again, Begun, Start, Starting, Transfer

from . import office

if TYPE_CHECKING:
    from pluton_rclone.rclone.results import TransferResult


class OneDriveTransfer(Transfer):
    """As `Transfer`, with the Office files of a library in a run of their own."""

    def __init__(
        self,
        command: Command,
        starting: Starting,
        flags: Sequence[str],
        *,
        runs: office.Runs,
        notices: list[str],
        again: Again,
        begun: Begun,
        personal: bool,
        **limits: float | None,
    ) -> None:
        self._notices, self._personal = notices, personal

        def for_office_files() -> Start | None:
            assert runs.office is not None
            found = office.has_office_files(command.places[0], lambda: self._stopped is not None)
            if found:
                notices.append(office.SAID)
            # a sync deletes what only the library has, too
            return self._bound(runs.office) if found or command.words == ("sync",) else None

        then = () if runs.office is None else (for_office_files,)
        super().__init__(
            command, starting, flags, run=runs.first, then=then, again=again, begun=begun, **limits
        )

    def _settled(self) -> TransferResult:
        """With these notices."""
        result = super()._settled()
        if self._personal:
            for error in (result.error, *(file.error for file in result.failed)):
                without_administrator(error)
        return dataclasses.replace(result, notices=(*self._notices, *result.notices))


def without_administrator(problem: PlutonRcloneError | None) -> None:
    """The same for a personal account, which has none."""
    if problem is not None and problem.who is Who.ADMINISTRATOR:
        from pluton_rclone.values.refusals import ASK_THE_OWNER

        problem.who, problem.advice = Who.YOU, ASK_THE_OWNER
