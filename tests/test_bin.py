"""`bin/pluton-rclone` runs from a checkout: from any folder, through a symlink, with nothing activated."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

import pluton_rclone

SCRIPT = Path(__file__).parent.parent / "bin" / "pluton-rclone"


@pytest.mark.parametrize("how", ["directly", "through a symlink"])
def test_it_runs_from_another_folder(how: str, tmp_path: Path) -> None:
    script = SCRIPT
    if how == "through a symlink":
        script = tmp_path / "linked"
        script.symlink_to(SCRIPT)
    ran = subprocess.run(
        [str(script), "--version"],
        cwd=tmp_path,
        env={"PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
    )
    assert (ran.returncode, ran.stdout.strip()) == (
        0,
        f"pluton-rclone, version {pluton_rclone.__version__}",
    )
