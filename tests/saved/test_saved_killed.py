"""Kill -9 of us, of rclone, or of both, at random moments of everything that a backup does: nothing
is lost, nothing runs on, nothing is left behind. `make attack` runs it; `-s` shows the figures."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from pluton_rclone.emulator import Emulator
from tests.connected import connected, emulated_drive

KILLS = 200


@pytest.mark.parametrize("kills", [pytest.param(KILLS, marks=pytest.mark.attack), 5])
def test_killed_at_random_moments_no_token_file_or_storage_is_lost_and_nothing_runs_on(
    kills: int, cloud: Emulator, tmp_path: Path
) -> None:
    connected(cloud, "personal", name="anna")
    connected(cloud, "business", name="spare")
    source = tmp_path / "source"
    source.mkdir()
    for number in range(12):
        (source / f"{number}.txt").write_text(str(number) * 20_000)
    argv = [sys.executable, "-m", "tests.saved.killing", str(kills), "17", str(tmp_path)]
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    print(seen)
    assert seen["faults"] == [], done.stderr
    assert seen["killed"] == kills
    assert (seen["orphans"], seen["unfinished loans left"]) == (0, 0)
    drive = emulated_drive(cloud, "personal")
    for folder in ("copied", "synced") if kills > 20 else ():
        for file in source.iterdir():
            assert drive.read(f"{folder}/{file.name}") == file.read_bytes()
