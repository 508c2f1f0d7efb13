"""Ctrl-C while the main thread waits for another thread is KeyboardInterrupt, and nothing else."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from pluton_rclone import process
from pluton_rclone.microsoft.http import Http
from pluton_rclone.process.interrupts import interruptible
from pluton_rclone.rclone.engine import Rclone
from pluton_rclone.rclone.transfer import Transfer

CtrlC = Callable[[], None]


@pytest.fixture
def ctrl_c(monkeypatch: pytest.MonkeyPatch) -> CtrlC:
    """A signal meets the next wait of the main thread where Python loses it: the lock is let go."""
    wait, left = threading.Condition.wait, [KeyboardInterrupt()]

    def interrupted(self: threading.Condition, timeout: float | None = None) -> bool:
        if threading.current_thread() is not threading.main_thread() or not left:
            return wait(self, timeout)
        self.release()
        raise left.pop()

    return lambda: monkeypatch.setattr(threading.Condition, "wait", interrupted)


def test_what_ends_a_wait_is_raised(ctrl_c: CtrlC) -> None:
    with process.Child(["/bin/sleep", "1000"], env={}) as child:
        ctrl_c()
        with pytest.raises(KeyboardInterrupt):
            child.wait()
        assert not child.ended
    assert child.ended


@pytest.mark.parametrize(
    "look",
    [Transfer.result, lambda one: next(one.events()), lambda one: list(one)],
    ids=["result", "events", "progress"],
)
def test_it_reaches_whoever_waits_for_a_transfer(
    look: Callable[[Transfer], object], tmp_path: Path, ctrl_c: CtrlC
) -> None:
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "file").write_bytes(bytes(1_000_000))
    rclone = Rclone(flags=["--bwlimit=1k"])
    with rclone.copy(tmp_path / "source", tmp_path / "target") as transfer:
        ctrl_c()
        with pytest.raises(KeyboardInterrupt):
            look(transfer)
    assert not transfer.running


def test_it_reaches_whoever_waits_for_microsoft(ctrl_c: CtrlC) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent, Http() as http:
        ctrl_c()
        with pytest.raises(KeyboardInterrupt):
            http.request("GET", f"http://127.0.0.1:{silent.getsockname()[1]}/")


def test_another_error_stays_what_it_is() -> None:
    with pytest.raises(RuntimeError, match="ours"), interruptible():
        raise RuntimeError("ours")
