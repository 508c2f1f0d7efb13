"""How many requests of one rclone may be under way: sent, and not counted yet.

rclone sends at most one every 10 ms, and is stopped between its turns. So the time that it ran
bounds what it may have sent, and the answers are subtracted."""

from __future__ import annotations

import math
from collections import deque

from .budgets import FASTEST

_NOTICED = 0.03  # seconds within which a running rclone counts the answers that have arrived


class _Span:
    """A time in which rclone ran, and how many requests sent then may be under way."""

    def __init__(self, began: float, ended: float, sent: float) -> None:
        self.began, self.ended, self.sent = began, ended, sent


class Sent:
    """The requests of one rclone; times are in seconds of one clock."""

    def __init__(self) -> None:
        self._spans: deque[_Span] = deque()
        self._since: float | None = None  # when it was last seen running, or resumed
        self._first = 1.0  # the request that it sends immediately when resumed

    def goes_on(self, now: float) -> None:
        """It was stopped until now."""
        self._since, self._first = now, 1.0

    def ran(self, now: float) -> float:
        """It has run since it was last seen; return the seconds."""
        began = now if self._since is None else self._since
        self._spans.append(_Span(began, now, FASTEST * (now - began) + self._first))
        self._since, self._first = now, 0.0
        return now - began

    def answered(self, requests: int) -> None:
        """The oldest `requests` requests were answered."""
        left = float(requests)
        for span in self._spans:
            answered = min(left, span.sent)
            span.sent -= answered
            left -= answered

    def most(self, round_trip: float) -> int:
        """The most requests under way, if each is answered within `round_trip` seconds."""
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
