"""Microsoft asks to wait for hours: a person hears until when, and what to do then."""

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

UNTIL = r"Microsoft asks to wait until \d{4}-\d\d-\d\d \d\d:\d\d:\d\d"


class Clock:
    """The time by which a transfer stands still for too long: it passes once Microsoft has said
    that it is to wait."""

    now = 0.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def source(cloud: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Some files for a drive that refuses everything for two hours."""
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


@pytest.mark.parametrize("looks_first", [False, True])
def test_it_is_told_while_it_lasts_and_as_the_reason_of_the_end(
    connected: Command, source: str, looks_first: bool
) -> None:
    words = ["sync", "--yes", "work-files:there"] if looks_first else ["copy", source]
    ran = connected(*words, "work-files:a")
    assert ran.code == 8
    assert re.search(rf"0 B/s; {UNTIL}$", ran.err, re.MULTILINE), ran.err
    assert re.search(rf"^ERROR {UNTIL}\.", ran.err, re.MULTILINE), ran.err
    assert "Run it again after that" in ran.err
    assert "network" not in ran.err


def test_a_program_reads_until_when(connected: Command, source: str) -> None:
    ran = connected("copy", "--json", source, "work-files:a")
    *reports, result = ran.lines
    until = datetime.fromisoformat(reports[-1]["progress"]["waits_until"])
    assert abs(until - datetime.now(timezone.utc) - timedelta(hours=2)) < timedelta(hours=1)
    assert result["result"]["ended"] == "stalled"
    assert (ran.error["error"], ran.error["who"]) == ("throttled", "nobody: try again later")
