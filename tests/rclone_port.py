"""rclone's own sign-in listens on one fixed port of the machine: tests that need it take turns."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock


@contextmanager
def rclone_port() -> Iterator[None]:
    """The only one that runs `rclone authorize`, whichever worker or checkout asks."""
    with FileLock(Path(tempfile.gettempdir()) / "pluton-rclone-53682.lock", timeout=300):
        yield
