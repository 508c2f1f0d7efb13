"""Debian's own restic (0.14 in Debian 12), unpacked into .cache/ and not installed; fetched as in
`rclone/debian.py`."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from filelock import FileLock

from tests.rclone import debian
from tests.rclone.debian import CACHE, Unavailable

BINARY = CACHE / "restic" / "usr" / "bin" / "restic"


def debian_restic() -> Path:
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
                f"Debian's restic is needed, and there is no {tool} here: run this on Debian or "
                "Ubuntu."
            )
    work = CACHE / "restic-work"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    said = debian._run(["apt-get", "download", "restic"], work)
    if not list(
        work.glob("restic_*.deb")
    ):  # no package lists on this machine: download them into our own folder
        own = [f"-oDir::State={CACHE / 'state'}", f"-oDir::Cache={CACHE / 'cache'}"]
        for name in ("state/lists/partial", "cache/archives/partial"):
            (CACHE / name).mkdir(parents=True, exist_ok=True)
        said += debian._run(["apt-get", *own, "update"], work)
        said += debian._run(["apt-get", *own, "download", "restic"], work)
    packages = list(work.glob("restic_*.deb"))
    if not packages:
        raise Unavailable(
            f"`apt-get download restic` brought nothing; is a Debian mirror "
            f"reachable?\n{said[-2000:]}"
        )
    said = debian._run(["dpkg-deb", "-x", str(packages[0]), str(work / "restic")], work)
    if not (work / "restic/usr/bin/restic").exists():
        raise Unavailable(f"{packages[0].name} could not be unpacked:\n{said}")
    (work / "restic").rename(CACHE / "restic")
    shutil.rmtree(work)


if __name__ == "__main__":
    try:
        print(debian_restic())
    except Unavailable as error:
        sys.exit(str(error))
