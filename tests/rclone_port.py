"""rclone's own sign-in listens on one fixed port of the machine: tests that need it take turns."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPException
from pathlib import Path

from filelock import FileLock

from pluton_rclone.emulator import Emulator


@contextmanager
def rclone_port() -> Iterator[None]:
    """The only one that runs `rclone authorize`, whichever worker or checkout asks."""
    with FileLock(Path(tempfile.gettempdir()) / "pluton-rclone-53682.lock", timeout=300):
        yield


def visit(cloud: Emulator, username: str, address: str, *, accept: bool = True) -> None:
    """A person opens the address that rclone shows. rclone may end before its last page is out: no matter."""
    with suppress(HTTPException, OSError):
        cloud.person(username).visit(address, accept=accept)
