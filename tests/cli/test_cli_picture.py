"""A transfer at a terminal: what is drawn, and that nothing of it stays."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest
from rich.cells import cell_len

from pluton_rclone.cli.picture import MOST_FILES, picture, shortened
from pluton_rclone.emulator import Emulator
from pluton_rclone.rclone.events import InFlight, Progress
from pluton_rclone.values.units import human_seconds
from tests.cli.conftest import AtTerminal, Command
from tests.gates import Gate

MIB = 1024 * 1024
HALFWAY = Progress(
    text="",
    bytes=60 * MIB,
    total_bytes=120 * MIB,
    speed=12.0 * MIB,
    eta=5.0,
    transfers=18,
    total_transfers=60,
    checks=7,
    in_flight=(
        InFlight("photos/2026/summer/beach.jpg", 3 * MIB, 4 * MIB, 2.0 * MIB),
        InFlight("stream of unknown size", 3 * MIB, -1, 1.0 * MIB),
    ),
)


def lines(progress: Progress, width: int = 120, height: int = 24) -> list[str]:
    return [line.plain for line in picture(progress, width, height)]


def test_how_far_how_fast_how_long_and_which_files() -> None:
    whole, first, second = lines(HALFWAY)

    assert whole.startswith("━" * 20 + "─" * 20)
    assert "18 of 60 files  60.0 MiB of 120.0 MiB  12.0 MiB/s  5 s left  7 already there" in whole
    assert first.split() == ["photos/2026/summer/beach.jpg", "75%", "2.0", "MiB/s"]
    assert second.split()[-2:] == ["1.0", "MiB/s"]
    assert "%" not in second


@pytest.mark.parametrize("width", [10, 20, 40, 80, 200])
def test_nothing_is_wider_than_the_terminal(width: int) -> None:
    name = "ein sehr langer Ordner/" * 5 + "写真" * 20 + "\x1b[31m.jpg"
    progress = Progress(text="", bytes=1, total_bytes=2, in_flight=(InFlight(name, 1, 2),) * 3)

    assert all(cell_len(line) <= width for line in lines(progress, width))


def test_a_wait_that_microsoft_asks_for_is_told_with_its_end_and_takes_a_line() -> None:
    until = datetime(2026, 11, 30, 19, 3, 12).astimezone()
    many = (InFlight("a.jpg"),) * 20
    drawn = lines(Progress(text="", in_flight=many, waits_until=until), height=10)

    assert drawn[1] == "  Microsoft asks to wait until 2026-11-30 19:03:12"
    assert len(drawn) == len(lines(Progress(text="", in_flight=many), height=10))


def test_no_more_files_than_there_is_room_for() -> None:
    many = Progress(text="", in_flight=tuple(InFlight(f"{number}.jpg") for number in range(20)))

    assert len(lines(many, height=50)) == 1 + MOST_FILES + 1
    assert lines(many, height=50)[-1] == f"  and {20 - MOST_FILES} more"
    assert len(lines(many, height=6)) == 5
    assert lines(Progress(text="")) == ["─" * 40 + "  0 of 0 files"]


def test_the_end_of_a_long_path_is_kept_and_it_cannot_steer_the_terminal() -> None:
    assert shortened("short.txt", 20) == "short.txt"
    assert shortened("a/long/way/to/photo.jpg", 12) == "…o/photo.jpg"
    assert "\x1b" not in shortened("\x1b[2J.txt", 20)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.4, "0 s"),
        (59, "59 s"),
        (200, "3 min 20 s"),
        (7500.0, "2 h 5 min"),
        (172_799, "47 h 59 min"),
        (180_000, "2 d 2 h"),
    ],
)
def test_times_as_people_read_them(seconds: float, text: str) -> None:
    assert human_seconds(seconds) == text


def test_the_picture_is_gone_at_the_end(
    at_terminal: AtTerminal, connected: Command, cloud: Emulator, tmp_path: Path
) -> None:
    for number in range(4):
        (tmp_path / f"{number}.bin").write_bytes(b"x" * 5_000_000)
    gate = Gate(cloud, "^PUT ")  # it must be drawn while files go, however slow this is
    with at_terminal("copy", str(tmp_path), "Work files:x", "--exclude", "/home/**") as terminal:
        terminal.expect("of 19.1 MiB")
        terminal.expect("3.bin")
        gate.open()
        assert terminal.end() == 0, terminal.heard
    last = terminal.heard.replace("\r", "\n").splitlines()[-1]
    assert "4 files transferred (19.1 MiB)" in last


def test_without_a_terminal_nothing_is_drawn(connected: Command, tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "1.bin").write_bytes(b"x" * 1000)
    ran = connected("copy", str(tmp_path / "source"), "Work files:x")

    assert ran.out == ""
    assert "\x1b" not in ran.err
    assert "━" not in ran.err
