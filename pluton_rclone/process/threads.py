"""Starts threads, and reports that the system has no room for another thread or process."""

from __future__ import annotations

import errno
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from pluton_rclone.errors import PlutonRcloneError, Who

from .interrupts import interruptible

_NO_ROOM = (errno.EAGAIN, errno.EMFILE, errno.ENFILE, errno.ENOMEM)


def thread(run: Callable[..., object], *args: object, name: str) -> threading.Thread:
    """Start a daemon thread. Raises PlutonRcloneError like `room`."""
    made = threading.Thread(target=run, args=args, name=name, daemon=True)
    with room(), interruptible():
        made.start()
    return made


@contextmanager
def room() -> Iterator[None]:
    """Raise PlutonRcloneError if the body fails because the system has no room for another thread
    or process; a container's limit counts both."""
    try:
        yield
    except (OSError, RuntimeError) as error:
        if isinstance(error, OSError) and error.errno not in _NO_ROOM:
            raise
        what = "This program cannot start another thread or process."
        advice = "Try again when it does less, or raise its limits on files, processes and memory."
        raise PlutonRcloneError(
            what, why=str(error), who=Who.LATER, advice=advice, retry=True
        ) from error
