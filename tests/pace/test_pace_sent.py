"""The possible number of an rclone's requests in flight follows from its running time, its pauses
and its answers."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pluton_rclone.pace.budgets import FASTEST
from pluton_rclone.pace.sent import Sent

ROUND_TRIP = 0.1


def test_what_runs_all_the_time_has_a_round_trips_worth_under_way() -> None:
    sent = Sent()
    for look in range(100):
        sent.ran(look / 100)
    assert FASTEST * ROUND_TRIP <= sent.most(ROUND_TRIP) <= FASTEST * ROUND_TRIP + 4


def test_what_ran_for_a_short_time_has_no_more_under_way_than_it_can_have_sent() -> None:
    sent = Sent()
    sent.goes_on(10.0)
    assert sent.ran(10.04) == 10.04 - 10.0
    assert sent.most(ROUND_TRIP) == 5  # at 0, 10, 20, 30 and 40 ms
    sent.answered(2)
    assert sent.most(ROUND_TRIP) == 3


def test_while_it_stands_still_its_answers_are_not_counted_and_soon_after_they_are() -> None:
    sent = Sent()
    sent.goes_on(10.0)
    sent.ran(10.04)
    assert sent.most(ROUND_TRIP) == 5
    sent.goes_on(20.0)
    sent.ran(20.01)
    assert sent.most(ROUND_TRIP) == 5 + 2
    sent.ran(20.05)
    assert sent.most(ROUND_TRIP) == 6  # only of these 50 ms


def test_a_look_that_is_late_finds_no_more_than_a_round_trips_worth_under_way() -> None:
    sent = Sent()
    sent.goes_on(10.0)
    sent.ran(11.0)
    assert sent.most(ROUND_TRIP) == 13  # and 30 ms that it may not have counted yet
    assert sent.most(ROUND_TRIP) == 13


@given(
    turns=st.lists(st.tuples(st.floats(0.0, 1.0), st.integers(1, 30)), min_size=1, max_size=30),
    latency=st.floats(0.0, ROUND_TRIP),
    skipped=st.integers(1, 9),
)
def test_it_is_never_less_than_what_is_under_way(
    turns: list[tuple[float, int]], latency: float, skipped: int
) -> None:
    """An rclone that sends a request every 10 ms, with gaps and pauses. It notices its answers as
    soon as it runs."""
    sent, now, number = Sent(), 100.0, 0
    under_way: list[float] = []  # when each was sent
    for still, steps in turns:
        now += still
        sent.goes_on(now)
        for _ in range(steps):
            number += 1
            if number % (skipped + 1):
                under_way.append(now)
            now += 1 / FASTEST
            sent.ran(now)
            answered = sum(moment + latency <= now for moment in under_way)
            under_way = [moment for moment in under_way if moment + latency > now]
            sent.answered(answered)
            assert len(under_way) <= sent.most(ROUND_TRIP)
