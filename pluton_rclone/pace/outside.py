"""Governs an rclone that restic starts, or that runs in the foreground (mount, serve), at the pace
of its account, through the metrics socket on which it counts its requests.

The governor stops the process that listens on that socket. The code that starts the process makes
sure that it ends with its parent, even while stopped (`killed_with_parent`)."""

from __future__ import annotations

import logging
import socket
import struct
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from pluton_rclone.process import system
from pluton_rclone.process.spawning import killed_with_parent
from pluton_rclone.rclone import asked
from pluton_rclone.values import units
from pluton_rclone.values.versions import Feature

from .paced import EVENLY, is_chosen, unset

if TYPE_CHECKING:
    from pluton_rclone.saved.remote import SavedRemote

log = logging.getLogger(__name__)

Paced = tuple[dict[str, str], Callable[[], None]]
"""Variables for rclone, and a callable that lets it go, to call before rclone is to end."""


@contextmanager
def paced(saved: SavedRemote, path: Path | None, flags: Sequence[str] = ()) -> Iterator[Paced]:
    """Govern one rclone that runs within this context, with its own socket `path`. At an even pace
    if `path` is None, or if rclone cannot be stopped."""
    from .engine import governing

    govern = governing(saved.conf, [saved.name], lambda: saved.rclone.binary)
    address = None if path is None else asked.address(path)
    if govern is None or is_chosen(flags):
        yield {}, lambda: None
        return
    if (
        path is None
        or address is None
        or not killed_with_parent()
        or not Feature.METRICS.known_to(saved.rclone.binary.version)
    ):
        yield unset(EVENLY), lambda: None
        return
    governor = govern(path, _tell)
    governor.attend(_Outside(path))
    try:
        yield {asked.VARIABLE: address}, governor.let_go
    finally:
        governor.ended()


def _tell(seconds: float) -> None:
    if seconds >= units.WORTH_TELLING:
        log.warning("%s.", units.waiting(datetime.now(timezone.utc) + timedelta(seconds=seconds)))


class _Outside:
    """What a governor needs to know of an rclone that it has not started."""

    ended = False  # unknown here: the governor's `ended` is called instead

    def __init__(self, path: Path) -> None:
        self._path, self._stopped = path, 0

    @property
    def pid(self) -> int:
        """The process that listens on the socket; 0 if there is none."""
        if sys.platform != "linux":  # no SO_PEERCRED; `paced` does not get here
            return 0
        size = struct.calcsize("3i")
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.connect(str(self._path))
            found = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
            return int(struct.unpack("3i", found)[0])
        return 0

    @property
    def paused(self) -> bool:
        return self._stopped != 0

    def pause(self) -> None:
        if not self._stopped and (pid := self.pid):
            with suppress(ProcessLookupError):
                system.set_paused(pid, paused=True)
                self._stopped = pid

    def resume(self) -> None:
        pid, self._stopped = self._stopped, 0  # a signal handler may call it, too
        if pid:
            with suppress(OSError):
                system.set_paused(pid, paused=False)
