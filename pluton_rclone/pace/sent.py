"""How many requests of one rclone may be under way: sent, and not counted yet.

rclone sends one in 10 ms at most, and stands still between its turns. So what it may have sent is
known by how long it ran, and what it was answered is subtracted.
"""

from __future__ import annotations

import math
from collections import deque

from .budgets import FASTEST

_NOTICED = 0.03  # seconds in which an rclone that runs counts the answers that have arrived


class _Span:
    """Some time that it ran, and the requests of it that may be under way."""

    def __init__(self, began: float, ended: float, sent: float) -> None:
        self.began, self.ended, self.sent = began, ended, sent


class Sent:
    """Of one rclone; times are in seconds of one clock."""

    def __init__(self) -> None:
        self._spans: deque[_Span] = deque()
        self._since: float | None = None  # when it was seen last, or goes on
        self._first = 1.0  # request, that is sent at once when it goes on

    def goes_on(self, now: float) -> None:
        """It stood still until now."""
        self._since, self._first = now, 1.0

    def ran(self, now: float) -> float:
        """It has run since it was seen last: for so many seconds."""
        began = now if self._since is None else self._since
        self._spans.append(_Span(began, now, FASTEST * (now - began) + self._first))
        self._since, self._first = now, 0.0
        return now - began

    def answered(self, requests: int) -> None:
        """The first ones that it sent."""
        left = float(requests)
        for span in self._spans:
            answered = min(left, span.sent)
            span.sent -= answered
            left -= answered

    def most(self, round_trip: float) -> int:
        """Requests under way, if each is answered in so many seconds."""
        oldest, ran = math.inf, 0.0
        for span in reversed(self._spans):
            ran += span.ended - span.began
            oldest = span.began
            if ran >= _NOTICED:
                oldest += ran - _NOTICED
                break
        else:
            oldest = -math.inf
        oldest -= round_trip
        while self._spans and self._spans[0].ended <= oldest:
            self._spans.popleft()
        if self._spans and (span := self._spans[0]).began < oldest:
            span.began = oldest
            span.sent = min(span.sent, FASTEST * (span.ended - oldest))
        return math.ceil(sum(span.sent for span in self._spans) - 1e-6)
