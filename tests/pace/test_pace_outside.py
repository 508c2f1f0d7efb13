"""An rclone started by restic, or running in our place, keeps to its account's budget."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pluton_rclone import Storages
from pluton_rclone.emulator import Emulator
from pluton_rclone.pace import governor, outside
from pluton_rclone.pace.budgets import LIMITS, Budget
from pluton_rclone.process.spawning import killed_with_parent
from tests.connected import budget_for, connected, emulated_drive, saved
from tests.gates import Gate
from tests.process.test_process import settles
from tests.restic_repository import write_repository
from tests.storages.debian_restic import debian_restic
from tests.terminal import PATIENCE

from .crowd import SMALLER, begin, crowd, gone, rclones_of, told
from .test_pace_governor import stand_still, state, stopped
from .worker import small_budget

PASSWORD = {"RESTIC_PASSWORD": "planted~restic~password"}
FILES, BACKUPS = 60, 6


def child_of(pid: int) -> int:
    """The first rclone that a process starts."""
    deadline = time.monotonic() + PATIENCE
    while not (found := rclones_of(pid)):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return found[0]


def test_what_restic_asks_is_counted(cloud: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(governor, "_LEAVING", PATIENCE)
    storage = connected(cloud, "business")
    budget = budget_for(storage, Budget(), monkeypatch)
    write_repository(emulated_drive(cloud, "business"), "restic", PASSWORD["RESTIC_PASSWORD"])
    with storage.restic(binary=debian_restic(), environment=PASSWORD) as restic:
        assert restic.run("snapshots", timeout=PATIENCE).returncode == 0
    assert budget.left(LIMITS[-1], budget.clock.now()) < LIMITS[-1].amount
    assert budget.askers == 0


@pytest.mark.parametrize("end", ["killed", "cancelled"])
def test_restics_rclone_stands_still_where_nothing_is_granted_and_ends_with_it(
    cloud: Emulator, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, end: str
) -> None:
    storage = connected(cloud, "business")
    stand_still(budget_for(storage, Budget(), monkeypatch))
    with storage.restic(binary=debian_restic(), environment=PASSWORD) as restic:
        cloud.faults.latency = PATIENCE  # it cannot finish before it is paused
        with restic.start("init") as child:
            rclone = child_of(child.pid)
            stopped(rclone)
            assert settles(lambda: "WARNING" in caplog.text)
            assert "Microsoft asks to wait until " in caplog.text
            if end == "killed":
                child.signal(signal.SIGKILL)
            else:
                child.cancel()
            child.wait(PATIENCE)
        gone(rclone)


def test_what_is_let_go_goes_on_also_while_microsoft_is_asked_whether_a_limit_holds(
    cloud: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(governor, "_WARM_UP_LIMIT", PATIENCE)
    storage = connected(cloud, "business")
    budget = budget_for(storage, Budget(), monkeypatch)
    with storage.restic(binary=debian_restic(), environment=PASSWORD) as restic:
        gate = Gate(cloud, ".")
        budget.spend(budget.clock.now(), 2 * LIMITS[0].amount)
        with restic.start("init") as child:
            rclone = child_of(child.pid)
            stopped(rclone)
            child.signal(signal.SIGCONT)  # any signal wakes it; it does not notice this one
            assert settles(lambda: state(rclone) != "T")
            gate.open()


def test_a_restic_that_is_cancelled_while_its_rclone_stands_still_removes_its_lock(
    cloud: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage, drive = connected(cloud, "business"), emulated_drive(cloud, "business")
    budget, over = budget_for(storage, Budget(), monkeypatch), threading.Event()

    def endless() -> Iterator[bytes]:
        yield b"planted"
        over.wait(PATIENCE)

    write_repository(drive, "restic", PASSWORD["RESTIC_PASSWORD"])
    with storage.restic(binary=debian_restic(), environment=PASSWORD) as restic:
        before = len(cloud.requests)  # it requests the index once it has a lock
        with restic.start("--no-cache", "backup", "--stdin", stdin=endless()) as child:
            deadline = time.monotonic() + PATIENCE
            while not any(each.path.endswith("/index:") for each in cloud.requests[before:]):
                assert time.monotonic() < deadline
                time.sleep(0.01)
            assert drive.folder("restic/locks").children
            stand_still(budget)
            stopped(child_of(child.pid))
            child.cancel()
            over.set()
    assert child.returncode == 130
    assert not drive.folder("restic/locks").children


def test_where_restic_starts_two_they_go_evenly(
    cloud: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They cannot both be counted on one socket."""
    storage = connected(cloud, "business")
    budget = budget_for(storage, Budget(), monkeypatch)
    secret = {**PASSWORD, "RESTIC_FROM_PASSWORD": PASSWORD["RESTIC_PASSWORD"]}
    binary = debian_restic()
    write_repository(emulated_drive(cloud, "business"), "one", PASSWORD["RESTIC_PASSWORD"])
    with (
        storage.restic("one", binary=binary, environment=secret) as one,
        storage.restic("two", binary=binary, environment=secret) as two,
    ):
        stand_still(budget)  # which does not affect them
        done = two.run(
            "init", "--copy-chunker-params", "--from-repo", one.repository, timeout=PATIENCE
        )
    assert done.returncode == 0, done.stderr


SERVE = """
import sys
from pluton_rclone import Storages
from pluton_rclone.pace.ledger import budget_of
storage = Storages()["business"]
budget = budget_of(storage.section_with_secrets())
budget.does_hold(budget.clock.now())
budget.hold(budget.clock.now(), 600.0)
sys.exit(storage.stand("serve http", flags=["--addr=127.0.0.1:0"]) % 256)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_serve_stands_still_too_and_ends_when_it_is_to(
    cloud: Emulator, number: signal.Signals
) -> None:
    connected(cloud, "business")
    with subprocess.Popen([sys.executable, "-c", SERVE], stderr=subprocess.DEVNULL) as program:
        try:
            rclone = child_of(program.pid)
            stopped(rclone)
            program.send_signal(number)
            program.wait(PATIENCE)
            gone(rclone)
        finally:
            program.kill()


def test_where_nothing_can_be_counted_it_goes_evenly(
    cloud: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    remote = saved(connected(cloud, "business"))
    long, short = tmp_path / ("x" * 100), Path("/run/asked")
    evenly = {"RCLONE_TPSLIMIT": "9", "RCLONE_TPSLIMIT_BURST": "60"}
    with outside.paced(remote, long) as (variables, _):
        assert variables == evenly
    with outside.paced(remote, long, ["--tpslimit=3"]) as (variables, _):
        assert variables == {}
    monkeypatch.setattr("pluton_rclone.process.spawning.which", lambda name: None)
    assert killed_with_parent() == []
    with outside.paced(remote, short) as (variables, _):
        assert variables == evenly
    monkeypatch.setenv("RCLONE_TPSLIMIT_BURST", "5")
    with outside.paced(remote, short) as (variables, _):
        assert variables == {"RCLONE_TPSLIMIT": "9"}


@pytest.mark.soak
def test_of_a_restic_and_a_copy_at_once_neither_is_refused(
    cloud: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "data").mkdir()
    with crowd(cloud, 1) as workers:
        storage = Storages()["business"]
        budget_for(storage, small_budget(storage, SMALLER)[1], monkeypatch)
        with storage.restic(binary=debian_restic(), environment=PASSWORD) as restic:
            begin(workers, tmp_path / "files", FILES)
            done = [restic.run("init", timeout=PATIENCE)]
            for number in range(BACKUPS):
                (tmp_path / "data" / f"{number}").write_text(str(number))
                argv = ("--no-cache", "backup", "--quiet", str(tmp_path / "data"))
                done.append(restic.run(*argv, timeout=5 * PATIENCE))
        assert [one.returncode for one in done] == [0] * len(done), done
        assert told(workers) == [f"{FILES}\n"]
    assert cloud.budgets.throttled == 0
