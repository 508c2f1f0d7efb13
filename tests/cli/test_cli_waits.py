"""Microsoft demands hours of waiting: a person learns until when, and what to do then."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from pluton_rclone.emulator import Emulator
from pluton_rclone.rclone.engine import Limits, Rclone
from pluton_rclone.rclone.events import Event, Throttled
from pluton_rclone.rclone.tally import Tally
from tests.cli.conftest import Command
from tests.connected import emulated_drive

UNTIL = r"Microsoft asks to wait until \d{4}-\d\d-\d\d \d\d:\d\d:\d\d"


class Clock:
    """The clock for a transfer's stall limit: it passes once Microsoft has demanded the wait."""

    now = 0.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def source(cloud: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Some files, for a drive that refuses everything for two hours."""
    clock, line = Clock(), Tally.line

    def heard(tally: Tally, text: bytes) -> Event:
        event = line(tally, text)
        clock.now += 0.3 * isinstance(event, Throttled)
        return event

    monkeypatch.setattr(Tally, "line", heard)
    monkeypatch.setattr("pluton_rclone.rclone.transfer.time", clock)
    monkeypatch.setitem(Rclone.__init__.__kwdefaults__ or {}, "limits", Limits(stall=0.2))
    cloud.faults.throttle("7200", times=None)
    (tmp_path / "source").mkdir()
    (tmp_path / "source/a.txt").write_text("x")
    return str(tmp_path / "source")


@pytest.mark.parametrize("words", [["copy"], ["sync", "--yes"]], ids=["copy", "sync"])
@pytest.mark.parametrize("from_here", [True, False])
def test_it_is_told_while_it_lasts_and_as_the_reason_of_the_end(
    connected: Command, source: str, words: list[str], from_here: bool
) -> None:
    """Also while a sync only looks for what it would delete."""
    ran = connected(*words, source if from_here else "work-files:there", "work-files:a")
    assert ran.code == 8
    assert re.search(rf"0 B/s; {UNTIL}$", ran.err, re.MULTILINE), ran.err
    assert re.search(rf"^ERROR {UNTIL}\.", ran.err, re.MULTILINE), ran.err
    assert "Run it again after that" in ran.err
    assert "network" not in ran.err


def test_before_a_preflight_no_id_of_a_drive_is_said(
    connected: Command, cloud: Emulator, source: str
) -> None:
    cloud.faults.clear()
    cloud.faults.throttle("400", times=None)  # longer than we wait
    ran = connected("copy", "--preflight", source, "work-files:a")
    assert (ran.code, "ERROR The drive: Microsoft asks" in ran.err) == (8, True), ran.err


def test_a_program_reads_until_when(connected: Command, source: str) -> None:
    ran = connected("copy", "--json", source, "work-files:a")
    *reports, result = ran.lines
    until = datetime.fromisoformat(reports[-1]["progress"]["waits_until"])
    assert abs(until - datetime.now(timezone.utc) - timedelta(hours=2)) < timedelta(hours=1)
    assert result["result"]["ended"] == "stalled"
    assert (ran.error["error"], ran.error["who"]) == ("throttled", "nobody: try again later")


@pytest.mark.parametrize(
    "words",
    [
        ["ls", "work-files:"],
        ["stat", "work-files:a.txt"],
        ["cat", "work-files:a.txt"],
        ["about", "work-files:"],
        ["size", "work-files:", "--include", "*.txt"],
        ["check", "{here}", "work-files:"],
        ["check", "work-files:", "{here}"],
        ["delete", "--yes", "work-files:a.txt"],
    ],
    ids=" ".join,
)
def test_so_it_is_of_whatever_else_asks_microsoft(
    connected: Command,
    cloud: Emulator,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    words: list[str],
) -> None:
    """By a warning, which Python prints if nothing else handles it."""
    monkeypatch.setattr("pluton_rclone.values.units.WORTH_TELLING", 0.5)
    emulated_drive(cloud, "personal").write("a.txt", b"x")
    (tmp_path / "here").mkdir()
    (tmp_path / "here/a.txt").write_text("x")
    cloud.faults.throttle("1")
    ran = connected(*(word.format(here=tmp_path / "here") for word in words))
    assert ran.code == 0, ran.err
    (told,) = [one.getMessage() for one in caplog.records if one.levelname == "WARNING"]
    assert re.fullmatch(rf"{UNTIL}\.", told)
