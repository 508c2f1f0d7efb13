"""Ctrl-C stays Ctrl-C where a thread waits for another one."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

_LOOK = 1.0  # seconds until a signal is seen that came between Python's last step and the wait


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


class Flag:
    """As threading's Event, which a signal can leave locked for ever: it holds a Condition, whose
    `__enter__` and `__exit__` are Python code, and a signal can end either half way
    (github.com/python/cpython/issues/74174). Whoever waits stands at a lock, and lets the next one
    through once the flag is set; what a signal leaves locked is passed after _LOOK at most."""

    def __init__(self) -> None:
        self._is_set = False
        self._turnstile = threading.Lock()
        self._turnstile.acquire()

    def is_set(self) -> bool:
        return self._is_set

    def set(self) -> None:
        self._is_set = True
        self._let_through()

    def clear(self) -> None:
        self._is_set = False  # the next who passes closes the turnstile

    def wait(self, timeout: float | None = None) -> bool:
        """Whether it is set, at the latest after `timeout` seconds."""
        until = math.inf if timeout is None else time.monotonic() + timeout
        while not self._is_set and (left := until - time.monotonic()) > 0:
            if self._turnstile.acquire(timeout=min(left, _LOOK)) and self._is_set:
                self._let_through()
        return self._is_set

    def _let_through(self) -> None:
        with suppress(RuntimeError):  # it is open
            self._turnstile.release()
