"""One clock for Microsoft's budgets and for the governors that keep to them, on which a busy
machine loses no time.

While an rclone runs, each of its requests advances the clock by 10 ms, its fastest pace
(`FASTEST`). A request passes only while the rclone's governor waits, and the governor waits until
it is answered, so no rclone is faster than its governor. While every rclone is paused, the clock
jumps to the next moment for which a governor waits. While we ask Microsoft, it stops.
"""

from __future__ import annotations

import asyncio
import threading
from collections import Counter, defaultdict, deque
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
from pluton_rclone.process.interrupts import Flag
from pluton_rclone.rclone import asked
from pluton_rclone.values.program import USER_AGENT

_STEP = 1 / FASTEST
_AGAIN = 0.02  # real seconds; the end of a program does not notify this clock
_READINGS = 500  # of an rclone's counters at most: it may have dropped a request
_NUMBER = "x-number"


def numbered(number: int) -> list[str]:
    """Flags for the `number`th rclone of several, which mark its requests with the number."""
    return ["--header", f"{_NUMBER}: {number}"]


class SteppingClock(Clock):
    """The clock of `cloud` and of all governors until the test ends."""

    def __init__(self, cloud: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
        self._now = 1000.0
        self._changed = threading.Condition()
        self._children: dict[str, Child] = {}  # by the name of the governor's thread
        self._waiting: dict[str, float] = {}  # when the waits of governors end
        self._queues: dict[str, deque[tuple[asyncio.AbstractEventLoop, asyncio.Future[None]]]] = (
            defaultdict(deque)
        )
        self._ours = 0  # our own requests in flight
        self._under_way = Counter[str]()  # those of each rclone
        self._answered = Counter[str]()
        attend, ask, read = Governor.attend, Canary.ask, asked.read

        def attended(governor: Governor, child: Child) -> None:
            with self._changed:
                self._children[f"governor-{child.pid}"] = child
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
            """The counters once they include every answer that the rclone got."""
            answered = self._answered[threading.current_thread().name]
            for _ in range(_READINGS):
                found = read(path)
                if found is None or found.answers >= answered:
                    break
            return found

        monkeypatch.setattr(Governor, "attend", attended)
        monkeypatch.setattr(Canary, "ask", asking)
        monkeypatch.setattr(asked, "read", counted)
        monkeypatch.setattr(asked, "_ANSWER_LIMIT", 60.0)  # real seconds: an unread answer is lost
        cloud.faults.turn = self._turn

    def now(self) -> float:
        with self._changed:
            return self._now

    def wait(self, ended: Flag, seconds: float) -> bool:
        who = threading.current_thread().name
        with self._changed:
            until = self._waiting[who] = self._now + seconds
            while not ended.is_set() and (self._now < until or self._under_way[who]):
                if self._step():
                    self._changed.notify_all()
                else:
                    self._changed.wait(_AGAIN)
            del self._waiting[who]
        return ended.is_set()

    def _step(self) -> bool:
        """Advance the clock if possible; return whether it moved."""
        if self._ours or self._under_way.total():
            return False
        running = [
            who for who, child in self._children.items() if not (child.paused or child.ended)
        ]
        if not running:
            first = min(self._waiting.values())
            if first <= self._now:  # its governor has yet to notice
                return False
            self._now = first
            return True
        for who in running:
            if self._waiting.get(who, 0.0) > self._now and self._queues[who]:
                self._now += _STEP
                self._under_way[who] += 1
                loop, turn = self._queues[who].popleft()
                loop.call_soon_threadsafe(turn.set_result, None)
                return True
        return False

    @asynccontextmanager
    async def _turn(self, call: Call) -> AsyncIterator[None]:
        """Make rclone's requests wait for their time; ours pass at once."""
        if not (call.header(b"user-agent") or "").startswith(f"{USER_AGENT} rclone"):
            yield
            return
        while (who := self._whose(call.header(_NUMBER.encode()))) is None:
            await asyncio.sleep(_AGAIN)  # its governor is about to attend it
        loop = asyncio.get_running_loop()
        turn = loop.create_future()
        with self._changed:
            self._queues[who].append((loop, turn))
            self._changed.notify_all()
        await turn
        try:
            yield
        finally:
            with self._changed:
                self._under_way[who] -= 1
                self._answered[who] += 1
                self._changed.notify_all()

    def _whose(self, number: str | None) -> str | None:
        """The rclone with that number, or the one that runs."""
        with self._changed:
            if number is not None:
                return dict(enumerate(self._children)).get(int(number))
            return next((who for who, child in self._children.items() if not child.ended), None)
