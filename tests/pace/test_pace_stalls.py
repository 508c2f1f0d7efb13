"""Whatever happened to a budget, the remaining processes continue within two windows: no debt, no
lease of a killed process and no limit that Microsoft reports stops them for good."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from hypothesis import given
from hypothesis import strategies as st

from pluton_rclone.pace.budgets import Budget, Clock, Limit, Parts, Shelf

UNITS, REQUESTS = Limit(125.0, 6.0), Limit(300.0, 30.0, "requests")
LIMITS = (UNITS, UNITS._replace(amount=250.0), REQUESTS)
LONGEST_HOLD = 5.0
EACH = 0.5  # seconds between turns


class Moment(Clock):
    """The clock of all processes of a test."""

    def __init__(self) -> None:
        self.at = 1000.0

    def now(self) -> float:
        return self.at


class Common(Shelf):
    """The ledger as one of the processes sees it."""

    def __init__(self, parts: Parts, name: str, gone: set[str]) -> None:
        self._parts, self._name, self._gone = parts, name, gone

    @property
    def owner(self) -> str:
        return self._name

    def lives(self, owner: str) -> bool:
        return owner not in self._gone

    @contextmanager
    def open(self, parts: Parts) -> Iterator[None]:
        parts |= self._parts
        yield
        self._parts |= parts


AMOUNTS = st.integers(0, 400)
HAPPENED = st.one_of(
    st.tuples(st.just("asks"), AMOUNTS),
    st.tuples(st.just("spent"), st.integers(0, 20_000)),
    st.tuples(st.just("refused"), AMOUNTS),
    st.tuples(st.just("holds"), st.floats(0.0, LONGEST_HOLD)),
    st.tuples(st.just("said"), st.integers(1, 400)),
    st.tuples(st.just("more"), AMOUNTS),
    st.tuples(st.just("killed"), AMOUNTS),
)


@given(
    processes=st.integers(1, 16),
    happened=st.lists(st.tuples(st.integers(0, 15), st.floats(0.0, 4.0), HAPPENED), max_size=25),
)
def test_those_that_are_left_go_on(
    processes: int, happened: list[tuple[int, float, tuple[str, float]]]
) -> None:
    clock, parts, gone = Moment(), Parts(), set[str]()
    names = [str(number) for number in range(processes)]
    budgets = {name: Budget(LIMITS, clock, Common(parts, name, gone)) for name in names}
    for name, budget in budgets.items():
        budget.join(name)
    for number, later, (what, amount) in happened:
        clock.at += later
        name = names[number % processes]
        budget = budgets[name]
        if name in gone:
            continue
        if what == "asks":
            budget.turn(name, int(amount), 3)
        elif what == "spent":
            budget.spend(clock.at, amount)
        elif what == "refused":
            budget.does_hold(clock.at)
        elif what == "holds":
            budget.hold(clock.at, amount)
        elif what == "said":
            budget.said(clock.at, amount, 0.0)
        elif what == "more":
            budget.does_not_hold(clock.at, UNITS)
        elif len(gone) + 1 < processes:
            gone.add(name)
    last, end = clock.at, clock.at + 2 * REQUESTS.seconds
    while clock.at < end:
        for name in names:
            if name not in gone:
                turn = budgets[name].turn(name, 0, 3)
                may = turn.wait <= 0 if turn.holds else turn.room > 0
                if may:
                    budgets[name].spend(clock.at, min(turn.requests, 2))
                    last = clock.at
        assert clock.at - last < 1.2 * REQUESTS.seconds + LONGEST_HOLD
        clock.at += EACH
