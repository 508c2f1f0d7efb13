"""Microsoft's documented budgets, and what is left of them: arithmetic alone, the caller has the
clock.

On work and school drives and document libraries, an app has resource units a minute, by the
tenant's licences, and a user 3,000 requests in five minutes (`values.costs`: what takes how much).
Nobody says which of these hold for a tenant; what is found out is kept here, too.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Literal, NamedTuple

import msgspec

from pluton_rclone.values.costs import CHANGE

UNITS = CHANGE
"""Resource units of a request that rclone sends, at most."""


class Limit(NamedTuple):
    """So many resource units, or requests, in any so many seconds."""

    amount: float
    seconds: float
    counts: Literal["units", "requests"] = "units"

    @property
    def cost(self) -> int:
        """What a request takes of it, at most."""
        return UNITS if self.counts == "units" else 1


LEASE = 2.0
"""Seconds for which a process is believed to ask: one that is killed holds up nobody for longer."""
FASTEST = 100.0
"""Requests a second that rclone makes at most: one in 10 ms (backend/onedrive, minSleep)."""

# Source: SharePoint/sp-dev-docs @9ceb30b5f673, docs/general-development/
# how-to-avoid-getting-throttled-or-blocked-in-sharepoint-online.md, 2025-10-02 (CC-BY-4.0).
LIMITS = (
    *(Limit(amount, 60.0) for amount in (1250.0, 2500.0, 3750.0, 5000.0, 6250.0)),
    Limit(3000.0, 300.0, "requests"),
)

_SLOTS = 240  # of the shortest window: a quarter of a second of a minute
_BELIEVED = 2  # times the longest window
LONGEST_HOLD = 600.0  # seconds; Microsoft asks for five minutes at most, an impostor for years
_RESERVED = 0.8  # of the lowest limit at most is kept for what is under way
_EVENLY = 0.93  # of a limit that holds: the rest is for others, and for what is under way


def rate(limit: Limit) -> float:
    """Requests a second that stay below it, evenly asked."""
    return _EVENLY * limit.amount / limit.seconds / limit.cost


class Part(msgspec.Struct):
    """What is known of the limits that count one thing; it can be stored (`ledger`)."""

    untried: list[Limit]
    holds: Limit | None = None
    learned: float = -math.inf
    slots: list[tuple[float, float]] = []
    """Begin, and what was spent."""
    saved: float = 0.0
    saved_at: float = 0.0
    not_before: float = -math.inf
    leases: dict[str, tuple[int, int, float]] = {}
    """Of each process and account: how many rclones ask, the requests that they may have sent and
    nobody has counted, and when that expires."""

    def spend(self, now: float, width: float, longest: float, amount: float) -> None:
        begin = now // width * width
        if not self.slots or self.slots[-1][0] < begin:
            self.slots.append((begin, 0.0))
        self.slots[-1] = (self.slots[-1][0], self.slots[-1][1] + amount)
        while self.slots[0][0] + width + longest <= now:
            del self.slots[0]
        if self.holds is not None:
            self.save(now)
            self.saved -= amount

    def save(self, now: float) -> None:
        """What is not asked at once may be asked later: a second's worth, at least one request."""
        assert self.holds is not None
        each = rate(self.holds) * self.holds.cost
        earned = each * max(0.0, now - self.saved_at)
        self.saved = min(max(each, self.holds.cost), self.saved + earned)
        self.saved_at = max(now, self.saved_at)

    def hold(self, now: float, limit: Limit) -> None:
        self.learned = now
        if limit not in self.untried:
            self.untried.append(limit)
        if self.holds is None or rate(limit) < rate(self.holds):
            self.holds, self.saved, self.saved_at = limit, 0.0, now


Parts = dict[str, Part]


class Shelf:
    """Where the parts lie: in this process alone."""

    @property
    def owner(self) -> str:
        """This process, for this account."""
        return ""

    def lives(self, owner: str) -> bool:
        """Whether that process is there still."""
        return True

    def finding_out(self) -> AbstractContextManager[object]:
        """Held while one governor, of all processes, goes beyond a limit."""
        return _FINDING_OUT

    def open(self, parts: Parts) -> AbstractContextManager[object]:
        """Brings the parts up to date, and puts them back at the end."""
        return nullcontext()


_FINDING_OUT = threading.Lock()


class Clock:
    """This machine's time; a test brings another."""

    def now(self) -> float:
        """Seconds that only go forward."""
        return time.monotonic()

    def wait(self, ended: threading.Event, seconds: float) -> bool:
        """Until the event is set, for so long at most: whether it is."""
        return ended.wait(seconds)


class Budget:
    """What was asked of Microsoft for one account, and which limits hold for it; safe to share
    between threads and, on a shelf, between processes. `now` is in seconds, of the clock by which
    all that ask from it go."""

    def __init__(
        self,
        limits: Sequence[Limit] = LIMITS,
        clock: Clock | None = None,
        shelf: Shelf | None = None,
    ) -> None:
        self.clock, self.shelf = clock or Clock(), shelf or Shelf()
        self._askers = self._others = 0
        self._lock = threading.Lock()
        self._limits = tuple(limits)
        self._parts = {name: Part(self._all(name)) for name in ("units", "requests")}
        self._width = min(limit.seconds for limit in limits) / _SLOTS
        self._longest = max(limit.seconds for limit in limits)

    def _all(self, counts: str) -> list[Limit]:
        return [limit for limit in self._limits if limit.counts == counts]

    @contextmanager
    def _open(self) -> Iterator[list[Part]]:
        with self._lock, self.shelf.open(self._parts):
            yield [*self._parts.values()]

    @property
    def askers(self) -> int:
        """How many rclones ask from it, of all processes: from `join` to `leave`."""
        return self._askers + self._others

    def under_way(self, round_trip: float, more: int = 0, paused: bool = False) -> int:
        """The most requests that the account's rclones may have sent and not counted yet; however
        many rclones there are, something is left for them to send.

        They answer in `round_trip`, and send so many `more` until they are looked at. For the other
        processes this one's are leased for LEASE seconds: fewer while its rclone stands still.
        """
        sent = (math.ceil(FASTEST * round_trip) + 3) * max(1, self._askers)
        soon, now = sent + more, self.clock.now()
        narrowest = min(limit.amount / limit.cost for limit in self._limits)
        with self._open() as parts:
            others: dict[str, tuple[int, int, float]] = {}
            for counts, part in self._parts.items():
                part.leases.pop(self.shelf.owner, None)
                self._expire(counts, part, now)
                others |= part.leases  # of the same app, and of the same account
            self._others = sum(askers for askers, _, _ in others.values())
            if self._askers:
                # Looked at a hundred times a second, it is written ten times.
                until = math.ceil((now + LEASE) * 10) / 10
                for part in parts:
                    lease = (self._askers, sent if paused else soon, until)
                    part.leases[self.shelf.owner] = lease
            soon += sum(requests for _, requests, _ in others.values())
        return min(soon, int(_RESERVED * narrowest))

    def _expire(self, counts: str, part: Part, now: float) -> None:
        """Of leases that have ended: what a process that is gone may have asked, it has asked."""
        for owner in [owner for owner, lease in part.leases.items() if lease[2] <= now]:
            askers, requests, until = part.leases.pop(owner)
            if self.shelf.lives(owner):  # it finds out whether a limit holds, or waits
                part.leases[owner] = (askers, requests, now + LEASE)
            else:
                self._spend(until - LEASE, counts, requests * (UNITS if counts == "units" else 1))

    def join(self) -> None:
        with self._lock:
            self._askers += 1

    def leave(self) -> None:
        with self._open() as parts:
            self._askers -= 1
            for part in parts if not self._askers else ():
                part.leases.pop(self.shelf.owner, None)

    def holds(self, now: float) -> Limit | None:
        """The limit that Microsoft has shown to hold, if any. It is believed for ten minutes: a
        tenant may get more licences, and others may have filled the budget."""
        with self._open() as parts:
            for name, part in self._parts.items():
                if part.learned + _BELIEVED * self._longest < now and part.learned > -math.inf:
                    part.untried, part.holds, part.learned = self._all(name), None, -math.inf
            return min((part.holds for part in parts if part.holds), key=rate, default=None)

    def spend(self, now: float, requests: float, units: float | None = None) -> None:
        """Count requests; `units` is UNITS for each where it is not given."""
        with self._open():
            self._spend(now, "requests", requests)
            self._spend(now, "units", UNITS * requests if units is None else units)

    def _spend(self, now: float, counts: str, amount: float) -> None:
        self._parts[counts].spend(now, self._width, self._longest, amount)

    def left(self, limit: Limit, now: float) -> float:
        """How many requests still fit below a limit; negative beyond it."""
        with self._open():
            return self._left(limit, now)

    def nearest(self, now: float) -> tuple[Limit, float] | None:
        """The limit that may hold and is reached first, and the requests until then. None: none."""
        with self._open() as parts:
            left = ((limit, self._left(limit, now)) for part in parts for limit in part.untried)
            return min(left, key=lambda found: found[1], default=None)

    def does_not_hold(self, now: float, limit: Limit) -> None:
        """More was granted: the tenant has more licences, or nobody counts."""
        with self._open():
            part = self._parts[limit.counts]
            part.learned = now
            part.untried = [other for other in part.untried if other != limit]

    def does_hold(self, now: float, limit: Limit | None = None) -> None:
        """Microsoft refused at this limit. None: at an unknown one, taken to be the lowest."""
        limit = limit or self._limits[0]
        with self._open():
            self._parts[limit.counts].hold(now, limit)

    def said(self, now: float, limit: Limit, remaining: float) -> None:
        """Microsoft said the limit, and how many units are left: others may spend it, too."""
        with self._open():
            part = self._parts[limit.counts]
            part.untried = [one for one in part.untried if one[1:] != limit[1:]]
            part.hold(now, limit)
            missing = self._left(limit, now) * limit.cost - remaining
            if missing > 0:
                self._spend(now, limit.counts, missing)

    def hold(self, now: float, seconds: float) -> None:
        """Microsoft wants nothing to be asked for so long; believed for LONGEST_HOLD."""
        with self._open() as parts:
            for part in parts:
                part.not_before = max(part.not_before, now + min(seconds, LONGEST_HOLD))

    def wait(self, now: float, requests: float) -> float:
        """Seconds until so many requests may be asked, if nobody asks until then."""
        with self._open() as parts:
            limits = [limit for part in parts for limit in part.untried]
            room = max((self._until(limit, requests, now) for limit in limits), default=0.0)
            return max(0.0, room, *(part.not_before - now for part in parts))

    def granted(self, now: float, under_way: float) -> float:
        """How many requests may be asked now: evenly where a limit holds, and never beyond one that
        may hold, with so many under way that are not counted yet."""
        with self._open() as parts:
            limits = [limit for part in parts for limit in part.untried]
            room = min((self._left(limit, now) for limit in limits), default=math.inf) - under_way
            for part in parts:
                if part.holds is not None:
                    part.save(now)
                    room = min(room, part.saved / part.holds.cost)
            return room

    def _until(self, limit: Limit, requests: float, now: float) -> float:
        missing = requests - self._left(limit, now)
        for begin, spent in self._parts[limit.counts].slots:
            if missing <= 0:
                break
            until = begin + self._width + limit.seconds - now
            if until > 0:
                missing -= spent / limit.cost
                if missing <= 0:
                    return until
        return 0.0

    def _left(self, limit: Limit, now: float) -> float:
        since = now - limit.seconds - self._width
        slots = self._parts[limit.counts].slots
        return (limit.amount - sum(spent for begin, spent in slots if begin > since)) / limit.cost
