"""Work in threads of its own, which the end of Python does not wait for, as for an executor's."""

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
    """The work on each of these, in their order, so many at a time; raises what one raises. Ctrl-C
    leaves at once: an executor, and Python at its end, would wait for what runs."""
    waiting, done = iter(enumerate(things)), dict[int, R]()

    def lane() -> None:
        for number, thing in waiting:
            done[number] = work(thing)

    try:
        lanes = [aside(lane, "at once") for _ in range(min(most, len(things)))]
        wait(lanes, return_when=FIRST_EXCEPTION)
    finally:
        deque(waiting, 0)  # no other one begins
    wait(lanes)
    for one in lanes:
        one.result()
    return [done[number] for number in range(len(things))]
