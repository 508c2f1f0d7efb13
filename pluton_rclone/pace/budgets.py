"""Microsoft's documented budgets, and what is left of them: arithmetic alone, the caller has the
clock.

On work and school drives and document libraries, an app has resource units a minute, by the
tenant's licences, and a user 3,000 requests in five minutes. Listing a folder and every change cost
two units. Microsoft does not say which limits hold for a tenant; what is found out is kept here.
"""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

UNITS = 2
"""Resource units of a request, at most: "list children, create, update, delete, upload"; one item,
a page of the delta feed and a download cost one, and are counted as two."""


class Limit(NamedTuple):
    """So many resource units, or requests, in any so many seconds."""

    amount: float
    seconds: float
    counts: Literal["units", "requests"] = "units"

    @property
    def cost(self) -> int:
        """What a request takes of it, at most."""
        return UNITS if self.counts == "units" else 1


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
    between threads. `now` is in seconds, of the clock by which all that ask from it go."""

    def __init__(self, limits: Sequence[Limit] = LIMITS, clock: Clock | None = None) -> None:
        self.clock = clock or Clock()
        self.finding_out = threading.Lock()
        """Held while one governor goes beyond a limit."""
        self.askers = 0
        """How many rclones ask from it now: from `join` to `leave`."""
        self._lock = threading.Lock()
        self._limits = tuple(limits)
        self._untried = list(limits)
        self._holds: Limit | None = None
        self._learned = -math.inf
        self._slots: deque[list[float]] = deque()  # begin, requests (cost 1), units (cost 2)
        self._width = min(limit.seconds for limit in limits) / _SLOTS
        self._longest = max(limit.seconds for limit in limits)
        self._saved = self._saved_at = 0.0
        self._not_before = -math.inf

    def under_way(self, round_trip: float) -> int:
        """The most requests that the account's rclones may have sent and not counted yet; however
        many rclones there are, something is left for them to send."""
        each = math.ceil(FASTEST * round_trip) + 3
        narrowest = min(limit.amount / limit.cost for limit in self._limits)
        return min(each * max(1, self.askers), int(_RESERVED * narrowest))

    def join(self) -> None:
        with self._lock:
            self.askers += 1

    def leave(self) -> None:
        with self._lock:
            self.askers -= 1

    def holds(self, now: float) -> Limit | None:
        """The limit that Microsoft has shown to hold, if any. It is believed for ten minutes: a
        tenant may get more licences, and others may have filled the budget."""
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
        """The limit that may hold and is reached first, and the requests until then. None: none."""
        with self._lock:
            left = ((limit, self._left(limit, now)) for limit in self._untried)
            return min(left, key=lambda found: found[1], default=None)

    def does_not_hold(self, now: float, limit: Limit) -> None:
        """More was granted: the tenant has more licences, or nobody counts."""
        with self._lock:
            self._learned = now
            self._untried = [other for other in self._untried if other != limit]

    def does_hold(self, now: float, limit: Limit | None = None) -> None:
        """Microsoft refused at this limit. None: at an unknown one, taken to be the lowest."""
        with self._lock:
            self._hold(now, limit or self._limits[0])

    def said(self, now: float, limit: Limit, remaining: float) -> None:
        """Microsoft said the limit, and how many units are left: others may spend it, too."""
        with self._lock:
            self._untried = [one for one in self._untried if one[1:] != limit[1:]]
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
        """Microsoft wants nothing to be asked for so long; believed for LONGEST_HOLD."""
        with self._lock:
            self._not_before = max(self._not_before, now + min(seconds, LONGEST_HOLD))

    def wait(self, now: float, requests: float) -> float:
        """Seconds until so many requests may be asked, if nobody asks until then."""
        with self._lock:
            room = max((self._until(limit, requests, now) for limit in self._untried), default=0.0)
            return max(0.0, self._not_before - now, room)

    def granted(self, now: float, under_way: float) -> float:
        """How many requests may be sent now, with so many under way that are not counted yet:
        evenly where a limit holds, and never beyond one that may hold."""
        with self._lock:
            left = min((self._left(limit, now) for limit in self._untried), default=math.inf)
            room = left - under_way
            if self._holds is None:
                return room
            self._save(now, self._holds)
            return min(self._saved / UNITS, room)

    def _save(self, now: float, limit: Limit) -> None:
        """What is not asked at once may be asked later: a second's worth, at least one request."""
        units = rate(limit) * UNITS
        self._saved = min(max(units, UNITS), self._saved + units * max(0.0, now - self._saved_at))
        self._saved_at = max(now, self._saved_at)

    def _until(self, limit: Limit, requests: float, now: float) -> float:
        missing, until = requests - self._left(limit, now), 0.0
        for slot in self._slots:
            if missing <= 0:
                break
            until = max(0.0, slot[0] + self._width + limit.seconds - now)
            if until > 0:
                missing -= slot[limit.cost] / limit.cost
        return until if missing <= 0 else 0.0

    def _left(self, limit: Limit, now: float) -> float:
        since = now - limit.seconds - self._width
        spent = sum(slot[limit.cost] for slot in self._slots if slot[0] > since)
        return (limit.amount - spent) / limit.cost


BUDGETS: dict[tuple[str, str], Budget] = {}
"""Of the accounts that this process works for: one per account and app."""
_BUDGETS_LOCK = threading.Lock()


def account_of(section: Mapping[str, str]) -> tuple[str, str]:
    """What remotes that share a budget have in common; `section` is one in rclone.conf."""
    account = section.get("pluton_account_name") or section.get("drive_id", "")
    return section.get("client_id", ""), account


def budget_of(section: Mapping[str, str]) -> Budget | None:
    """The account's budget; None for a personal drive, for which Microsoft documents none."""
    if section.get("drive_type") == "personal":
        return None
    with _BUDGETS_LOCK:
        return BUDGETS.setdefault(account_of(section), Budget())
