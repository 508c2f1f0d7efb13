"""The budgets of an account are shared by all processes of the machine: none is refused because of
another one's requests, and a killed one delays no other."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import ClassVar

import pytest

from pluton_rclone import Storages
from pluton_rclone.emulator import Emulator
from pluton_rclone.pace import ledger
from pluton_rclone.pace.budgets import LEASE, UNITS, Budget, Clock, Limit, rate
from pluton_rclone.pace.ledger import FILE, Ledger, account_of, budget_of
from pluton_rclone.process.folders import runtime_folder
from tests.connected import emulated_drive
from tests.pace.known import holds, nearest
from tests.terminal import PATIENCE

from .crowd import begin, crowd, gone, rclones_of, told

MINUTE = Limit(120.0, 60.0)
FIVE_MINUTES = Limit(200.0, 300.0, "requests")
LIMITS = [MINUTE, FIVE_MINUTES]
KEY = ("", "contoso.com", "app", "anna@contoso.com")
FILES = 12  # of each process
TURN = 4
LEASED = 5 + TURN  # of a process that has sent five


class Process(Ledger):
    """A ledger as another process sees it."""

    killed: ClassVar[set[str]] = set()

    def __init__(self, name: str, key: tuple[str, ...] = KEY) -> None:
        super().__init__(key)
        self._name = name

    @property
    def owner(self) -> str:
        return self._name

    def lives(self, owner: str) -> bool:
        return owner not in self.killed


class Moment(Clock):
    """The clock of all processes of a test."""

    at = 0.0

    def now(self) -> float:
        return Moment.at


def budget(name: str, key: tuple[str, ...] = KEY) -> Budget:
    return Budget(LIMITS, Moment(), Process(name, key))


def room(budget: Budget, now: float, sent: int = 5) -> float:
    """What is left for a process in its turn, with `sent` of its requests in flight."""
    Moment.at = now
    turn = budget.turn(budget, sent, 0)
    return turn.room + turn.requests


def test_what_one_process_asks_the_others_have_to_do_without() -> None:
    one, other = budget("one"), budget("other")
    one.spend(1.0, 10)
    other.spend(2.0, 5)
    assert one.left(MINUTE, 2.0) == other.left(MINUTE, 2.0) == 120 / UNITS - 15
    assert nearest(other, 2.0) == MINUTE


def test_what_one_process_found_out_the_others_know() -> None:
    one, other = budget("one"), budget("other")
    one.does_not_hold(1.0, MINUTE)
    assert nearest(other, 1.0) == FIVE_MINUTES
    other.does_hold(2.0, FIVE_MINUTES)
    one.hold(2.0, 30.0)
    assert (holds(one, 2.0), other.wait(3.0, 1)) == (FIVE_MINUTES, 29.0)
    assert holds(budget("later"), 2.0) == FIVE_MINUTES


def test_the_even_rate_is_one_for_all() -> None:
    budgets = [budget("one"), budget("other")]
    budgets[0].does_hold(0.0, MINUTE)
    asked = 0
    for step in range(600):
        for each in budgets:
            if each.granted(step / 10) >= 1:
                each.spend(step / 10, 1)
                asked += 1
    assert 50 <= asked <= 60


def test_units_are_the_apps_and_requests_the_accounts() -> None:
    anna = budget("one")
    bert = budget("two", ("", "contoso.com", "app", "bert@contoso.com"))
    elsewhere = budget("three", ("", "contoso.com", "another app", "anna@contoso.com"))
    stranger = budget("four", ("china", "contoso.com", "app", "anna@contoso.com"))
    anna.spend(1.0, 10)
    assert (bert.left(MINUTE, 1.0), bert.left(FIVE_MINUTES, 1.0)) == (50, 200)
    assert (elsewhere.left(MINUTE, 1.0), elsewhere.left(FIVE_MINUTES, 1.0)) == (60, 190)
    assert (stranger.left(MINUTE, 1.0), stranger.left(FIVE_MINUTES, 1.0)) == (60, 200)


@pytest.mark.parametrize("differs", ["app", "account"])
def test_who_shares_an_app_or_an_account_counts_what_others_have_under_way_in_one_process_too(
    differs: str,
) -> None:
    place = {"app": 2, "account": 3}[differs]
    anna, bert = (
        Budget(LIMITS, Moment(), Ledger((*KEY[:place], name, *KEY[place + 1 :]))) for name in "ab"
    )
    anna.join(anna)
    bert.join(bert)
    assert room(anna, 0.0) == 60 - 5
    assert room(bert, 0.1) == room(anna, 0.2) == 60 - 5 - LEASED
    assert anna.askers == bert.askers == 2
    bert.leave(bert)
    assert room(anna, 0.3) == 60 - 5
    anna.leave(anna)
    assert bert.granted(0.4) == 60


def test_a_lease_is_returned_or_expires_with_its_process(monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = budget("one"), budget("other")
    one.join(one)
    other.join(other)
    assert room(other, 0.0) == 60 - 5
    assert room(one, 0.1) == 60 - 5 - LEASED
    assert one.askers == 2
    room(other, 0.2, sent=9)
    assert room(one, 0.3) == 60 - 5 - 9 - TURN
    assert room(one, 1.0 + LEASE) == 60 - 5 - 9 - TURN  # it still waits for something
    monkeypatch.setattr(Process, "killed", {"other"})
    assert room(one, 2.0 + 2 * LEASE) == 60 - 5 - 9 - TURN  # it sent a request that no one counted
    assert (one.askers, one.left(MINUTE, 2.0 + 2 * LEASE)) == (1, 60 - 9 - TURN)
    assert room(one, 70.0) == 60 - 5
    room(other, 71.0)
    assert room(one, 71.0) == 60 - 5 - LEASED
    other.leave(other)
    assert room(one, 71.0) == 60 - 5


def test_where_a_limit_holds_they_take_turns_of_half_a_second() -> None:
    """What one may send in its turn, the others give up: two that look at once do not both
    continue."""
    one, other = budget("one"), budget("other")
    for each in (one, other):
        each.join(each)
    one.does_hold(0.0, FIVE_MINUTES)
    second, Moment.at = rate(FIVE_MINUTES), 10.0  # by now, three seconds' worth is saved
    first = one.turn(one, 0, 0)
    assert (first.wait, first.requests) == (0.0, 1)
    assert other.turn(other, 0, 0).wait == pytest.approx((1 - (3 * second - 1)) / second)
    assert one.turn(one, 1, 0, rests=True).wait > 0
    assert other.turn(other, 0, 0).wait > 0  # the one that was sent is in flight
    one.spend(10.0, 1)
    Moment.at = 12.0
    assert other.turn(other, 0, 0).wait == 0


@pytest.mark.parametrize("app", ["app", "another app"])
def test_one_process_at_a_time_finds_out_whether_a_limit_holds(app: str) -> None:
    one, other = budget("one"), budget("other", (*KEY[:2], app, KEY[3]))
    order: list[str] = []

    def find_out() -> None:
        with other.shelf.finding_out():
            order.append("other")

    with one.shelf.finding_out():
        thread = threading.Thread(target=find_out)
        thread.start()
        thread.join(0.2)
        order.append("one")
    thread.join(PATIENCE)
    assert order == ["one", "other"]


def test_where_the_file_cannot_be_used_each_counts_alone() -> None:
    path = runtime_folder() / FILE
    path.mkdir()
    one, other = budget("one"), budget("other")
    one.spend(1.0, 10)
    assert (one.left(MINUTE, 1.0), other.left(MINUTE, 1.0)) == (50, 60)
    path.rmdir()


@pytest.mark.parametrize("kept", [0, 100], ids=["no database", "damaged"])
def test_a_file_that_is_damaged_is_made_anew_and_shared(kept: int) -> None:
    """As after a loss of power: without a new one, each would count alone until a restart."""
    path = runtime_folder() / FILE
    before = budget("before")
    before.spend(1.0, 5)
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    good = path.read_bytes()
    path.unlink()
    path.write_bytes(good[:kept] + b"\xff" * (len(good) - kept))
    one, other = budget("one"), budget("other")
    one.spend(1.0, 10)
    assert (one.left(MINUTE, 1.0), other.left(MINUTE, 1.0)) == (50, 50)


def test_who_holds_a_damaged_file_does_not_take_away_the_new_one() -> None:
    path = runtime_folder() / FILE
    late = budget("late")
    late.spend(1.0, 5)
    budget("another").spend(1.0, 5)  # what `late` remembers of the file is old
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with path.open("r+b") as file:
        file.seek(100)
        file.write(b"\xff" * (path.stat().st_size - 100))
    for end in ("", "-wal", "-shm"):
        path.with_name(f"{FILE}{end}").rename(path.with_name(f"damaged{end}"))
    budget("one").spend(1.0, 10)
    late.spend(1.0, 20)
    late.spend(1.0, 20)
    assert budget("other").left(MINUTE, 1.0) == 60 - 10 - 20
    for end in ("", "-wal", "-shm"):
        path.with_name(f"damaged{end}").unlink(missing_ok=True)


def test_what_cannot_be_understood_is_made_anew() -> None:
    one = budget("one")
    one.spend(1.0, 10)
    with closing(sqlite3.connect(runtime_folder() / FILE)) as db, db:
        db.execute("UPDATE parts SET part = x'ff00'")
    one.spend(1.0, 20)
    assert budget("other").left(MINUTE, 1.0) == 30


def test_whoever_stands_still_with_the_file_is_waited_for_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ledger, "_PATIENCE", 0.05)
    one = budget("one")
    one.spend(1.0, 10)
    with closing(sqlite3.connect(runtime_folder() / FILE, isolation_level=None)) as stopped:
        stopped.execute("BEGIN IMMEDIATE")
        one.spend(1.0, 5)
        monkeypatch.setattr(ledger, "_PATIENCE", 3600.0)
        one.spend(1.0, 5)
    one.spend(1.0, 5)
    assert budget("other").left(MINUTE, 1.0) <= 45


def test_only_this_user_can_read_the_file() -> None:
    budget("one").spend(1.0, 1)
    assert {file.stat().st_mode & 0o077 for file in runtime_folder().glob(f"{FILE}*")} == {0}


def test_remotes_of_one_account_share_a_budget_and_a_personal_drive_has_none() -> None:
    section = {"drive_type": "business", "client_id": "a", "pluton_account_name": "x@y.com"}
    assert budget_of(section) is budget_of({**section, "drive_id": "another"})
    assert account_of(section)[1] == "y.com"
    assert account_of({**section, "tenant": "t"})[1] == "t"
    assert budget_of(section) is budget_of({**section, "region": "global"})  # rclone omits it
    known, spelled = account_of({"drive_id": "0abc"}), account_of({"drive_id": "0000000000000ABC"})
    assert known == spelled
    assert budget_of({"drive_type": "personal"}) is None


# ---- processes of one account, against the documented budgets with time scaled -------------------


@pytest.mark.parametrize("kills", [2, pytest.param(100, marks=pytest.mark.soak)])
def test_those_that_are_killed_hold_up_nobody(cloud: Emulator, tmp_path: Path, kills: int) -> None:
    """Two of four, at random moments, again and again: the others finish, no rclone and no lease is
    left. test_pace_governor shows that none is refused, on its own clock: here, a delayed governor
    looks too late."""
    chance = random.Random(19)
    drive = emulated_drive(cloud, "business")
    for number in range(kills // 2):
        with crowd(cloud, 4, first=4 * number) as workers:
            begin(workers, tmp_path / f"files {number}", FILES)
            rclones = []
            for worker in workers[2:]:
                wanted, until = drive.count + chance.randrange(1, 5), time.monotonic() + PATIENCE
                while drive.count < wanted and worker.poll() is None:
                    assert time.monotonic() < until
                    time.sleep(0.01)
                rclones += rclones_of(worker.pid)
                worker.send_signal(signal.SIGKILL)
            assert told(workers[:2]) == [f"{FILES}\n"] * 2
        for rclone in rclones:
            gone(rclone)
    account = account_of(Storages()["business"].section_with_secrets())
    left = Budget(shelf=Ledger(account))
    until = time.monotonic() + PATIENCE
    left.granted(left.clock.now())
    while left.askers:
        assert time.monotonic() < until
        time.sleep(0.05)
        left.granted(left.clock.now())


def test_a_call_that_is_interrupted_leaves_the_file_to_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def interrupted(part: object) -> bytes:
        raise KeyboardInterrupt

    one, other = budget("one"), budget("other")
    with monkeypatch.context() as patch:
        patch.setattr(ledger, "_encode", interrupted)
        with pytest.raises(KeyboardInterrupt):
            one.spend(1.0, 10)
    for each in (other, one):
        each.spend(1.0, 10)
    assert (one.left(MINUTE, 1.0), other.left(MINUTE, 1.0)) == (40, 40)


def test_a_fork_begins_without_what_its_parent_asks_and_waits_for_none_of_its_locks() -> None:
    section = {"client_id": "a", "pluton_account_name": f"{random.random()}@y.com"}
    found = budget_of(section)
    assert found is not None
    found.join("a governor")
    with found._lock:  # held by another thread of the parent, which the fork does not have
        pid = os.fork()
        if pid == 0:
            signal.alarm(int(PATIENCE))
            again = budget_of(section)
            os._exit(again is None or again.turn("another", 0, 0).holds is not None)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    found.leave("a governor")
