"""One clock for Microsoft's budgets and for those who keep to them, in which a busy machine takes
no time.

While an rclone runs, the clock goes by its requests: 10 ms each, its fastest (`FASTEST`), and only
while a governor waits, so none asks faster than it is watched. While every rclone stands still, it
goes at once to the moment for which a governor waits. While we ask Microsoft, it stands.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from pluton_rclone.emulator import Emulator
from pluton_rclone.emulator.graph.call import Call
from pluton_rclone.pace.budgets import FASTEST, Clock
from pluton_rclone.pace.canary import Canary, Said
from pluton_rclone.pace.governor import Governor
from pluton_rclone.process import Child
from pluton_rclone.rclone import asked
from pluton_rclone.values.program import USER_AGENT

_STEP = 1 / FASTEST
_AGAIN = 0.02  # real seconds; a program ends without telling this clock
_READINGS = 500  # of the counters of an rclone, at most: it may have given up a request


class SteppingClock(Clock):
    """`cloud` and all governors go by it until the test ends."""

    def __init__(self, cloud: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
        self._now = 1000.0
        self._changed = threading.Condition()
        self._queue: deque[tuple[asyncio.AbstractEventLoop, asyncio.Future[None]]] = deque()
        self._ours = 0  # of our requests that are under way
        self._under_way = 0  # of rclone's
        self._answered = 0
        self._waiting: list[float] = []  # until when governors wait
        self._children: list[Child] = []
        attend, ask, read = Governor.attend, Canary.ask, asked.read

        def attended(governor: Governor, child: Child) -> None:
            self._children.append(child)
            attend(governor, child)

        def asking(canary: Canary) -> Said:
            with self._changed:
                self._ours += 1
            try:
                return ask(canary)
            finally:
                with self._changed:
                    self._ours -= 1
                    self._changed.notify_all()

        def counted(path: Path) -> asked.Asked | None:
            """Once it has counted what it was answered, where only one rclone can have asked."""
            for _ in range(_READINGS):
                found = read(path)
                if found is None or len(self._children) > 1 or found.answers >= self._answered:
                    break
            return found

        monkeypatch.setattr(Governor, "attend", attended)
        monkeypatch.setattr(Canary, "ask", asking)
        monkeypatch.setattr(asked, "read", counted)
        cloud.faults.turn = self._turn

    def now(self) -> float:
        with self._changed:
            return self._now

    def wait(self, ended: threading.Event, seconds: float) -> bool:
        with self._changed:
            until = self._now + seconds
            self._waiting.append(until)
            try:
                while not ended.is_set() and (self._now < until or self._is_busy()):
                    if self._step():
                        self._changed.notify_all()
                    else:
                        self._changed.wait(_AGAIN)
            finally:
                self._waiting.remove(until)
        return ended.is_set()

    def _is_busy(self) -> bool:
        """Whether an answer is to come first; an rclone that stands still may not send the rest of
        its request."""
        still = any(child.paused for child in self._children)
        return self._ours > 0 or (self._under_way > 0 and not still)

    def _step(self) -> bool:
        """Whether time has passed."""
        if self._is_busy():
            return False
        if all(child.paused or child.ended for child in self._children):
            if min(self._waiting) <= self._now:  # of another, who has yet to notice
                return False
            self._now = min(self._waiting)
        elif self._queue:
            self._now += _STEP
            self._under_way += 1
            loop, turn = self._queue.popleft()
            loop.call_soon_threadsafe(turn.set_result, None)
        else:
            return False
        return True

    @asynccontextmanager
    async def _turn(self, call: Call) -> AsyncIterator[None]:
        """rclone's requests wait for their time; ours are under way already."""
        if not (call.header(b"user-agent") or "").startswith(USER_AGENT + " rclone"):
            yield
            return
        loop = asyncio.get_running_loop()
        turn = loop.create_future()
        with self._changed:
            self._queue.append((loop, turn))
            self._changed.notify_all()
        await turn
        try:
            yield
        finally:
            with self._changed:
                self._under_way -= 1
                self._answered += 1
                self._changed.notify_all()
