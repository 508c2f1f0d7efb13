"""The same HTTP calls, with what they tell on the side: how far our clock is off, and whether
Microsoft throttles."""

from __future__ import annotations

from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import Any

from .http import Answer, Http


class WatchedHttp(Http):
    """`clock_offset` is how many seconds Microsoft's clock is ahead of ours (to the second; None
    before the first answer); `throttled` counts the answers that asked to slow down.
    """

    clock_offset: float | None = None
    throttled: int = 0

    def __enter__(self) -> WatchedHttp:
        return self

    def once(
        self, method: str, url: str, headers: Any, data: Any = None, params: Any = None
    ) -> Answer:
        answer = super().once(method, url, headers, data, params)
        if answer.status in (429, 503):
            self.throttled += 1
        try:
            moment = parsedate_to_datetime(answer.headers["date"])
        except (KeyError, TypeError, ValueError):
            return answer
        # The header is cut to whole seconds: on average, half a second is missing.
        self.clock_offset = moment.timestamp() + 0.5 - datetime.now(timezone.utc).timestamp()
        return answer
