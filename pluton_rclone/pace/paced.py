"""Paced: rclone keeps within what Microsoft grants its account."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from typing import TYPE_CHECKING

from pluton_rclone.process import Child
from pluton_rclone.rclone import asked
from pluton_rclone.rclone.commands import TRANSFERS
from pluton_rclone.rclone.runner import Around, Order, Runner, nothing
from pluton_rclone.saved.lent import slow_down
from pluton_rclone.values.versions import Feature

from .pace import EVEN, FULL, is_chosen

if TYPE_CHECKING:
    from .budgets import Budget
    from .canary import Canary

_SOCKET = "asked"
_LONG = TRANSFERS | {"check", "delete", "size"}
"""Commands that may ask for more than a budget holds; with a recursive lsjson."""


class Paced(Around):
    """At full speed where no budget is known, else governed or, if that is impossible, at an even
    pace. A pace that was chosen, by a variable of the environment or an option, stands."""

    def __init__(self, inner: Runner, budget: Budget | None, canary: Callable[[], Canary]) -> None:
        super().__init__(inner)
        self._budget = budget
        self._canary = canary

    def start(self, order: Order) -> Child:
        if self._budget is None:
            return self.inner.start(order.plus(FULL.variables()))
        if is_chosen(order.every_flag):
            return self.inner.start(order.plus(EVEN._replace(tps=None).variables()))
        if not self._can_be_governed(order):
            return self.inner.start(order.plus(EVEN.variables()))
        return self._governed(self._budget, order)

    def _can_be_governed(self, order: Order) -> bool:
        """Whether it asks for much, can be counted, and can be stopped."""
        command = order.command
        asks_for_much = command.words[0] in _LONG or "--recursive" in command.flags
        can_be_stopped = _address(order) is not None and hasattr(signal, "SIGSTOP")
        return asks_for_much and can_be_stopped and Feature.METRICS.known_to(self.binary.version)

    def _governed(self, budget: Budget, order: Order) -> Child:
        from .governor import Governor

        assert order.config is not None
        told, ended = order.on.stderr or nothing, order.on.end
        socket = order.config.with_name(_SOCKET)
        governor = Governor(socket, budget, self._canary, lambda seconds: told(_waiting(seconds)))

        def hear(line: bytes) -> None:
            if (event := slow_down(line)) is not None:
                governor.refused(event.seconds)
            told(line)

        def end() -> None:
            governor.ended()
            if ended is not None:
                ended()

        variables = {**FULL.variables(), asked.VARIABLE: str(_address(order))}
        child = self.inner.start(order.plus(variables).calling(stderr=hear, end=end))
        governor.attend(child)
        return child


def _address(order: Order) -> str | None:
    """Where rclone counts for us: a socket beside its private rclone.conf, if it has one."""
    return None if order.config is None else asked.address(order.config.with_name(_SOCKET))


def _waiting(seconds: float) -> bytes:
    """A line of log, in rclone's words: it is made to wait."""
    text = "Too many requests for Microsoft: rclone stands still. Trying again in"
    return json.dumps({"level": "notice", "msg": f"{text} {seconds:.0f} seconds."}).encode()
