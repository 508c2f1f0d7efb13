"""A hand on when the emulated Graph answers: what two programs do at once has one order in a test,
however busy the machine is."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from pluton_rclone.emulator import Emulator
from pluton_rclone.emulator.graph.call import Call
from tests.terminal import PATIENCE

_AGAIN = 0.01  # real seconds between two looks of a request that waits


class Gate:
    """Requests that `where` is found in ("METHOD host/path") wait from the moment on that `shut`
    says so, until the gate is opened or the client goes. Others pass."""

    def __init__(
        self, cloud: Emulator, where: str, shut: Callable[[], bool] = lambda: True
    ) -> None:
        self._where, self._shut = re.compile(where), shut
        self._reached, self._opened = threading.Event(), threading.Event()
        cloud.faults.turn = self._turn

    def wait(self) -> None:
        """Until a request waits at it."""
        assert self._reached.wait(PATIENCE), f"nobody asked for {self._where.pattern}"

    def open(self) -> None:
        self._opened.set()

    @asynccontextmanager
    async def _turn(self, call: Call) -> AsyncIterator[None]:
        if self._where.search(f"{call.method} {call.host}{call.path}"):
            while not self._opened.is_set() and (self._reached.is_set() or self._shut()):
                self._reached.set()
                await asyncio.sleep(_AGAIN)
        yield
