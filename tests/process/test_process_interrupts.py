"""Ctrl-C while the main thread waits for another thread raises KeyboardInterrupt, nothing else, and
leaves nothing locked."""

from __future__ import annotations

import _thread
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from pluton_rclone import process
from pluton_rclone.conf.disk import ConfigFile
from pluton_rclone.microsoft.http import Http
from pluton_rclone.process import browser
from pluton_rclone.process.interrupts import Flag, interruptible
from pluton_rclone.process.system import Held
from pluton_rclone.rclone.engine import Rclone
from pluton_rclone.rclone.transfer import Transfer
from tests.terminal import PATIENCE

CtrlC = Callable[[], None]


@pytest.fixture
def ctrl_c(monkeypatch: pytest.MonkeyPatch) -> CtrlC:
    """A signal at the main thread's next wait, where Python loses it: when the lock is released."""
    wait, left = threading.Condition.wait, [KeyboardInterrupt()]

    def interrupted(self: threading.Condition, timeout: float | None = None) -> bool:
        if threading.current_thread() is not threading.main_thread() or not left:
            return wait(self, timeout)
        self.release()
        raise left.pop()

    return lambda: monkeypatch.setattr(threading.Condition, "wait", interrupted)


@pytest.fixture
def left_locked(monkeypatch: pytest.MonkeyPatch) -> CtrlC:
    """A signal in the main thread's next `with` on a Condition, before its lock is released."""
    leave, left = threading.Condition.__exit__, [KeyboardInterrupt()]

    def interrupted(self: threading.Condition, *error: Any) -> None:
        if threading.current_thread() is threading.main_thread() and left:
            raise left.pop()
        leave(self, *error)

    return lambda: monkeypatch.setattr(threading.Condition, "__exit__", interrupted)


@pytest.fixture
def copying(tmp_path: Path) -> Iterator[Transfer]:
    """A transfer that takes a quarter of an hour; it ends with the test's block."""
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "file").write_bytes(bytes(1_000_000))
    rclone = Rclone(flags=["--bwlimit=1k"])
    with rclone.copy(tmp_path / "source", tmp_path / "target") as transfer:
        yield transfer
    assert not transfer.running


def interrupted(wait: Callable[[], object]) -> None:
    """Call a wait that a signal interrupts, before or during the wait."""
    _thread.start_new_thread(os.kill, (os.getpid(), signal.SIGINT))
    wait()


def test_what_ends_a_wait_is_raised() -> None:
    with process.Child(["/bin/sleep", "1000"], env={}) as child:
        with pytest.raises(KeyboardInterrupt):
            interrupted(child.wait)
        assert not child.ended
    assert child.ended


def test_whoever_waits_for_the_end_of_a_transfer_is_reached(copying: Transfer) -> None:
    with pytest.raises(KeyboardInterrupt):
        interrupted(copying.result)


@pytest.mark.parametrize(
    "look", [lambda one: list(one.events()), lambda one: list(one)], ids=["events", "progress"]
)
def test_whoever_looks_at_a_transfer_is_reached(
    look: Callable[[Transfer], object], copying: Transfer, ctrl_c: CtrlC
) -> None:
    ctrl_c()
    with pytest.raises(KeyboardInterrupt):
        look(copying)


def test_no_moment_leaves_a_lock_behind_on_which_all_wait(
    copying: Transfer, left_locked: CtrlC
) -> None:
    left_locked()
    with pytest.raises(TimeoutError):
        copying.result(timeout=0.01)
    assert copying.cancel().ended == "cancelled"


def test_a_flag_is_seen_by_all_and_can_be_taken_down() -> None:
    flag, seen = Flag(), list[bool]()
    waiting = [threading.Thread(target=lambda: seen.append(flag.wait())) for _ in "abc"]
    for thread in waiting:
        thread.start()
    assert not flag.wait(0.0)
    assert not flag.wait(-1.0)
    flag.set()
    for thread in waiting:
        thread.join()
    assert seen == [True] * 3
    assert flag.is_set()
    assert flag.wait(0.0)
    flag.clear()
    assert not flag.wait(0.0)


def test_a_flag_is_seen_by_all_also_if_a_signal_comes_while_it_is_put_up() -> None:
    moment, reached = 0, True
    while reached:
        flag, reached, moment = Flag(), False, moment + 1
        waiting = [threading.Thread(target=flag.wait, daemon=True) for _ in "abc"]
        for thread in waiting:
            thread.start()
        assert not flag.wait(0.05)
        try:
            at_moment(moment, flag.set)
        except KeyboardInterrupt:
            reached = True
        for thread in waiting if flag.is_set() else ():
            thread.join(PATIENCE)
            assert not thread.is_alive()
        flag.set()
    assert moment > 2


def test_it_reaches_whoever_waits_for_a_browser(monkeypatch: pytest.MonkeyPatch) -> None:
    def lost(*_: object) -> None:
        """As threading does with a signal between its last step and the wait."""
        try:
            raise KeyboardInterrupt
        finally:
            raise RuntimeError("release unlocked lock")

    monkeypatch.setattr(browser, "wait", lost)
    monkeypatch.setattr(browser, "_page", lambda url: Path("/"))
    monkeypatch.setattr("webbrowser.open", lambda address: True)
    with pytest.raises(KeyboardInterrupt):
        browser.open_in_browser("http://localhost/")


def test_it_reaches_whoever_waits_for_microsoft(ctrl_c: CtrlC) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent, Http() as http:
        ctrl_c()
        with pytest.raises(KeyboardInterrupt):
            http.request("GET", f"http://127.0.0.1:{silent.getsockname()[1]}/")


def test_another_error_stays_what_it_is() -> None:
    with pytest.raises(RuntimeError, match="ours"), interruptible():
        raise RuntimeError("ours")


@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")  # it closes by itself
def test_no_moment_leaves_rclone_conf_locked(tmp_path: Path) -> None:
    """Not even until the Ctrl-C is raised: cleaning up needs the lock, too."""
    file, moment, reached = ConfigFile(tmp_path / "rclone.conf"), 0, True

    def change() -> None:
        with file.lock():
            pass

    change()
    while reached:
        reached, moment = False, moment + 1
        try:
            at_moment(moment, change)
        except KeyboardInterrupt:
            reached = True
            Held(tmp_path / ".rclone.conf.pluton.lock").release()  # raises if it is still locked
    assert moment > 20


def at_moment(number: int, act: Callable[[], object]) -> None:
    """A Ctrl-C in `act`, at one of the moments when Python checks for signals: where a function
    begins, and where a C call returns."""
    seen = 0

    def look(_frame: FrameType, event: str, _argument: Any) -> None:
        nonlocal seen
        seen += event in ("call", "c_return")
        if seen == number:
            raise KeyboardInterrupt

    present = sys.getprofile()
    sys.setprofile(look)
    try:
        act()
    finally:
        sys.setprofile(present)
