"""docs/scale.md has the numbers of the prediction."""

from __future__ import annotations

import pytest

from pluton_rclone.pace.budgets import Limit
from tests.bench.fleet import Work, predicted, table

from .pages import ROOT

UNITS = Limit(600.0, 60.0)


def test_the_table_is_the_predicted_one() -> None:
    """`python -m tests.bench fleet --table` prints the current one."""
    assert table() in (ROOT / "docs" / "scale.md").read_text()


@pytest.mark.parametrize(
    ("jobs", "at_once", "speed", "limits", "seconds"),
    [
        ([Work(100, 200)], 1, 10.0, [], 10),
        ([Work(100, 200)] * 4, 2, 10.0, [], 20),
        ([Work(100, 200), Work(300, 600)], 2, 10.0, [], 30),
        # 600 units at once and 9.3 a second: the rest at that rate
        ([Work(1000, 2000)], 1, 10.0, [UNITS], (2000 - 600) / 9.3),
        ([Work(1000, 2000)] * 2, 1, 10.0, [UNITS], (4000 - 600) / 9.3),
    ],
)
def test_a_fleet_takes_what_its_slowest_budget_allows(
    jobs: list[Work], at_once: int, speed: float, limits: list[Limit], seconds: float
) -> None:
    assert predicted(jobs, at_once, speed, limits) == pytest.approx(seconds, rel=0.001)
