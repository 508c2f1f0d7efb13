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
from typing import TYPE_CHECKING, Literal, NamedTuple

import msgspec

from pluton_rclone.values.costs import CHANGE

if TYPE_CHECKING:
    from pluton_rclone.process.interrupts import Flag

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
_SAVED = 3.0  # seconds' worth that were not asked at once may be asked later
_IN_A_TURN = 4  # requests, where no limit is known to hold
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
        if self.holds is not None:  # more than a window's worth is forgotten with the window
            self.saved = max(self.saved - amount, -self.holds.amount)

    def save(self, now: float, under_way: float) -> float:
        """How many requests may be asked evenly, beside those under way. What is not asked at once
        may be asked later: _SAVED seconds' worth, at least one request."""
        assert self.holds is not None
        cost = self.holds.cost
        each = rate(self.holds) * cost
        earned = each * max(0.0, now - self.saved_at)
        self.saved = min(max(_SAVED * each, cost) + under_way * cost, self.saved + earned)
        self.saved_at = max(now, self.saved_at)
        return self.saved / cost - under_way

    def hold(self, now: float, limit: Limit) -> None:
        self.learned = now
        if limit not in self.untried:
            self.untried.append(limit)
        if self.holds is None or rate(limit) < rate(self.holds):
            self.holds, self.saved, self.saved_at = limit, 0.0, now


Parts = dict[str, Part]


class Turn(NamedTuple):
    """What one of those that ask is told."""

    holds: Limit | None
    nearest: Limit | None
    """The limit that may hold and is reached first."""
    room: float
    """Requests that may be sent beside what is under way, and beside this turn's."""
    requests: int
    """That it may send in its turn."""
    wait: float
    """Seconds until it may go on; 0: now."""


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

    def wait(self, ended: Flag, seconds: float) -> bool:
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
        self._asking: dict[object, int] = {}
        """The requests that each governor of this process may have under way."""
        self._others = 0
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
        return len(self._asking) + self._others

    def join(self, who: object) -> None:
        with self._lock:
            self._asking[who] = 0

    def leave(self, who: object) -> None:
        with self._open() as parts:
            del self._asking[who]
            for part in parts if not self._asking else ():
                part.leases.pop(self.shelf.owner, None)

    def turn(self, who: object, sent: int, more: int, rests: bool = False) -> Turn:
        """`who` asks whether it may go on: it has `sent` so many requests, at most, that are not
        counted yet, and may send so many `more` than its turn gives, as it is looked at late. Where
        a limit holds, a turn is half a second's worth, once there is so much, and one that `rests`
        takes none. What it has under way is leased to it for LEASE seconds.
        """
        now = self.clock.now()
        with self._open() as parts:
            self._asking[who] = sent
            under_way = self._under_way(now)
            holds, nearest = self._holds(now), self._nearest(now)
            requests, wait = _IN_A_TURN, 0.0
            if holds is not None:
                each = rate(holds)
                requests = max(1, int(each / 2))
                wait = self._wait(now, under_way + requests + more)
                wait = max(wait, (requests - self._saved(now, under_way)) / each)
            ahead = 0 if wait > 0 or (rests and holds) else requests + more
            self._asking[who] = sent + ahead
            self._lease(now, parts)
            room = self._room(now) - under_way - requests - more
        return Turn(holds, nearest, room, requests, wait)

    def _under_way(self, now: float) -> int:
        """The most requests that the account's rclones may have sent and not counted yet; however
        many rclones there are, something is left for them to send."""
        others: dict[str, tuple[int, int, float]] = {}
        for counts, part in self._parts.items():
            self._expire(counts, part, now)
            others |= part.leases  # of the same app, and of the same account
        others.pop(self.shelf.owner, None)
        self._others = sum(askers for askers, _, _ in others.values())
        narrowest = min(limit.amount / limit.cost for limit in self._limits)
        sent = sum(self._asking.values()) + sum(requests for _, requests, _ in others.values())
        return min(sent, int(_RESERVED * narrowest))

    def _lease(self, now: float, parts: list[Part]) -> None:
        """What this process's rclones have under way, for LEASE seconds."""
        if self._asking:
            # Looked at a hundred times a second, it is written ten times.
            until = math.ceil((now + LEASE) * 10) / 10
            for part in parts:
                lease = (len(self._asking), sum(self._asking.values()), until)
                part.leases[self.shelf.owner] = lease

    def _expire(self, counts: str, part: Part, now: float) -> None:
        """Of leases that have ended: what a process that is gone may have asked, it has asked."""
        for owner in [owner for owner, lease in part.leases.items() if lease[2] <= now]:
            askers, requests, until = part.leases.pop(owner)
            if self.shelf.lives(owner):  # it finds out whether a limit holds, or waits
                part.leases[owner] = (askers, requests, now + LEASE)
            else:
                self._spend(until - LEASE, counts, requests * (UNITS if counts == "units" else 1))

    def _holds(self, now: float) -> Limit | None:
        """The limit that Microsoft has shown to hold, if any. It is believed for ten minutes: a
        tenant may get more licences, and others may have filled the budget."""
        for name, part in self._parts.items():
            if part.learned + _BELIEVED * self._longest < now and part.learned > -math.inf:
                part.untried, part.holds, part.learned = self._all(name), None, -math.inf
        return min(
            (part.holds for part in self._parts.values() if part.holds), key=rate, default=None
        )

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

    def _nearest(self, now: float) -> Limit | None:
        """The limit that may hold and is reached first."""
        return min(self._untried(), key=lambda limit: self._left(limit, now), default=None)

    def _untried(self) -> list[Limit]:
        return [limit for part in self._parts.values() for limit in part.untried]

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

    def said(self, now: float, amount: float, remaining: float) -> None:
        """Microsoft said the app's limit of units, and how many are left: others may spend it."""
        with self._open():
            part = self._parts["units"]
            limit = self._all("units")[0]._replace(amount=amount)
            part.untried = [one for one in part.untried if one.seconds != limit.seconds]
            part.hold(now, limit)
            missing = self._left(limit, now) * limit.cost - remaining
            if missing > 0:
                self._spend(now, "units", missing)

    def hold(self, now: float, seconds: float) -> None:
        """Microsoft wants nothing to be asked for so long; believed for LONGEST_HOLD."""
        with self._open() as parts:
            for part in parts:
                part.not_before = max(part.not_before, now + min(seconds, LONGEST_HOLD))

    def wait(self, now: float, requests: float) -> float:
        """Seconds until so many requests may be asked, if nobody asks until then."""
        with self._open():
            return self._wait(now, requests)

    def _wait(self, now: float, requests: float) -> float:
        room = max((self._until(limit, requests, now) for limit in self._untried()), default=0.0)
        return max(0.0, room, *(part.not_before - now for part in self._parts.values()))

    def granted(self, now: float) -> float:
        """How many requests may be asked now, beside those under way: evenly where a limit holds,
        and never beyond one that may hold."""
        with self._open():
            under_way = self._under_way(now)
            return min(self._room(now) - under_way, self._saved(now, under_way))

    def _room(self, now: float) -> float:
        return min((self._left(limit, now) for limit in self._untried()), default=math.inf)

    def _saved(self, now: float, under_way: float) -> float:
        held = (part for part in self._parts.values() if part.holds is not None)
        return min((part.save(now, under_way) for part in held), default=math.inf)

    def _until(self, limit: Limit, requests: float, now: float) -> float:
        """Seconds until so many fit; more than ever fit at once: until nothing is counted."""
        missing, until = requests - self._left(limit, now), 0.0
        for begin, spent in self._parts[limit.counts].slots:
            if missing <= 0:
                break
            leaves = begin + self._width + limit.seconds - now
            if leaves > 0:
                missing, until = missing - spent / limit.cost, leaves
        return until

    def _left(self, limit: Limit, now: float) -> float:
        since = now - limit.seconds - self._width
        slots = self._parts[limit.counts].slots
        return (limit.amount - sum(spent for begin, spent in slots if begin > since)) / limit.cost
