"""An rclone kept within Microsoft's budgets: it is never refused where they hold, and continues
where they do not.

The budgets are small here, so that a few files fill them: amounts and times are scaled so that the
rates are Microsoft's. Microsoft and the governors share one clock (`stepping`).
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from pluton_rclone import Storage, errors
from pluton_rclone.emulator import Emulator
from pluton_rclone.feed import race
from pluton_rclone.pace import canary, governor, ledger
from pluton_rclone.pace.budgets import FASTEST, LIMITS, LONGEST_HOLD, Budget, Limit
from pluton_rclone.pace.governor import CANARIES
from pluton_rclone.pace.ledger import budget_of
from pluton_rclone.rclone import events
from pluton_rclone.saved.remote import SavedRemote
from tests.connected import budget_for, connected, emulated_drive
from tests.pace.known import holds, nearest
from tests.terminal import PATIENCE

from .stepping import SteppingClock, numbered
from .test_pace_ledger import Process

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
def clock(cloud: Emulator, monkeypatch: pytest.MonkeyPatch) -> SteppingClock:
    # These use this machine's clock.
    monkeypatch.setattr(governor, "_WARM_UP_LIMIT", PATIENCE)
    monkeypatch.setattr(governor, "_LEAVING", PATIENCE)
    monkeypatch.setattr(ledger, "_PATIENCE", PATIENCE)
    monkeypatch.setattr(race, "HEAD_START", PATIENCE)
    return SteppingClock(cloud, monkeypatch)


@pytest.fixture
def storage(cloud: Emulator, clock: SteppingClock, monkeypatch: pytest.MonkeyPatch) -> Storage:
    storage = connected(cloud, "business")
    budget_for(storage, Budget(SMALL, clock), monkeypatch)
    return storage


def budget(storage: Storage) -> Budget:
    found = budget_of(storage.section_with_secrets())
    assert found is not None
    return found


def holds_now(storage: Storage) -> Limit | None:
    found = budget(storage)
    return holds(found, found.clock.now())


def refused(cloud: Emulator, who: str) -> int:
    return sum(
        1 for request in cloud.requests if request.status == 429 and who in request.user_agent
    )


@pytest.fixture
def limits_enforced(cloud: Emulator, clock: SteppingClock) -> None:
    cloud.budgets.enable(time_scale=SMALLER, share=1 / SMALLER, clock=clock.now)


def without_the_preview_headers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Microsoft calls its RateLimit headers a preview: they may be missing."""
    monkeypatch.setattr(canary, "_number", lambda text: None)


# ---- where the limits hold -----------------------------------------------------------------------


@pytest.mark.usefixtures("limits_enforced")
def test_where_microsoft_says_its_limit_nobody_is_refused(
    cloud: Emulator, storage: Storage, source: Path
) -> None:
    result = storage.upload(source, "up").result()
    assert result.transfers == FILES
    assert cloud.budgets.throttled == 0
    holds = holds_now(storage)
    assert holds is not None
    assert holds.amount == int(SMALL[0].amount)  # as the header says it


@pytest.mark.usefixtures("limits_enforced")
def test_where_it_does_not_rclone_is_not_refused_and_we_are_a_few_times(
    cloud: Emulator, storage: Storage, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_the_preview_headers(monkeypatch)
    transfer = storage.upload(source, "up")
    waits = [event for event in transfer.events() if isinstance(event, events.Throttled)]
    assert transfer.result().transfers == FILES
    assert refused(cloud, "rclone/v") == 0
    assert 1 <= cloud.budgets.throttled <= CANARIES
    # A person who watches learns why nothing moves.
    assert waits[0].seconds is not None
    assert 0 < waits[0].seconds <= 60 / SMALLER + 1


@pytest.mark.usefixtures("limits_enforced")
def test_a_walk_is_kept_within_them_too(cloud: Emulator, storage: Storage) -> None:
    drive = emulated_drive(cloud, "business")
    for number in range(50):
        drive.write(f"deep/{number}/file", b"")
    assert sum(1 for _ in storage.walk("deep")) == 100
    assert cloud.budgets.throttled == 0


@pytest.mark.usefixtures("limits_enforced")
def test_several_transfers_of_one_account_share_its_budget(
    cloud: Emulator, storage: Storage, source: Path
) -> None:
    transfers = [
        storage.upload(source, f"up {number}", extra=numbered(number)) for number in range(2)
    ]
    assert [transfer.result().transfers for transfer in transfers] == [FILES, FILES]
    assert cloud.budgets.throttled <= CANARIES


@pytest.mark.usefixtures("limits_enforced")
@pytest.mark.parametrize("processes", [2, 4])
def test_several_processes_of_one_account_share_its_budget(
    cloud: Emulator,
    clock: SteppingClock,
    source: Path,
    monkeypatch: pytest.MonkeyPatch,
    processes: int,
) -> None:
    """Each has its own budget object, and they share the file."""
    transfers = []
    for number in range(processes):
        name = f"process{number}"
        storage = connected(cloud, "business", name=name, account_name=f"{name}@contoso.com")
        budget_for(storage, Budget(SMALL, clock, Process(name)), monkeypatch)
        transfers.append(storage.upload(source, f"up {number}", extra=numbered(number)))
    assert [transfer.result().transfers for transfer in transfers] == [FILES] * processes
    assert cloud.budgets.throttled <= CANARIES
    assert refused(cloud, "rclone/v") == 0


def test_what_is_kept_for_each_of_very_many_leaves_something_to_send() -> None:
    shared = Budget(LIMITS)
    for number in range(100):
        shared.join(number)
        room = shared.turn(number, 13, 3).room
        assert room > 0
    assert shared.askers == 100
    shared.leave(0)
    assert shared.askers == 99


def test_the_next_transfer_remembers(clock: SteppingClock, storage: Storage, source: Path) -> None:
    """Other objects for the same storage, and other storages of the account, too: a budget belongs
    to the account."""
    storage.upload(source, "up").result()
    again = storage.storages["business"]
    assert again is not storage
    before = budget(storage).left(SMALL[-1], clock.now())
    again.upload(source, "again").result()
    assert budget(again) is budget(storage)
    assert budget(storage).left(SMALL[-1], clock.now()) != before


def test_what_a_short_transfer_asked_is_counted_up_to_its_end(
    cloud: Emulator, clock: SteppingClock, storage: Storage, tmp_path: Path
) -> None:
    """It ends before a second look, after which it reports nothing."""
    (tmp_path / "file").write_text("text")
    before = len(cloud.requests)
    storage.upload(tmp_path / "file", "up").result()
    asked = len(cloud.requests) - before
    assert asked > 4
    assert asked - 2 <= SMALL[-1].amount - budget(storage).left(SMALL[-1], clock.now()) <= asked


def test_refused_because_others_spend_the_budget_it_stands_still_as_long_as_microsoft_wants(
    cloud: Emulator, clock: SteppingClock, storage: Storage, source: Path
) -> None:
    cloud.faults.throttle("1", skip=10)
    began = clock.now()
    result = storage.upload(source, "up").result()
    assert result.transfers == FILES
    asked = sum("rclone/v" in request.user_agent for request in cloud.requests)
    assert clock.now() - began > 1 + (asked - 1) / FASTEST  # it was paused all that time
    assert holds_now(storage) == SMALL[0]


# ---- where they do not ---------------------------------------------------------------------------


def test_where_nobody_counts_it_goes_on_at_full_speed(
    clock: SteppingClock, storage: Storage, source: Path
) -> None:
    assert storage.upload(source, "up").result().transfers == FILES
    now = clock.now()
    assert holds(budget(storage), now) is None
    assert budget(storage).left(SMALL[0], now) < SMALL[0].amount
    nearer = nearest(budget(storage), now)
    assert nearer != SMALL[0]  # beyond it, and granted


# ---- where nothing can be found out --------------------------------------------------------------


@pytest.mark.usefixtures("limits_enforced")
def test_when_we_cannot_ask_the_limit_is_taken_to_hold(
    cloud: Emulator, storage: Storage, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_way(saved: SavedRemote) -> canary.Canary:
        raise errors.Unreachable("graph.microsoft.com cannot be reached.")

    monkeypatch.setattr(canary, "Canary", no_way)
    assert storage.upload(source, "up").result().transfers == FILES
    assert cloud.budgets.throttled == 0
    assert holds_now(storage) == SMALL[0]


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
    assert holds_now(storage) is None


# ---- stopped, and ended --------------------------------------------------------------------------


def stand_still(budget: Budget) -> None:
    """Let the budget allow no request for ten minutes."""
    now = budget.clock.now()
    budget.does_hold(now)
    budget.hold(now, LONGEST_HOLD)


def stopped(pid: int) -> None:
    """Wait until this rclone is paused."""
    deadline = time.monotonic() + PATIENCE
    while state(pid) != "T":
        assert time.monotonic() < deadline
        time.sleep(0.002)


def state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "gone"


def test_a_cancel_reaches_an_rclone_that_stands_still(
    cloud: Emulator, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage = connected(cloud, "business")
    stand_still(budget_for(storage, Budget(), monkeypatch))
    cloud.faults.latency = PATIENCE  # it cannot finish before it is paused
    with storage.upload(source, "up") as transfer:
        pid = transfer.pid
        stopped(pid)
        transfer.cancel()
        assert transfer.wait().ended == "cancelled"
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
import sys
from pluton_rclone import Storages
from pluton_rclone.pace.ledger import budget_of
storage = Storages()["business"]
budget = budget_of(storage.section_with_secrets())
budget.does_hold(budget.clock.now())
budget.hold(budget.clock.now(), 600.0)
transfer = storage.upload(sys.argv[1], "up")
print(transfer.pid, flush=True)
transfer.result()
"""


def test_it_dies_with_its_parent_also_while_it_stands_still(cloud: Emulator, source: Path) -> None:
    connected(cloud, "business")
    cloud.faults.latency = PATIENCE  # it cannot finish before it is paused
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, str(source)], stdout=subprocess.PIPE
    ) as parent:
        try:
            assert parent.stdout is not None
            pid = int(parent.stdout.readline())
            stopped(pid)
        finally:
            os.kill(parent.pid, signal.SIGKILL)
    deadline = time.monotonic() + PATIENCE
    while state(pid) not in ("gone", "Z"):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_limit_that_is_not_found_out_in_time_is_kept(
    storage: Storage, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If answers take long, requests leave the window as fast as canaries can fill it."""
    monkeypatch.setattr("pluton_rclone.pace.governor.TRIAL", 0.0)
    assert storage.upload(source, "up").result().transfers == FILES
    assert holds_now(storage) == SMALL[0]
