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
    `__enter__` and `__exit__` are Python code, and a signal can end either half way. Those of a
    plain lock are not (github.com/python/cpython/issues/74174; in 3.14 the body of its `with` can
    be missed all the same, 148874). A signal just before a wait ends it after _LOOK at most."""

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
