"""Control over when the emulated Graph answers: two concurrent programs run in a fixed order in a
test, however busy the machine is."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from pluton_rclone.emulator import Emulator
from pluton_rclone.emulator.graph.call import Call
from tests.terminal import PATIENCE

_AGAIN = 0.01  # real seconds between two checks of a request that waits


class Gate:
    """Requests that match `where` ("METHOD host/path") wait, once `shut` returns True, until the
    gate is opened or the client disconnects. Other requests pass."""

    def __init__(
        self, cloud: Emulator, where: str, shut: Callable[[], bool] = lambda: True
    ) -> None:
        self._where, self._shut = re.compile(where), shut
        self._reached, self._opened = threading.Event(), threading.Event()
        cloud.faults.turn = self._turn

    def wait(self) -> None:
        """Wait until a request waits at the gate."""
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
