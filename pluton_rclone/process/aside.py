"""Work in a daemon thread, which does not delay the end of Python, unlike an executor's thread."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")


def aside(work: Callable[[], T], name: str) -> Future[T]:
    """Run `work` in a thread. Returns the future of its result."""
    done: Future[T] = Future()

    def run() -> None:
        try:
            done.set_result(work())
        except BaseException as problem:  # noqa: BLE001 - raised by the future
            done.set_exception(problem)

    threading.Thread(target=run, name=name, daemon=True).start()
    return done
