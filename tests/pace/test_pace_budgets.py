"""Microsoft's budgets as arithmetic: what is left, which of them hold, and when the next request
may be sent."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pluton_rclone.emulator.graph.budgets import APP_UNITS, APP_WINDOW, USER_REQUESTS, USER_WINDOW
from pluton_rclone.pace.budgets import LIMITS, UNITS, Budget, Limit, rate
from tests.pace.known import holds, nearest

MINUTE = Limit(120.0, 60.0)
FIVE_MINUTES = Limit(200.0, 300.0, "requests")


def test_the_limits_are_those_that_the_emulator_enforces_by_a_table_of_its_own() -> None:
    app = [Limit(float(amount), APP_WINDOW) for amount in APP_UNITS.values()]
    assert [*app, Limit(float(USER_REQUESTS), USER_WINDOW, "requests")] == list(LIMITS)


def test_a_request_costs_two_units_unless_it_is_known_to_cost_less() -> None:
    budget = Budget([MINUTE])
    budget.spend(0.0, 10)
    budget.spend(0.0, 10, 10)
    assert budget.left(MINUTE, 1.0) == (120 - 20 - 10) / UNITS


def test_what_was_asked_is_forgotten_when_the_window_has_slid_over_it() -> None:
    budget = Budget([MINUTE])
    budget.spend(0.0, 60)
    assert budget.left(MINUTE, 59.9) == 0
    assert budget.left(MINUTE, 61.0) == 60


def test_the_nearest_limit_is_the_one_with_the_fewest_requests_left() -> None:
    budget = Budget([MINUTE, FIVE_MINUTES])
    assert nearest(budget, 0.0) == MINUTE
    for minute in range(4):
        budget.spend(60.0 * minute, 45)
    assert nearest(budget, 250.0) == FIVE_MINUTES


def test_a_limit_that_does_not_hold_is_no_longer_near() -> None:
    budget = Budget([MINUTE])
    budget.does_not_hold(0.0, MINUTE)
    budget.spend(0.0, 1000)
    assert nearest(budget, 0.0) is None
    assert budget.granted(0.0) == math.inf


def test_what_was_found_out_is_believed_for_twice_the_longest_window() -> None:
    budget = Budget([MINUTE, FIVE_MINUTES])
    budget.does_hold(0.0, MINUTE)
    budget.does_not_hold(0.0, FIVE_MINUTES)
    assert holds(budget, 599.0) == MINUTE
    assert holds(budget, 601.0) is None
    assert nearest(budget, 601.0) == MINUTE


def test_a_refusal_at_an_unknown_limit_is_taken_for_the_lowest() -> None:
    budget = Budget([MINUTE, Limit(240.0, 60.0)])
    budget.does_not_hold(0.0, MINUTE)
    budget.does_hold(1.0)
    assert holds(budget, 1.0) == MINUTE


def test_microsoft_says_the_limit_and_what_others_left_of_it() -> None:
    """The limit is that of a tenant with more licences, so the lower ones do not hold there."""
    budget = Budget([MINUTE, Limit(240.0, 60.0), FIVE_MINUTES])
    budget.spend(0.0, 50)
    larger = Limit(240.0, 60.0)
    budget.said(0.0, 240.0, remaining=40.0)
    assert holds(budget, 0.0) == larger
    assert budget.left(larger, 0.0) == 40 / UNITS
    assert nearest(budget, 0.0) == larger


def test_microsofts_wish_that_nobody_asks_is_kept() -> None:
    budget = Budget([MINUTE])
    budget.hold(10.0, 30.0)
    budget.hold(10.0, 5.0)
    assert budget.wait(15.0, 1) == 25.0
    assert budget.wait(41.0, 1) == 0.0


def test_the_wait_ends_when_enough_has_slid_out_of_the_window() -> None:
    budget = Budget([MINUTE])
    budget.spend(0.0, 30)
    budget.spend(10.0, 30)
    assert budget.wait(20.0, 0) == 0.0
    assert budget.wait(20.0, 5) == pytest.approx(40.0, abs=0.5)
    assert budget.wait(20.0, 45) == pytest.approx(50.0, abs=0.5)


@given(
    steps=st.lists(st.tuples(st.floats(0.0, 20.0), st.integers(0, 40)), max_size=120),
    holds=st.sampled_from([MINUTE, FIVE_MINUTES]),
)
def test_whoever_asks_no_more_than_is_granted_stays_below_every_limit(
    steps: list[tuple[float, int]], holds: Limit
) -> None:
    budget = Budget([MINUTE, FIVE_MINUTES])
    budget.does_hold(0.0, holds)
    now, asked = 0.0, list[tuple[float, int]]()
    for seconds, wanted in steps:
        now += seconds
        granted = max(0, min(wanted, math.floor(budget.granted(now))))
        budget.spend(now, granted)
        asked.append((now, granted))
    for limit, cost in ((MINUTE, UNITS), (FIVE_MINUTES, 1)):
        for end, _ in asked:
            within = sum(number for moment, number in asked if end - limit.seconds < moment <= end)
            assert within * cost <= limit.amount


@given(st.floats(0.1, 500.0))
def test_the_even_rate_uses_most_of_a_limit_and_never_all_of_it(seconds: float) -> None:
    budget = Budget([MINUTE])
    budget.does_hold(0.0, MINUTE)
    asked = 0
    for step in range(int(seconds * 10)):
        if budget.granted(step / 10) >= 1:
            budget.spend(step / 10, 1)
            asked += 1
    assert asked <= rate(MINUTE) * seconds + 1
    assert asked >= rate(MINUTE) * seconds * 0.9 - 2
