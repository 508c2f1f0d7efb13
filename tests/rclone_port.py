"""rclone's own sign-in listens on one fixed port of the machine: tests that need it take turns."""

from __future__ import annotations

import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPException
from pathlib import Path

from filelock import FileLock

from pluton_rclone.emulator import Emulator
from pluton_rclone.rclone.authorize import PORT


@contextmanager
def rclone_port() -> Iterator[None]:
    """The only one that runs `rclone authorize`, whichever worker or checkout asks."""
    with FileLock(Path(tempfile.gettempdir()) / f"pluton-rclone-{PORT}.lock", timeout=300):
        until = time.monotonic() + 60
        while (
            not _is_free() and time.monotonic() < until
        ):  # an rclone that was ended a moment ago may still have it
            time.sleep(0.1)
        yield


def _is_free() -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", PORT))
        except OSError:
            return False
    return True


def visit(cloud: Emulator, username: str, address: str, *, accept: bool = True) -> None:
    """A person opens the address that rclone shows. rclone may end before its last page is out: no matter."""
    with suppress(HTTPException, OSError):
        cloud.person(username).visit(address, accept=accept)
