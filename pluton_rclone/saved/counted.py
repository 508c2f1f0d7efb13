"""Counted: how often Microsoft asked rclone to slow down, as far as rclone logs it."""

from __future__ import annotations

from pluton_rclone.process import Child
from pluton_rclone.rclone import events
from pluton_rclone.rclone.runner import Around, Order, Runner


class Counted(Around):
    """Counts in the log of every command that it starts."""

    def __init__(self, inner: Runner) -> None:
        super().__init__(inner)
        self.throttled = 0

    def start(self, order: Order) -> Child:
        def hear(line: bytes) -> None:
            if slow_down(line) is not None:
                self.throttled += 1
            if order.on.stderr is not None:
                order.on.stderr(line)

        return self.inner.start(order.calling(stderr=hear))


def slow_down(line: bytes) -> events.Throttled | None:
    """What a line of rclone's log says of that, if it does."""
    if b"oo many" in line and isinstance(event := events.parse(line), events.Throttled):
        return event
    return None
