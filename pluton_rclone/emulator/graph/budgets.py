"""Microsoft's documented budgets: how many requests a user and an app may send before throttling.

Off until `enable` is called. Each budget is a sliding window: the requests of the last five minutes
(or the last minute) must stay within it. Throttled requests count, too, so a client that keeps
sending waits longer; Retry-After is the time until there is room if no request comes until then.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeVar

from pluton_rclone.emulator.faults import GraphFault

if TYPE_CHECKING:
    from pluton_rclone.emulator.world import World

# limits.json of the facts, "throttling". Source: SharePoint/sp-dev-docs @9ceb30b5f673, 2025-10-02,
# docs/general-development/how-to-avoid-getting-throttled-or-blocked-in-sharepoint-online.md
USER_REQUESTS = 3000
USER_WINDOW = 300.0  # seconds
APP_UNITS: dict[int | None, int] = {
    1000: 1250,
    5000: 2500,
    15000: 3750,
    50000: 5000,
    None: 6250,
}  # by the number of licences, up to
APP_WINDOW = 60.0
TENANT_UNITS: dict[int | None, int] = {
    1000: 18750,
    5000: 37500,
    15000: 56250,
    50000: 75000,
    None: 93750,
}
TENANT_WINDOW = 300.0
RATE_LIMIT_HEADERS_FROM = 0.8  # of the app's budget

# Resource units: the same source.
ONE_ITEM = 1  # get one item, delta with a token, download
MANY_OR_CHANGE = 2  # list children, delta without a token, create, update, delete, upload
PERMISSIONS = 5  # anything with permissions

Key = TypeVar("Key")

_SLOTS = 60  # the pieces in which a window is counted


class Asking(Protocol):
    """The party that is charged."""

    @property
    def user(self) -> str: ...

    @property
    def app(self) -> str: ...

    @property
    def tenant(self) -> str: ...


class Window:
    """What was spent in the last `seconds`."""

    def __init__(self, limit: float, seconds: float) -> None:
        self.limit = limit
        self.seconds = seconds
        self.spent = 0
        self._width = seconds / _SLOTS
        self._slots: deque[list[float]] = deque()  # [begin, amount]

    def add(self, amount: int, now: float) -> None:
        """Spend `amount`."""
        begin = now // self._width * self._width
        if not self._slots or self._slots[-1][0] != begin:
            self._slots.append([begin, 0])
        self._slots[-1][1] += amount
        self.spent += amount

    def left(self, now: float) -> float:
        """What may still be spent; negative after overspending."""
        while self._slots and self._slots[0][0] + self.seconds <= now:
            self.spent -= int(self._slots.popleft()[1])
        return self.limit - self.spent

    def wait(self, amount: int, now: float) -> float:
        """Seconds until `amount` fits, if nothing is spent until then."""
        missing = amount - self.left(now)
        for begin, spent in self._slots:
            if missing <= 0:
                break
            missing -= spent
            now_free = begin + self.seconds
            if missing <= 0:
                return max(0.0, now_free - now)
        return 0.0


class Verdict(NamedTuple):
    """The result for a request within its budgets: headers for its answer."""

    headers: list[tuple[bytes, bytes]]


_FREE = Verdict([])


class Budgets:
    """The windows of all users, apps and tenants."""

    def __init__(self, world: World) -> None:
        self.enabled = False
        self.throttled = 0  # requests refused so far
        self._clock: Callable[[], float] = time.monotonic
        self._scale = 1.0
        self._share = 1.0
        self._licences: int | None = 1000
        self._users: dict[tuple[str, str], Window] = {}
        self._apps: dict[tuple[str, str], Window] = {}
        self._tenants: dict[str, Window] = {}

    def enable(
        self,
        *,
        time_scale: float = 1.0,
        share: float = 1.0,
        licences: int | None = 1000,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Count from now on, from zero.

        `time_scale` is the factor by which Microsoft's time runs faster (10: five minutes take
        thirty seconds); `share` scales every budget (0.1: 300 requests instead of 3,000). With 10
        and 0.1 together the rates are Microsoft's own, and everything takes a tenth of the time.
        `licences`, the tenant's number, selects the column of the table (None: more than 50,000).
        """
        self._users.clear()
        self._apps.clear()
        self._tenants.clear()
        self.throttled = 0
        self._scale, self._share, self._licences, self._clock = time_scale, share, licences, clock
        self.enabled = True

    def disable(self) -> None:
        """Stop counting."""
        self.enabled = False

    def charge(self, who: Asking, units: int) -> Verdict:
        """Count one request of `units` resource units. Raises Graph's 429 if a budget is spent."""
        if not self.enabled:
            return _FREE
        now = self._clock() * self._scale
        app = self._window(
            self._apps, (who.app, who.tenant), _column(APP_UNITS, self._licences), APP_WINDOW
        )
        windows = [
            (app, units),
            (
                self._window(
                    self._tenants, who.tenant, _column(TENANT_UNITS, self._licences), TENANT_WINDOW
                ),
                units,
            ),
        ]
        if who.user:
            user = self._window(self._users, (who.user, who.tenant), USER_REQUESTS, USER_WINDOW)
            windows.append((user, 1))
        over = [window for window, amount in windows if window.left(now) < amount]
        for window, amount in windows:
            window.add(amount, now)
        if over:
            self.throttled += 1
            waits = [window.wait(amount, now) for window, amount in windows]
            raise self._refusal(max(waits), app, now)
        remaining = app.left(now)
        if app.spent < RATE_LIMIT_HEADERS_FROM * app.limit:
            return _FREE
        return Verdict(
            [
                (k.lower().encode(), v.encode())
                for k, v in self._headers(app, remaining, now).items()
            ]
        )

    def _refusal(self, wait: float, app: Window, now: float) -> GraphFault:
        seconds = str(max(1, math.ceil(wait / self._scale)))
        return GraphFault(
            429,
            "activityLimitReached",
            "The app or user has been throttled.",
            inner_codes=("throttledRequest",),
            headers={"Retry-After": seconds, **self._headers(app, app.left(now), now)},
        )

    def _headers(self, app: Window, remaining: float, now: float) -> dict[str, str]:
        reset = math.ceil(app.wait(1, now) / self._scale)
        return {
            "RateLimit-Limit": str(int(app.limit)),
            "RateLimit-Remaining": str(max(0, int(remaining))),
            "RateLimit-Reset": str(max(1, reset)),
        }

    def _window(self, windows: dict[Key, Window], key: Key, limit: int, seconds: float) -> Window:
        window = windows.get(key)
        if window is None:
            window = windows[key] = Window(limit * self._share, seconds)
        return window


def _column(table: dict[int | None, int], licences: int | None) -> int:
    for most, amount in table.items():
        if most is None or (licences is not None and licences <= most):
            return amount
    raise AssertionError("every table ends with None")
