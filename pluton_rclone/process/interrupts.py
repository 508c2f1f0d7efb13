"""Ctrl-C stays Ctrl-C where a thread waits for another one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def interruptible() -> Iterator[None]:
    """Raises KeyboardInterrupt where Python lost it: a signal that comes after threading's wait
    has released its lock, and before it has the lock back, ends with "release unlocked lock"
    (github.com/python/cpython/issues/78667 and 118433, open for every version)."""
    try:
        yield
    except RuntimeError as error:
        if isinstance(error.__context__, KeyboardInterrupt):
            raise KeyboardInterrupt from None
        raise
