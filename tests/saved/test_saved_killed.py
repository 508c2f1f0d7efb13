"""Kill -9 of us, of rclone, or of both, at random moments of everything that a backup does: nothing
is lost, continues to run or is left behind, even if the places for private files are full or
squatted by another user. `make attack` runs it; `-s` shows the figures."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from pluton_rclone.emulator import Emulator
from tests.conf.mounts import inside
from tests.connected import connected, emulated_drive

KILLS = 200
# The tests' own folders may be in /dev/shm (conftest.py), and so may we: they are in the new one.
MEMORY = (
    "exec 3<{tests} 4<{ours}; mount -t tmpfs -o size={size} shm /dev/shm; mkdir -p {tests} {ours}; "
    "mount --no-canonicalize --bind /proc/self/fd/3 {tests}; "
    "mount --no-canonicalize --bind /proc/self/fd/4 {ours}; exec 3<&- 4<&-; "
    "mount -t tmpfs -o size={size} session {session}"
)
OURS = Path(__file__).parents[2]
SQUAT = "mkdir -m 777 {session}/pluton-rclone-0 /dev/shm/pluton-rclone-0"
PLACES = {  # how the machine is prepared
    "usual": MEMORY.replace("{size}", "64m"),
    "full": MEMORY.replace("{size}", "1m"),
    "squatted": f"{MEMORY.replace('{size}', '64m')}; {SQUAT}",
}


@pytest.mark.parametrize(
    ("place", "kills", "what"),
    [
        *(pytest.param(place, KILLS, "everything", marks=pytest.mark.attack) for place in PLACES),
        pytest.param("usual", 100, "runs", marks=pytest.mark.attack),
        *(("usual", 4, "runs"), ("full", 2, "everything"), ("squatted", 2, "everything")),
    ],
)
def test_killed_at_random_moments_no_token_file_or_storage_is_lost_and_nothing_runs_on(
    place: str, kills: int, what: str, cloud: Emulator, tmp_path: Path, runtime: Path
) -> None:
    """For runs and renewals ("runs"), also if a refresh token works only once."""
    connected(cloud, "personal", name="anna")
    connected(cloud, "business", name="spare")
    if what == "runs":  # losing a replacement refresh token would show
        cloud.quirks.refresh_tokens_once()
    source = tmp_path / "source"
    source.mkdir()
    for number in range(12):
        (source / f"{number}.txt").write_text(str(number) * 20_000)
    argv = [sys.executable, "-m", "tests.saved.killing", str(kills), "17", str(tmp_path), what]
    disks = [str(runtime), "/dev/shm"] if place == "full" else []
    folders = {"session": runtime, "tests": tempfile.gettempdir(), "ours": OURS}
    quoted = {name: shlex.quote(str(folder)) for name, folder in folders.items()}
    preparation = PLACES[place].format(**quoted)
    prepared = inside(preparation, [*argv, *disks])
    done = subprocess.run(prepared, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    print(place, seen)
    assert seen["faults"] == [], done.stderr
    assert seen["killed"] == kills
    assert (seen["orphans"], seen["unfinished loans left"]) == (0, 0)
    drive = emulated_drive(cloud, "personal")
    for folder in ("copied", "synced") if kills > 20 else ():
        for file in source.iterdir():
            assert drive.read(f"{folder}/{file.name}") == file.read_bytes()
