"""An rclone that restic starts, or that stands in our place (mount, serve), at the pace of its
account: governed as every other one, through the socket on which it counts.

The process that listens there is the one to be stopped. Whoever starts it sees to it that it ends
with its parent, also while it stands still (`killed_with_parent`).
"""

from __future__ import annotations

import logging
import socket
import struct
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from pluton_rclone.process import system
from pluton_rclone.process.spawning import killed_with_parent
from pluton_rclone.rclone import asked
from pluton_rclone.values.versions import Feature

from .paced import EVEN, is_chosen

if TYPE_CHECKING:
    from pluton_rclone.saved.remote import SavedRemote

log = logging.getLogger(__name__)

Paced = tuple[dict[str, str], Callable[[], None]]
"""Variables for the rclone, and what lets it go: called before it is to end."""


@contextmanager
def paced(saved: SavedRemote, path: Path | None, flags: Sequence[str] = ()) -> Iterator[Paced]:
    """For one rclone that is started and ends meanwhile, on the socket `path` of its own; None,
    and where it cannot be stopped: at an even pace."""
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
        even = EVEN.variables().items()
        yield {name: value for name, value in even if "TPSLIMIT" in name}, lambda: None
        return
    governor = govern(path, _tell)
    governor.attend(_Outside(path))
    try:
        yield {asked.VARIABLE: address}, governor.let_go
    finally:
        governor.ended()


def _tell(seconds: float) -> None:
    log.info("rclone stands still: Microsoft grants more in %.0f seconds", seconds)


class _Outside:
    """What a governor needs to know of an rclone that it has not started."""

    ended = False  # it is told so

    def __init__(self, path: Path) -> None:
        self._path, self._stopped = path, 0

    @property
    def pid(self) -> int:
        """Of the process that listens on the socket; 0 while there is none."""
        if sys.platform != "linux":  # SO_PEERCRED; `paced` does not get here
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
        pid, self._stopped = self._stopped, 0  # the governor's thread and a signal's handler may
        if pid:
            with suppress(OSError):
                system.set_paused(pid, paused=False)
