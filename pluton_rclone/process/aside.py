"""Work in daemon threads, which do not delay the end of Python, unlike an executor's threads."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection
from concurrent.futures import FIRST_EXCEPTION, Future, wait
from typing import TypeVar

from .threads import thread

T = TypeVar("T")
R = TypeVar("R")


def aside(work: Callable[[], T], name: str) -> Future[T]:
    """Run `work` in a thread. Returns the future of its result."""
    done: Future[T] = Future()

    def run() -> None:
        try:
            done.set_result(work())
        except BaseException as problem:  # noqa: BLE001 - raised by the future
            done.set_exception(problem)

    thread(run, name=name)
    return done


def at_once(work: Callable[[T], R], things: Collection[T], most: int) -> list[R]:
    """Apply `work` to each of `things`, `most` at a time; results in order. Raises what a call
    raises. Ctrl-C returns at once: an executor, or Python at exit, would wait for the calls."""
    waiting, done = iter(enumerate(things)), dict[int, R]()

    def lane() -> None:
        for number, thing in waiting:
            done[number] = work(thing)

    try:
        lanes = [aside(lane, "at once") for _ in range(min(most, len(things)))]
        wait(lanes, return_when=FIRST_EXCEPTION)
    finally:
        deque(waiting, 0)  # no further call begins
    wait(lanes)
    for one in lanes:
        one.result()
    return [done[number] for number in range(len(things))]
