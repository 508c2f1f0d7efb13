"""The engine of this interface: a sync into OneDrive, or a move from it, spares the targets of
shortcuts."""

from __future__ import annotations

from functools import partial

from pluton_rclone.conf.conf import Conf
from pluton_rclone.rclone.commands import Command, progress_flags
from pluton_rclone.rclone.engine import Rclone
from pluton_rclone.rclone.runner import nothing
from pluton_rclone.rclone.transfer import Transfer
from pluton_rclone.saved.shortcuts import Shortcuts
from pluton_rclone.saved.wrapping import spots

_EVERY = 0.1
"""Seconds between two progress reports, as in rclone-python."""


class Sparing(Rclone):
    """An `Rclone` with the method `spared`."""

    def spared(self, command: Command, conf: Conf) -> Transfer:
        """Start a transfer between remotes of `conf`. TransferFailed at its end if it would delete
        or move the target of a shortcut; UsageError as in `Shortcuts`."""
        if not any(spots(conf, place) for place in command.places):
            return self.transfer(command, every=_EVERY)
        shortcuts = Shortcuts(self, conf, self.transfer)
        command = shortcuts.looking(command)
        time, stall = self.limits
        return Transfer(
            command,
            self._starting(),
            progress_flags("NOTICE", _EVERY),
            deleting=partial(shortcuts.require_none, command, nothing),
            by_file=shortcuts.moves_by_file(command),
            time_limit=time,
            stall_limit=stall,
        )
