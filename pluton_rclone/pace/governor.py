"""Keeps an rclone within what Microsoft grants: full speed until a limit is near, an even rate at a
limit that holds.

rclone sends up to 100 requests a second. After a refusal it crawls: it pauses for the Retry-After
before each of its next requests, and shortens the pause by a quarter with each (lib/pacer). But the
documented budgets do not hold for every tenant, and a tenth of rclone's speed is a high price then.

So rclone's requests are counted (`rclone.asked`). Just below a documented limit, rclone is stopped
for half a second (SIGSTOP), and the few requests beyond the limit are ours, three at a time
(`canary`). If they are granted, rclone goes on at full speed to the next limit. If one is refused,
or Microsoft says that the limit holds, rclone stays stopped for as long as Microsoft asks. Then it
is kept at the granted rate: it runs for half a second's worth of requests (`turn`) and is stopped
until the next turn. It never gets a refusal. Measured: 56.9 s with no refusal; without canaries
87.1 s with 13."""

from __future__ import annotations

import logging
import math
import random
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from pluton_rclone.process.interrupts import Flag
from pluton_rclone.rclone import asked

from .budgets import FASTEST, Budget, Limit, Turn
from .sent import Sent

if TYPE_CHECKING:
    from .canary import Canary, Said

log = logging.getLogger(__name__)

_LONGEST = 0.25  # seconds between two checks
_SHORTEST = 0.01
_FORGETTING = 10.0  # seconds until `_more` halves: a busy machine will be late again
_BEYOND = 9  # requests beyond a limit that must be granted before it counts as not held
_WARM_UP_LIMIT = 5.0  # seconds
_LONGEST_ROUND_TRIP = 0.5  # seconds: one slow answer must not slow down all later ones
TRIAL = 20.0  # seconds to find out that a limit does not hold, as old requests leave the window
_LEAVING = 1.0  # seconds in which a lease is returned, unless we are waiting for Microsoft
_WORTH_SAYING = 2.0  # seconds stopped
CANARIES = 3  # at a time beyond a limit: the most refusals at once
_BELOW = 8  # at a time below it
_MORE = 3  # requests beyond those that it is known to send, in each turn
_MANY = 3  # answers in one turn: then it waits for the others; large files need fewer and go on
_WARM_UP = 0.6  # of a limit's requests left: then the canary is prepared


class Governed(Protocol):
    """A running rclone, such as a `Child`."""

    @property
    def pid(self) -> int: ...
    @property
    def paused(self) -> bool: ...
    @property
    def ended(self) -> bool: ...
    def pause(self) -> None: ...
    def resume(self) -> None: ...


class Governor:
    """Watches one rclone until it ends, in its own thread."""

    def __init__(
        self,
        socket: Path,
        budget: Budget,
        canary: Callable[[], Canary],
        on_wait: Callable[[float], None],
    ) -> None:
        self._socket, self._budget, self._clock = socket, budget, budget.clock
        self._make_canary, self._on_wait = canary, on_wait
        self._asked: asked.Asked | None = None  # once rclone's metrics are up
        self._ended, self._left, self._warm = Flag(), Flag(), Flag()
        self._warming = False
        self._canary: Canary | None = None
        self._round_trip = 0.1  # seconds
        self._sent = Sent()
        self._counted = 0  # answers since the previous check
        self._speed = 0.0  # answers a second in that time
        self._planned, self._looked_at = _SHORTEST, self._clock.now()
        self._more = 0.0  # recent requests beyond the plan, because this thread was scheduled late
        self._said_until = 0.0
        self._child: Governed | None = None

    def attend(self, child: Governed) -> None:
        """Watch this rclone from now on."""
        self._child = child
        name = f"governor-{child.pid}"
        threading.Thread(target=self._watch, args=(child,), name=name, daemon=True).start()

    def refused(self, seconds: float | None) -> None:
        """rclone was refused after all: other programs use the budget, too."""
        now = self._clock.now()
        self._budget.does_hold(now)
        if seconds is not None:
            self._budget.hold(now, seconds)
        self._said_until = now + (seconds or 0.0)  # rclone reported this wait itself

    def let_go(self) -> None:
        """Let rclone end: it may do the rest at full speed. Called from a signal handler."""
        self._ended.set()
        if self._child is not None:  # its thread may wait long for Microsoft or other governors
            self._child.resume()

    def ended(self) -> None:
        """rclone has ended, or did not start. Its lease is returned before our process ends."""
        self._ended.set()
        if self._child is not None:
            self._left.wait(_LEAVING)

    def _watch(self, child: Governed) -> None:
        self._budget.join(self)
        try:
            wait = _SHORTEST
            while not self._clock.wait(self._ended, wait) and not child.ended:
                wait = self._look(child)
                self._planned = wait
        finally:
            if not child.paused:
                self._count_the_last()
            child.resume()
            self._budget.leave(self)
            self._ended.set()
            self._left.set()
            if self._warming:
                self._warm.wait()
            if self._canary is not None:
                self._canary.close()

    def _look(self, child: Governed) -> float:
        """Check it; return the seconds until the next check."""
        if not child.paused:
            self._count()
        if self._asked is None:
            return _SHORTEST  # stopped now, it would outlive us: its death signal is not set yet
        rests = not child.paused and self._counted >= _MANY
        turn = self._turn(rests)
        if turn.holds is not None and rests:
            self._pause(child)
            return self._round_trip
        if turn.holds is not None:
            return self._evenly(child, turn)
        if turn.nearest is None:
            self._resume(child)
            return _LONGEST
        if turn.room * turn.nearest.cost < _WARM_UP * turn.nearest.amount:
            self._warm_up(turn.nearest)
        if turn.room > 0:
            self._resume(child)
            # Half the time in which all rclones together could use up the room.
            each = FASTEST * max(1, self._budget.askers)
            return min(_LONGEST, max(_SHORTEST, turn.room / each / 2))
        if child.paused:
            self._resume(child)
            return turn.requests / FASTEST
        if self._sent.most(self._round_trip) > 2 * turn.requests:  # exact once stopped
            self._pause(child)
            return self._round_trip
        self._beyond(child, turn.nearest)
        return _SHORTEST

    def _turn(self, rests: bool = False) -> Turn:
        now = self._clock.now()
        self._more *= 0.5 ** ((now - self._looked_at) / _FORGETTING)
        self._looked_at = now
        sent, more = self._sent.most(self._round_trip), math.ceil(self._more) + _MORE
        return self._budget.turn(self, sent, more, rests)

    def _count(self) -> None:
        before, found = self._asked or asked.Asked(), asked.read(self._socket)
        if found is None or found.answers < before.answers:
            return
        now = self._clock.now()
        ran = self._sent.ran(now)
        self._more = max(FASTEST * (ran - self._planned), self._more)
        self._asked = found
        self._counted = found.answers - before.answers
        self._speed = self._counted / max(ran, _SHORTEST)
        if found.answers > before.answers:
            self._sent.answered(found.answers - before.answers)
            self._budget.spend(now, found.answers - before.answers, found.units - before.units)
        if found.refusals > before.refusals:
            log.info("Microsoft refused %d requests of rclone", found.refusals - before.refusals)
            self._budget.does_hold(now)

    def _count_the_last(self) -> None:
        """Count the answers since the last check, which a process that has ended cannot report, at
        its last speed."""
        now = self._clock.now()
        asked_since = min(self._speed * self._sent.ran(now), self._sent.most(self._round_trip))
        if asked_since:
            self._budget.spend(now, asked_since)

    def _evenly(self, child: Governed, turn: Turn) -> float:
        if turn.wait <= 0:
            self._resume(child)
            return turn.requests / FASTEST
        self._pause(child)
        if turn.wait > _WORTH_SAYING and (now := self._clock.now()) >= self._said_until:
            self._said_until = now + turn.wait
            self._on_wait(turn.wait)
        # At different times; otherwise the same governor would always be first.
        return min(1.0, turn.wait + _SHORTEST * self._budget.askers * random.random())

    def _pause(self, child: Governed) -> None:
        if not child.paused:
            child.pause()
            self._sent.ran(self._clock.now())
        if self._ended.is_set():  # `let_go` was called meanwhile
            child.resume()

    def _resume(self, child: Governed) -> None:
        if child.paused:
            self._sent.goes_on(self._clock.now())
            child.resume()

    # ---- at a limit ------------------------------------------------------------------------------

    def _warm_up(self, limit: Limit) -> None:
        """Prepare modules, token and connection: half a second for which rclone need not stop."""
        if self._warming:
            return
        self._warming = True

        def run() -> None:
            try:
                self._canary = canary = self._make_canary()
                self._budget.spend(self._clock.now(), 2)
                self._hear(canary.ask(), limit)
                began = self._clock.now()
                self._hear(canary.ask(), limit)
                self._round_trip = min(self._clock.now() - began, _LONGEST_ROUND_TRIP)
            except Exception as problem:  # noqa: BLE001 - then none is ready; `_beyond` says so
                log.info("Microsoft cannot be asked whether a limit applies: %s", problem)
            finally:
                self._warm.set()

        threading.Thread(target=run, name="canary", daemon=True).start()

    def _beyond(self, child: Governed, limit: Limit) -> None:
        """Find out whether the limit holds, while rclone is stopped."""
        if self._warm.is_set() and self._canary is None:
            self._warm.clear()  # rclone may have renewed the expired token
            self._warming = False
        self._warm_up(limit)
        self._pause(child)
        self._warm.wait(_WARM_UP_LIMIT)
        with self._budget.shelf.finding_out():
            # Another governor may have found out, or waited until there is room again.
            if not self._is_open(limit):
                return
            found = Flag()
            self._send_canaries(limit, found, 1)  # Microsoft may simply state the limit
            # Wait until the requests under way have arrived and all other rclones have stopped.
            many = self._budget.askers > 1
            self._clock.wait(self._ended, _LONGEST if many else 0.5 * self._round_trip)
            self._resume(child)
            self._count()
            self._pause(child)
            if not found.is_set() and self._is_open(limit):
                self._go_beyond(child, limit, found)

    def _is_open(self, limit: Limit) -> bool:
        """Whether the limit has been reached and is not known to hold."""
        turn = self._turn()
        return turn.holds is None and turn.nearest == limit and turn.room <= 0

    def _go_beyond(self, child: Governed, limit: Limit, found: Flag) -> None:
        until = self._clock.now() + TRIAL
        while not found.is_set() and not self._ended.is_set():
            now = self._clock.now()
            if self._budget.left(limit, now) <= -_BEYOND:
                self._budget.does_not_hold(now, limit)
                return
            if now >= until:
                # rclone sends no faster than the limit grants, so observing it costs nothing.
                self._budget.does_hold(now, limit)
                return
            below = math.floor(self._turn().room)
            self._send_canaries(limit, found, min(_BELOW, max(CANARIES, below)))

    def _send_canaries(self, limit: Limit, found: Flag, count: int) -> None:
        """Send `count` at once; wait for their answers, or for rclone's end."""
        threads = [
            threading.Thread(target=self._send_canary, args=(limit, found), daemon=True)
            for _ in range(count)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            while thread.is_alive() and not self._ended.is_set():
                thread.join(_SHORTEST)

    def _send_canary(self, limit: Limit, found: Flag) -> None:
        """Send one; set `found` unless it was granted without a word about limits."""
        canary, said = self._canary, None
        self._budget.spend(self._clock.now(), 1)
        try:
            said = canary.ask() if canary is not None else None
        except Exception as problem:  # noqa: BLE001 - then the limit counts as held
            log.info("Microsoft cannot be asked whether a limit applies: %s", problem)
        if self._hear(said, limit):
            found.set()

    def _hear(self, said: Said | None, limit: Limit) -> bool:
        """Record an answer, None for no answer; return whether it settles that a limit holds."""
        now = self._clock.now()
        if said is None or not said.granted:
            self._budget.does_hold(now, limit)
            self._budget.hold(now, (said and said.wait) or 0.0)
            return True
        if said.limit is not None:
            self._budget.said(now, said.limit, said.remaining)
        return said.limit is not None
