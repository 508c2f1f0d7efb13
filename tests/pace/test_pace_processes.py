"""Processes of one account with Microsoft's budgets, on a virtual clock: none is refused, and
together they take little longer than the budget allows.

`python -m tests.bench processes --how=ledger` measures real ones, for five minutes each.
"""

from __future__ import annotations

import pytest

from tests.bench.processes import foretold

FILES, TRANSFERS = 1500, 4  # five minutes of the budget; per process
LATE = 0.1  # seconds that a look is late on a busy machine


@pytest.mark.parametrize(("processes", "late"), [(1, 0.0), (4, LATE), (8, LATE)])
def test_several_processes_are_not_refused_and_waste_nothing(processes: int, late: float) -> None:
    figure = foretold(processes, FILES, 1.0, TRANSFERS, late)
    assert figure.refused == 0
    assert figure.seconds <= 1.05 * figure.allowed()
