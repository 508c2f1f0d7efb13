"""Fitted: a transfer takes no more memory than there is, and chunks that suit the files."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from pluton_rclone.process import Child
from pluton_rclone.rclone.commands import TRANSFERS, Command
from pluton_rclone.rclone.runner import Around, Order, Runner

from . import chunks


class Fitted(Around):
    """Chooses chunk size and files at once; `destination` gives the section that a command writes
    to."""

    def __init__(
        self, inner: Runner, destination: Callable[[Command], Mapping[str, str] | None]
    ) -> None:
        super().__init__(inner)
        self._destination = destination

    def start(self, order: Order) -> Child:
        if order.command.words[0] in TRANSFERS:
            destination = self._destination(order.command)
            order = order.plus(
                chunks.variables(order.command, destination, order.variables, order.every_flag)
            )
        return self.inner.start(order)
