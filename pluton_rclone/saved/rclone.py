"""The engine for saved remotes: a private rclone.conf per run, transfers as OneDrive needs."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from pluton_rclone.conf.conf import Conf
from pluton_rclone.rclone.commands import Command, progress_flags
from pluton_rclone.rclone.engine import LogLevel, Rclone
from pluton_rclone.rclone.results import TransferResult
from pluton_rclone.rclone.runner import Runner
from pluton_rclone.rclone.transfer import Start, Starting, Transfer

from . import office
from .counted import Counted
from .lent import Lent
from .wrapping import below


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
        **limits: float | None,
    ) -> None:
        self._notices = notices

        def for_office_files() -> Start | None:
            assert runs.office is not None
            found = office.has_office_files(command.places[0], lambda: self._stopped is not None)
            if found:
                notices.append(office.SAID)
            # a sync deletes what only the library has, too
            return self._bound(runs.office) if found or command.words == ("sync",) else None

        then = () if runs.office is None else (for_office_files,)
        super().__init__(command, starting, flags, run=runs.first, then=then, **limits)

    def wait(self, timeout: float | None = None) -> TransferResult:
        """As `Transfer.wait`, with these notices."""
        result = super().wait(timeout)
        return dataclasses.replace(result, notices=(*self._notices, *result.notices))


class SavedRclone(Rclone):
    """As `Rclone`; every run has a private copy of these remotes, merged back at its end."""

    def __init__(self, runner: Runner, conf: Conf, names: Sequence[str]) -> None:
        self._counted = Counted(Lent(runner, conf, names))
        super().__init__(runner=self._counted)
        self._conf = conf
        self._names = tuple(names)

    @property
    def throttled(self) -> int:
        """How often Microsoft asked its runs to slow down, as far as they log it (`log_level`)."""
        return self._counted.throttled

    def transfer(
        self, command: Command, *, level: LogLevel = "DEBUG", every: float = 0.5
    ) -> Transfer:
        """At DEBUG: only there rclone says that Microsoft asked it to wait (`events.Throttled`)."""
        notices: list[str] = []

        def notice(text: str) -> None:
            if text not in notices:  # each of several runs may say so
                notices.append(text)

        section = destination(command, self._conf, self._names) or {}
        into_a_library = section.get("drive_type") == "documentLibrary"
        runs = office.runs(command) if into_a_library else office.Runs(command)
        if runs.ignoring:
            notice(office.SAID)
        return OneDriveTransfer(
            command,
            self._starting(notice),
            progress_flags(level, every),
            runs=runs,
            notices=notices,
            time_limit=self.limits.time,
            stall_limit=self.limits.stall,
        )


def destination(command: Command, conf: Conf, names: Sequence[str]) -> dict[str, str] | None:
    """The section of the OneDrive that a command writes to, also through a remote that wraps it; None
    for a place that is in none of these."""
    name, colon, _ = command.places[-1].partition(":") if command.places else ("", "", "")
    if not colon or name not in names:
        return None
    return conf.whole_section(next(iter(below(conf, name)), name))
