"""Debian's own rclone (1.60.1 in Debian 12), unpacked into .cache/ and not installed, for tests
that need an old one.

It is fetched once, with the system's apt-get, which checks it against the signed lists of the
mirrors configured on this machine; any user can do that. `python -m tests.rclone.debian` prints its
path.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from filelock import FileLock

from tests import outside

CACHE = Path(__file__).resolve().parents[2] / ".cache" / "debian"
BINARY = CACHE / "rclone" / "usr" / "bin" / "rclone"


class Unavailable(Exception):
    """The rclone cannot be fetched here; the message says why and what to do."""


def debian_rclone() -> Path:
    """The path of the binary, fetched if missing. Raises Unavailable if that fails."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with FileLock(CACHE / "lock"):
        if not BINARY.exists():
            _fetch()
    return BINARY


def _fetch() -> None:
    for tool in ("apt-get", "dpkg-deb"):
        if shutil.which(tool) is None:
            raise Unavailable(
                f"Debian's rclone is needed, and there is no {tool} here: run this on Debian or "
                "Ubuntu."
            )
    work = CACHE / "work"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    said = _apt(work, [])
    if not list(
        work.glob("rclone_*.deb")
    ):  # no package lists on this machine: fetch them into a folder of our own
        own = [f"-oDir::State={CACHE / 'state'}", f"-oDir::Cache={CACHE / 'cache'}"]
        for name in ("state/lists/partial", "cache/archives/partial"):
            (CACHE / name).mkdir(parents=True, exist_ok=True)
        said += _run(["apt-get", *own, "update"], work) + _apt(work, own)
    packages = list(work.glob("rclone_*.deb"))
    if not packages:
        raise Unavailable(
            f"`apt-get download rclone` brought nothing; is a Debian mirror "
            f"reachable?\n{said[-2000:]}"
        )
    said = _run(["dpkg-deb", "-x", str(packages[0]), str(work / "rclone")], work)
    if not (work / "rclone/usr/bin/rclone").exists():
        raise Unavailable(f"{packages[0].name} could not be unpacked:\n{said}")
    (work / "rclone").rename(CACHE / "rclone")
    shutil.rmtree(work)


def _apt(folder: Path, options: list[str]) -> str:
    return _run(["apt-get", *options, "download", "rclone"], folder)


def _run(argv: list[str], folder: Path) -> str:
    done = subprocess.run(
        argv,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**outside.ENVIRONMENT, "LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"},
        timeout=300,
        check=False,
    )
    return done.stdout.decode(errors="replace")


if __name__ == "__main__":
    try:
        print(debian_rclone())
    except Unavailable as error:
        sys.exit(str(error))
