"""Work in a thread of its own, which the end of Python does not wait for, as for an executor's."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")


def aside(work: Callable[[], T], name: str) -> Future[T]:
    """What it returns or raises, once it has."""
    done: Future[T] = Future()

    def run() -> None:
        try:
            done.set_result(work())
        except BaseException as problem:  # noqa: BLE001 - raised where the result is asked for
            done.set_exception(problem)

    threading.Thread(target=run, name=name, daemon=True).start()
    return done
