"""Microsoft's documented budgets, and what is left of them: arithmetic alone; whoever asks brings
the time along.

Work and school drives, document libraries: an app is granted resource units a minute, by the
licences of the tenant, and a user 3,000 requests in five minutes. Listing a folder and every change
cost two units. Nobody says which of these hold for a tenant; what a session finds out about them is
kept here, too.
"""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Sequence
from typing import Literal, NamedTuple

UNITS = 2
"""Resource units of a request, at most: "list children, create, update, delete, upload"; one item,
a page of the delta feed and a download cost one, and are counted as two."""


class Limit(NamedTuple):
    """So many resource units, or requests, in any so many seconds."""

    amount: float
    seconds: float
    counts: Literal["units", "requests"] = "units"


# Source: SharePoint/sp-dev-docs @9ceb30b5f673, docs/general-development/
# how-to-avoid-getting-throttled-or-blocked-in-sharepoint-online.md, 2025-10-02 (CC-BY-4.0).
LIMITS = (
    *(Limit(amount, 60.0) for amount in (1250.0, 2500.0, 3750.0, 5000.0, 6250.0)),
    Limit(3000.0, 300.0, "requests"),
)

_SLOTS = 240  # of the shortest window: a quarter of a second of a minute
_BELIEVED = 2  # times the longest window
LONGEST_HOLD = (
    600.0  # seconds; Microsoft asks for five minutes at most, somebody in its place for years
)
_EVENLY = 0.93  # of a limit that holds: the rest is for others, and for what is under way


def rate(limit: Limit) -> float:
    """Requests a second that stay below it, evenly asked."""
    return _EVENLY * limit.amount / limit.seconds / (UNITS if limit.counts == "units" else 1)


class Budget:
    """What was asked of Microsoft for one account, and which limits hold for it. Safe to share
    between threads.

    `now` is in seconds, of a clock that only goes forward.
    """

    def __init__(self, limits: Sequence[Limit] = LIMITS) -> None:
        self.finding_out = threading.Lock()
        """Held by who goes beyond a limit: one at a time."""
        self.askers = 0
        """How many rclones ask from it at the moment. Changed by `join` and `leave`."""
        self._lock = threading.Lock()
        self._limits = tuple(limits)
        self._untried = list(limits)
        self._holds: Limit | None = None
        self._learned = -math.inf
        self._slots: deque[list[float]] = deque()  # begin, requests, units
        self._width = min(limit.seconds for limit in limits) / _SLOTS
        self._longest = max(limit.seconds for limit in limits)
        self._saved = 0.0
        self._saved_at = 0.0
        self._not_before = -math.inf

    @property
    def narrowest(self) -> float:
        """Requests that the lowest limit grants in its time."""
        return min(
            limit.amount / (UNITS if limit.counts == "units" else 1) for limit in self._limits
        )

    def join(self) -> None:
        """One more rclone asks from it, until it calls `leave`."""
        with self._lock:
            self.askers += 1

    def leave(self) -> None:
        """One fewer."""
        with self._lock:
            self.askers -= 1

    def holds(self, now: float) -> Limit | None:
        """The limit that Microsoft has shown to hold, if it has. What was found out is believed for
        ten minutes: a tenant may get more licences, and the requests that filled the budget may
        have been somebody else's.
        """
        with self._lock:
            if now - self._learned > _BELIEVED * self._longest:
                self._untried, self._holds = list(self._limits), None
            return self._holds

    def spend(self, now: float, requests: float, units: float | None = None) -> None:
        """Count requests; `units` is UNITS for each where it is not given."""
        spent = UNITS * requests if units is None else units
        with self._lock:
            begin = now // self._width * self._width
            if not self._slots or self._slots[-1][0] < begin:
                self._slots.append([begin, 0.0, 0.0])
            self._slots[-1][1] += requests
            self._slots[-1][2] += spent
            while self._slots[0][0] + self._width + self._longest <= now:
                self._slots.popleft()
            if self._holds is not None:
                self._save(now, self._holds)
                self._saved -= spent

    def left(self, limit: Limit, now: float) -> float:
        """How many requests still fit below a limit; negative beyond it."""
        with self._lock:
            return self._left(limit, now)

    def nearest(self, now: float) -> tuple[Limit, float] | None:
        """The limit that is reached first of those that may hold, and the requests until then;
        None: none of them holds."""
        with self._lock:
            return min(
                ((limit, self._left(limit, now)) for limit in self._untried),
                key=lambda found: found[1],
                default=None,
            )

    def does_not_hold(self, now: float, limit: Limit) -> None:
        """More was asked, and granted: the tenant has more licences, or nobody counts."""
        with self._lock:
            self._learned = now
            self._untried = [other for other in self._untried if other != limit]

    def does_hold(self, now: float, limit: Limit | None = None) -> None:
        """Microsoft refused at this limit. None: at one that nobody knows, so it is the lowest."""
        with self._lock:
            self._hold(now, limit or self._limits[0])

    def said(self, now: float, limit: Limit, remaining: float) -> None:
        """Microsoft said what the limit is, and how many units of it are left: others may spend it,
        too."""
        with self._lock:
            self._untried = [
                other
                for other in self._untried
                if (other.seconds, other.counts) != (limit.seconds, limit.counts)
            ]
            self._hold(now, limit)
            missing = self._left(limit, now) * UNITS - remaining
        if missing > 0:
            self.spend(now, 0, missing)

    def _hold(self, now: float, limit: Limit) -> None:
        self._learned = now
        if limit not in self._untried:
            self._untried.append(limit)
        if self._holds is None or rate(limit) < rate(self._holds):
            self._holds = limit
            self._saved, self._saved_at = 0.0, now

    def hold(self, now: float, seconds: float) -> None:
        """Microsoft wants nothing to be asked for so long; after LONGEST_HOLD one looks whether it
        still does."""
        with self._lock:
            self._not_before = max(self._not_before, now + min(seconds, LONGEST_HOLD))

    def wait(self, now: float, requests: float) -> float:
        """Seconds until so many requests may be asked, if nobody asks until then: what Microsoft
        wants, and what the limits that may hold leave.
        """
        with self._lock:
            room = max((self._until(limit, requests, now) for limit in self._untried), default=0.0)
            return max(0.0, self._not_before - now, room)

    def granted(self, now: float, under_way: float) -> float:
        """How many requests may be asked now: evenly where a limit holds, and never beyond one that
        may hold, with so many under way that are not counted yet.
        """
        with self._lock:
            room = (
                min((self._left(limit, now) for limit in self._untried), default=math.inf)
                - under_way
            )
            if self._holds is None:
                return room
            self._save(now, self._holds)
            return min(self._saved / UNITS, room)

    def _save(self, now: float, limit: Limit) -> None:
        """What is not asked at once may be asked later, up to a second's worth, and at least one
        request."""
        units = rate(limit) * UNITS
        self._saved = min(max(units, UNITS), self._saved + units * max(0.0, now - self._saved_at))
        self._saved_at = max(now, self._saved_at)

    def _until(self, limit: Limit, requests: float, now: float) -> float:
        column, cost = (2, UNITS) if limit.counts == "units" else (1, 1)
        missing = requests - self._left(limit, now)
        for slot in self._slots:
            if missing <= 0:
                break
            until = slot[0] + self._width + limit.seconds - now
            if until > 0:
                missing -= slot[column] / cost
                if missing <= 0:
                    return until
        return 0.0

    def _left(self, limit: Limit, now: float) -> float:
        column, cost = (2, UNITS) if limit.counts == "units" else (1, 1)
        since = now - limit.seconds - self._width
        spent = sum(slot[column] for slot in self._slots if slot[0] > since)
        return (limit.amount - spent) / cost
