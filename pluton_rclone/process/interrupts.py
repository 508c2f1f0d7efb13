"""Ctrl-C stays Ctrl-C where a thread waits for another one."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

_LOOK = 1.0  # seconds


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
    """As threading's Event, which a signal can leave locked for ever: one that meets its `with` on
    a Condition, whose `__enter__` and `__exit__` are Python. Those of a plain lock are not. And
    one that comes just before a thread begins to wait is seen _LOOK later, not at the end."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: list[threading.Lock] = []
        self._is_set = False

    def is_set(self) -> bool:
        return self._is_set

    def set(self) -> None:
        with self._lock:
            self._is_set = True
            waiting, self._waiting = self._waiting, []
        for one in waiting:
            one.release()

    def clear(self) -> None:
        self._is_set = False

    def wait(self, timeout: float | None = None) -> bool:
        """Whether it is set, at the latest after `timeout` seconds."""
        turn = threading.Lock()
        turn.acquire()
        with self._lock:
            if self._is_set:
                return True
            self._waiting.append(turn)
        until = math.inf if timeout is None else time.monotonic() + timeout
        try:
            while (left := until - time.monotonic()) > 0:
                if turn.acquire(timeout=min(left, _LOOK)):
                    break
        finally:
            with self._lock, suppress(ValueError):
                self._waiting.remove(turn)
        return self._is_set
