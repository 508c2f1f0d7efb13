"""Reliable Ctrl-C while a thread waits for another."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

_LOOK = 1.0  # seconds until a signal is noticed that arrived just before the wait


@contextmanager
def interruptible() -> Iterator[None]:
    """Raise KeyboardInterrupt where Python loses it: a signal that arrives after a wait of
    threading has released its lock, and before it has the lock again, ends in "release unlocked
    lock" (github.com/python/cpython/issues/78667 and 118433, open for every version)."""
    try:
        yield
    except RuntimeError as error:
        if isinstance(error.__context__, KeyboardInterrupt):
            raise KeyboardInterrupt from None
        raise


class Flag:
    """Like threading.Event, which a signal can leave locked for ever: it uses a Condition, whose
    `__enter__` and `__exit__` are Python code that a signal can interrupt half-way
    (github.com/python/cpython/issues/74174). Here, waiters queue at a lock, and each lets the next
    through once the flag is set; a lock that a signal left locked is passed after _LOOK at most."""

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
        self._is_set = False  # the next waiter that passes closes the turnstile

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until the flag is set, at most `timeout` seconds. Returns whether it is set."""
        until = math.inf if timeout is None else time.monotonic() + timeout
        while not self._is_set and (left := until - time.monotonic()) > 0:
            if self._turnstile.acquire(timeout=min(left, _LOOK)) and self._is_set:
                self._let_through()
        return self._is_set

    def _let_through(self) -> None:
        with suppress(RuntimeError):  # it is open already
            self._turnstile.release()
