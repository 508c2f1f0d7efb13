"""An rclone kept within Microsoft's budgets: it is never refused where they hold, and goes on where
they do not.

The budgets are small here, so that a few files fill them: so much smaller in amount and time that
the rates are Microsoft's.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pluton_rclone import Storage, errors
from pluton_rclone.emulator import Emulator
from pluton_rclone.pace import canary
from pluton_rclone.pace.budgets import LIMITS, Budget, Limit
from pluton_rclone.pace.governor import CANARIES
from pluton_rclone.pace.ledger import budget_of
from pluton_rclone.rclone import events
from pluton_rclone.saved.remote import SavedRemote
from tests.connected import budget_for, connected, emulated_drive
from tests.terminal import PATIENCE

SMALLER = 20
SMALL = [Limit(limit.amount / SMALLER, limit.seconds / SMALLER, limit.counts) for limit in LIMITS]
FILES = 25  # about twice what the smallest budget holds


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "files"
    folder.mkdir()
    for number in range(FILES):
        (folder / f"{number}.txt").write_text(str(number))
    return folder


@pytest.fixture
def storage(cloud: Emulator, monkeypatch: pytest.MonkeyPatch) -> Storage:
    storage = connected(cloud, "business")
    budget_for(storage, Budget(SMALL), monkeypatch)
    return storage


def budget(storage: Storage) -> Budget:
    found = budget_of(storage.section_with_secrets())
    assert found is not None
    return found


def refused(cloud: Emulator, who: str) -> int:
    return sum(
        1 for request in cloud.requests if request.status == 429 and who in request.user_agent
    )


def limits_enforced(cloud: Emulator) -> None:
    cloud.budgets.enable(time_scale=SMALLER, share=1 / SMALLER)


def without_the_preview_headers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Microsoft calls its RateLimit headers a preview: they may not come."""
    monkeypatch.setattr(canary, "_number", lambda text: None)


# ---- where the limits hold -----------------------------------------------------------------------


def test_where_microsoft_says_its_limit_nobody_is_refused(
    cloud: Emulator, storage: Storage, source: Path
) -> None:
    limits_enforced(cloud)
    result = storage.upload(source, "up").result()
    assert result.transfers == FILES
    assert cloud.budgets.throttled == 0
    holds = budget(storage).holds(time.monotonic())
    assert holds is not None
    assert holds.amount == int(SMALL[0].amount)  # as the header says it


def test_where_it_does_not_rclone_is_not_refused_and_we_are_a_few_times(
    cloud: Emulator, storage: Storage, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_the_preview_headers(monkeypatch)
    limits_enforced(cloud)
    transfer = storage.upload(source, "up")
    waits = [event for event in transfer.events() if isinstance(event, events.Throttled)]
    assert transfer.result().transfers == FILES
    assert refused(cloud, "rclone/v") == 0
    assert 1 <= cloud.budgets.throttled <= CANARIES
    # A person who watches is told why nothing moves.
    assert waits[0].seconds is not None
    assert 0 < waits[0].seconds <= 60 / SMALLER + 1


def test_a_walk_is_kept_within_them_too(cloud: Emulator, storage: Storage) -> None:
    drive = emulated_drive(cloud, "business")
    for number in range(50):
        drive.write(f"deep/{number}/file", b"")
    limits_enforced(cloud)
    assert sum(1 for _ in storage.walk("deep")) == 100
    assert cloud.budgets.throttled == 0


def test_several_transfers_of_one_account_share_its_budget(
    cloud: Emulator, storage: Storage, source: Path
) -> None:
    limits_enforced(cloud)
    transfers = [storage.upload(source, f"up {number}") for number in range(2)]
    assert [transfer.result().transfers for transfer in transfers] == [FILES, FILES]
    assert cloud.budgets.throttled <= CANARIES


def test_what_is_kept_for_each_of_very_many_leaves_something_to_send() -> None:
    shared, round_trip = Budget(LIMITS), 0.1
    shared.join()
    alone = shared.under_way(0.0, round_trip)
    shared.join()
    assert shared.under_way(0.0, round_trip) == 2 * alone
    for _ in range(100):
        shared.join()
    assert 2 * alone < shared.under_way(0.0, round_trip) < LIMITS[0].amount / LIMITS[0].cost
    shared.leave()
    assert shared.askers == 101


def test_the_next_transfer_remembers(cloud: Emulator, storage: Storage, source: Path) -> None:
    """Other objects for the same storage, and other storages of the account, too: a budget is the
    account's."""
    storage.upload(source, "up").result()
    again = storage.storages["business"]
    assert again is not storage
    now = time.monotonic()
    before = budget(storage).left(SMALL[-1], now)
    again.upload(source, "again").result()
    assert budget(storage).left(SMALL[-1], time.monotonic()) != before


def test_refused_because_others_spend_the_budget_it_stands_still_as_long_as_microsoft_wants(
    cloud: Emulator, storage: Storage, source: Path
) -> None:
    cloud.faults.throttle("1", skip=10)
    began = time.monotonic()
    result = storage.upload(source, "up").result()
    assert result.transfers == FILES
    assert time.monotonic() - began > 1
    assert budget(storage).holds(time.monotonic()) == SMALL[0]


# ---- where they do not ---------------------------------------------------------------------------


def test_where_nobody_counts_it_goes_on_at_full_speed(
    cloud: Emulator, storage: Storage, source: Path
) -> None:
    assert storage.upload(source, "up").result().transfers == FILES
    now = time.monotonic()
    assert budget(storage).holds(now) is None
    assert budget(storage).left(SMALL[0], now) < SMALL[0].amount
    nearest = budget(storage).nearest(now)
    assert nearest is None or nearest[0] != SMALL[0]  # gone beyond, and granted


# ---- where nothing can be found out --------------------------------------------------------------


def test_when_we_cannot_ask_the_limit_is_taken_to_hold(
    cloud: Emulator, storage: Storage, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_way(saved: SavedRemote) -> canary.Canary:
        raise errors.Unreachable("graph.microsoft.com cannot be reached.")

    monkeypatch.setattr(canary, "Canary", no_way)
    limits_enforced(cloud)
    assert storage.upload(source, "up").result().transfers == FILES
    assert cloud.budgets.throttled == 0
    assert budget(storage).holds(time.monotonic()) == SMALL[0]


def test_who_could_not_ask_at_first_is_made_anew_at_the_limit(
    storage: Storage, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, tries = canary.Canary, []

    def at_second(saved: SavedRemote) -> canary.Canary:
        tries.append(saved)
        if len(tries) == 1:
            raise errors.TokenExpired("The stored token has ended; rclone is renewing it.")
        return made(saved)

    monkeypatch.setattr(canary, "Canary", at_second)
    assert storage.upload(source, "up").result().transfers == FILES
    assert len(tries) == 2
    assert budget(storage).holds(time.monotonic()) is None


# ---- stopped, and ended --------------------------------------------------------------------------


@contextmanager
def standing_still(cloud: Emulator, storage: Storage, source: Path) -> Iterator[int]:
    """An upload whose rclone is stopped: its process id."""
    limits_enforced(cloud)
    with storage.upload(source, "up") as transfer:
        deadline = time.monotonic() + PATIENCE
        while state(transfer.pid) != "T":
            assert time.monotonic() < deadline
            time.sleep(0.002)
        budget(storage).hold(time.monotonic(), 3600.0)
        yield transfer.pid
        transfer.cancel()
        assert transfer.wait().ended == "cancelled"


def state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "gone"


def test_a_cancel_reaches_an_rclone_that_stands_still(
    cloud: Emulator, storage: Storage, source: Path
) -> None:
    with standing_still(cloud, storage, source) as pid:
        pass
    assert state(pid) == "gone"
    assert not [
        thread
        for thread in threading.enumerate()
        if thread.name == f"governor-{pid}" and _lasts(thread)
    ]


def _lasts(thread: threading.Thread) -> bool:
    thread.join(PATIENCE)
    return thread.is_alive()


PARENT = """
import sys, time
from pluton_rclone import Storages
from pluton_rclone.pace.budgets import Budget, Limit
from pluton_rclone.pace.ledger import BUDGETS, account_of
storage = Storages()["business"]
budget = BUDGETS[account_of(storage.section_with_secrets())] = Budget([Limit(60.0, 6.0)])
transfer = storage.upload(sys.argv[1], "up")
budget.does_hold(time.monotonic())
budget.hold(time.monotonic(), 3600.0)
print(transfer.pid, flush=True)
transfer.result()
"""


def test_it_dies_with_its_parent_also_while_it_stands_still(
    cloud: Emulator, storage: Storage, source: Path
) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, str(source)], stdout=subprocess.PIPE
    ) as parent:
        try:
            assert parent.stdout is not None
            pid = int(parent.stdout.readline())
            deadline = time.monotonic() + PATIENCE
            while state(pid) != "T":
                assert time.monotonic() < deadline
                time.sleep(0.01)
        finally:
            os.kill(parent.pid, signal.SIGKILL)
    while state(pid) not in ("gone", "Z"):
        assert time.monotonic() < deadline + PATIENCE
        time.sleep(0.01)


def test_a_limit_that_is_not_found_out_in_time_is_kept(
    storage: Storage, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where answers take long, requests leave the window as fast as canaries can fill it."""
    monkeypatch.setattr("pluton_rclone.pace.governor.TRIAL", 0.0)
    assert storage.upload(source, "up").result().transfers == FILES
    assert budget(storage).holds(time.monotonic()) == SMALL[0]
