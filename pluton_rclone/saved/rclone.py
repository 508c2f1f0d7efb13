"""The engine for saved remotes: a private rclone.conf for each run, and transfers as OneDrive needs
them."""

from __future__ import annotations

from collections.abc import Sequence

from pluton_rclone.conf.conf import Conf
from pluton_rclone.rclone.commands import Command, progress_flags
from pluton_rclone.rclone.engine import LogLevel, Rclone
from pluton_rclone.rclone.runner import Runner
from pluton_rclone.rclone.transfer import Transfer

from . import office
from .counted import Counted
from .lent import Lent
from .onedrive_transfer import OneDriveTransfer
from .wrapping import below


class SavedRclone(Rclone):
    """As `Rclone`, for remotes of one rclone.conf: every run has a private copy of just these,
    merged back when it ends.
    """

    def __init__(self, runner: Runner, conf: Conf, names: Sequence[str]) -> None:
        self._counted = Counted(Lent(runner, conf, names))
        super().__init__(runner=self._counted)
        self._conf = conf
        self._names = tuple(names)

    @property
    def throttled(self) -> int:
        """How often Microsoft asked any of its runs to slow down, as far as they log it
        (`log_level`)."""
        return self._counted.throttled

    def transfer(
        self, command: Command, *, level: LogLevel = "DEBUG", every: float = 0.5
    ) -> Transfer:
        """At DEBUG: only there does rclone say that Microsoft asked it to wait, and for how long
        (`events.Throttled`).
        """
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
