"""Microsoft's documented budgets, and what is left of them. Arithmetic only: the caller reads the
clock.

On work and school drives and document libraries, an app has a number of resource units a minute
that depends on the tenant's licences, and a user has 3,000 requests in five minutes (`values.costs`
lists the cost of each request). Microsoft does not say which limits hold for a tenant; what we find
out is kept here."""

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
"""The most resource units that one request of rclone costs."""


class Limit(NamedTuple):
    """At most `amount` resource units, or requests, in any `seconds` seconds."""

    amount: float
    seconds: float
    counts: Literal["units", "requests"] = "units"

    @property
    def cost(self) -> int:
        """The most that one request takes from the limit."""
        return UNITS if self.counts == "units" else 1


LEASE = 2.0
"""Seconds for which a process counts as active: once killed, it delays others no longer."""
FASTEST = 100.0
"""The most requests a second that rclone sends: one every 10 ms (backend/onedrive, minSleep)."""

# Source: SharePoint/sp-dev-docs @9ceb30b5f673, docs/general-development/
# how-to-avoid-getting-throttled-or-blocked-in-sharepoint-online.md, 2025-10-02 (CC-BY-4.0).
LIMITS = (
    *(Limit(amount, 60.0) for amount in (1250.0, 2500.0, 3750.0, 5000.0, 6250.0)),
    Limit(3000.0, 300.0, "requests"),
)

_SLOTS = 240  # of the shortest window: a quarter of a second of a minute
_BELIEVED = 2  # multiples of the longest window
LONGEST_HOLD = 600.0  # seconds; Microsoft asks for at most five minutes, an impostor for years
_RESERVED = 0.8  # of the lowest limit: the most that is reserved for requests under way
_SAVED = 3.0  # seconds' worth of unused requests that may be sent later
_IN_A_TURN = 4  # requests, if no limit is known to hold
_EVENLY = 0.93  # of a limit that holds; the rest is for others and for requests under way


def rate(limit: Limit) -> float:
    """Requests a second that stay below `limit` if evenly spread."""
    return _EVENLY * limit.amount / limit.seconds / limit.cost


class Part(msgspec.Struct):
    """What is known of the limits that count units, or requests. Can be stored (`ledger`)."""

    untried: list[Limit]
    holds: Limit | None = None
    learned: float = -math.inf
    slots: list[tuple[float, float]] = []
    """The start of each slot, and the amount spent in it."""
    saved: float = 0.0
    saved_at: float = 0.0
    not_before: float = -math.inf
    leases: dict[str, tuple[int, int, float]] = {}
    """By process and account: the number of rclones, the most requests that they may have sent and
    that are not counted yet, and when the lease expires."""

    def spend(self, now: float, width: float, longest: float, amount: float) -> None:
        begin = now // width * width
        if not self.slots or self.slots[-1][0] < begin:
            self.slots.append((begin, 0.0))
        self.slots[-1] = (self.slots[-1][0], self.slots[-1][1] + amount)
        while self.slots[0][0] + width + longest <= now:
            del self.slots[0]
        if self.holds is not None:  # debt beyond one window's worth expires with the window
            self.saved = max(self.saved - amount, -self.holds.amount)

    def save(self, now: float, under_way: float) -> float:
        """How many requests may be sent now at an even rate, besides those under way. Unused
        requests are saved: up to _SAVED seconds' worth, at least one."""
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
    """The answer to one governor's `Budget.turn`."""

    holds: Limit | None
    nearest: Limit | None
    """The limit that may hold and will be reached first."""
    room: float
    """Requests that may be sent besides those under way and this turn's."""
    requests: int
    """Requests that rclone may send in this turn."""
    wait: float
    """Seconds until the turn begins; 0 for now."""


class Shelf:
    """Where the parts are stored: here, in this process only."""

    @property
    def owner(self) -> str:
        """The identifier of this process, for this account."""
        return ""

    def lives(self, owner: str) -> bool:
        """Whether that process still exists."""
        return True

    def finding_out(self) -> AbstractContextManager[object]:
        """A lock: only one governor of all processes goes beyond a limit at a time."""
        return _FINDING_OUT

    def open(self, parts: Parts) -> AbstractContextManager[object]:
        """Load the current parts on entry, and store them on exit."""
        return nullcontext()


_FINDING_OUT = threading.Lock()


class Clock:
    """This machine's clock; a test passes another one."""

    def now(self) -> float:
        """Monotonic seconds."""
        return time.monotonic()

    def wait(self, ended: Flag, seconds: float) -> bool:
        """Wait at most `seconds` for the flag; return whether it is set."""
        return ended.wait(seconds)


class Budget:
    """The requests sent for one account, and which limits hold for it. Safe to share between
    threads and, with a shared shelf, between processes. `now` is in seconds of `clock`, which all
    governors of the budget share."""

    def __init__(
        self,
        limits: Sequence[Limit] = LIMITS,
        clock: Clock | None = None,
        shelf: Shelf | None = None,
    ) -> None:
        self.clock, self.shelf = clock or Clock(), shelf or Shelf()
        self._asking: dict[object, int] = {}
        """The most requests that each governor of this process may have under way."""
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
        """The number of rclones, in all processes, that have joined and not left."""
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
        """The turn of `who`, a governor whose rclone has at most `sent` uncounted requests under
        way and, as it is checked late, may send `more` beyond its turn. If a limit holds, a turn is
        half a second's worth, once available, and a governor that `rests` takes none. Its requests
        under way are leased for LEASE seconds."""
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
        """The most requests that the account's rclones may have sent and that are not counted yet,
        capped so that some of the budget is always left to send."""
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
        """Lease this process's requests under way for LEASE seconds."""
        if self._asking:
            # Checked a hundred times a second, but written only ten times.
            until = math.ceil((now + LEASE) * 10) / 10
            for part in parts:
                lease = (len(self._asking), sum(self._asking.values()), until)
                part.leases[self.shelf.owner] = lease

    def _expire(self, counts: str, part: Part, now: float) -> None:
        """Renew expired leases of live processes; count those of dead ones as spent."""
        for owner in [owner for owner, lease in part.leases.items() if lease[2] <= now]:
            askers, requests, until = part.leases.pop(owner)
            if self.shelf.lives(owner):  # it is finding out whether a limit holds, or waiting
                part.leases[owner] = (askers, requests, now + LEASE)
            else:
                self._spend(until - LEASE, counts, requests * (UNITS if counts == "units" else 1))

    def _holds(self, now: float) -> Limit | None:
        """The limit that Microsoft has shown to hold, if any. Believed for ten minutes: the tenant
        may get more licences, and others may have used up the budget."""
        for name, part in self._parts.items():
            if part.learned + _BELIEVED * self._longest < now and part.learned > -math.inf:
                part.untried, part.holds, part.learned = self._all(name), None, -math.inf
        return min(
            (part.holds for part in self._parts.values() if part.holds), key=rate, default=None
        )

    def spend(self, now: float, requests: float, units: float | None = None) -> None:
        """Count requests; without `units`, each one counts as UNITS."""
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
        """The limit that may hold and will be reached first."""
        return min(self._untried(), key=lambda limit: self._left(limit, now), default=None)

    def _untried(self) -> list[Limit]:
        return [limit for part in self._parts.values() for limit in part.untried]

    def does_not_hold(self, now: float, limit: Limit) -> None:
        """More was granted: the tenant has more licences, or nothing is enforced."""
        with self._open():
            part = self._parts[limit.counts]
            part.learned = now
            part.untried = [other for other in part.untried if other != limit]

    def does_hold(self, now: float, limit: Limit | None = None) -> None:
        """Microsoft refused at this limit; None if unknown, which counts as the lowest."""
        limit = limit or self._limits[0]
        with self._open():
            self._parts[limit.counts].hold(now, limit)

    def said(self, now: float, amount: float, remaining: float) -> None:
        """Microsoft stated the app's limit of units, and how many are left; others may use some."""
        with self._open():
            part = self._parts["units"]
            limit = self._all("units")[0]._replace(amount=amount)
            part.untried = [one for one in part.untried if one.seconds != limit.seconds]
            part.hold(now, limit)
            missing = self._left(limit, now) * limit.cost - remaining
            if missing > 0:
                self._spend(now, "units", missing)

    def hold(self, now: float, seconds: float) -> None:
        """Microsoft asked for a pause of `seconds`; capped at LONGEST_HOLD."""
        with self._open() as parts:
            for part in parts:
                part.not_before = max(part.not_before, now + min(seconds, LONGEST_HOLD))

    def wait(self, now: float, requests: float) -> float:
        """Seconds until `requests` requests may be sent, if none are sent until then."""
        with self._open():
            return self._wait(now, requests)

    def _wait(self, now: float, requests: float) -> float:
        room = max((self._until(limit, requests, now) for limit in self._untried()), default=0.0)
        return max(0.0, room, *(part.not_before - now for part in self._parts.values()))

    def granted(self, now: float) -> float:
        """How many requests may be sent now, besides those under way: at an even rate if a limit
        holds, and never beyond a limit that may hold."""
        with self._open():
            under_way = self._under_way(now)
            return min(self._room(now) - under_way, self._saved(now, under_way))

    def _room(self, now: float) -> float:
        return min((self._left(limit, now) for limit in self._untried()), default=math.inf)

    def _saved(self, now: float, under_way: float) -> float:
        held = (part for part in self._parts.values() if part.holds is not None)
        return min((part.save(now, under_way) for part in held), default=math.inf)

    def _until(self, limit: Limit, requests: float, now: float) -> float:
        """Seconds until `requests` fit; if they never fit at once, until the window is empty."""
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
