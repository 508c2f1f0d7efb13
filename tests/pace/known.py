"""What a budget knows about its limits, as seen by all its users."""

from __future__ import annotations

from pluton_rclone.pace.budgets import Budget, Limit


def holds(budget: Budget, now: float) -> Limit | None:
    """The limit that has been shown to hold."""
    with budget._open():
        return budget._holds(now)


def nearest(budget: Budget, now: float) -> Limit | None:
    """The limit that may hold and will be reached first."""
    with budget._open():
        return budget._nearest(now)
