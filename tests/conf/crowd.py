"""Processes that use one rclone.conf at once; each logs its changes, so that `must_be_there` can
tell the expected content.

`-m tests.conf.crowd writer CONFIG LOG NAME SECONDS REMOTES`, a fork of tests/forked.py, adds,
updates and deletes remotes of its own. `… borrower …` runs the real rclone through the library,
`… foreigner …` runs it on the file itself.
"""

from __future__ import annotations

import itertools
import json
import os
import random
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from pluton_rclone.conf.conf import Conf
from tests.conf.real_rclone import RCLONE


def writer(config: Path, log: IO[str], name: str, seconds: float, remotes: int) -> None:
    """Add and update this many remotes, delete every second one, and continue to change them until
    the time is up.

    The log has every change before it begins and after it is done.
    """
    conf = Conf(config)
    deadline = time.monotonic() + seconds
    number = 0
    present: set[str] = set()

    def add(remote: str) -> None:
        _logged(log, remote, number, lambda: conf.add(remote, _section(number)))
        present.add(remote)

    def update(remote: str) -> None:
        _logged(log, remote, number, lambda: conf.update(remote, {"description": str(number)}))

    def delete(remote: str) -> None:
        _logged(log, remote, None, lambda: conf.delete(remote))
        present.discard(remote)

    for number in range(1, remotes + 1):
        remote = f"{name}-{number}"
        add(remote)
        update(remote)
        if number % 2:
            delete(remote)
    chance = random.Random(name)
    while time.monotonic() < deadline:
        number += 1
        remote = f"{name}-{chance.randint(1, remotes)}"
        chance.choice([update, delete])(remote) if remote in present else add(remote)


def _section(number: int) -> dict[str, str]:
    return {"type": "memory", "description": str(number), "pluton_account_name": "x" * 100}


def _logged(log: IO[str], remote: str, number: int | None, change: Any) -> None:
    for state in ("begin", "done"):
        if state == "done":
            change()
        log.write(json.dumps([remote, number, state]) + "\n")
        log.flush()


def borrower(config: Path, log: IO[str], name: str, seconds: float, _remotes: int) -> None:
    """Run rclone through the library."""
    conf = Conf(config)
    for _ in _again(seconds):
        with conf.private([name]) as private:
            _rclone(private.path, name)
        log.write("run\n")
        log.flush()


def foreigner(config: Path, log: IO[str], name: str, seconds: float, _remotes: int) -> None:
    """Run rclone without the library, on the file itself."""
    for _ in _again(seconds):
        _rclone(config, name)
        log.write("run\n")
        log.flush()


def _again(seconds: float) -> Iterator[int]:
    """Count until the time is up, but at least a few times, on the slowest machine, too."""
    deadline = time.monotonic() + seconds
    for number in itertools.count():
        if number >= 3 and time.monotonic() >= deadline:
            return
        yield number


def _rclone(config: Path, name: str) -> None:
    subprocess.run(
        [RCLONE, "--config", config, "lsd", f"{name}:"],
        env=dict(os.environ),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=300,
        check=False,
    )


def must_be_there(
    lines: Iterator[list[Any]],
) -> tuple[dict[str, int | None], dict[str, int | None]]:
    """From a writer's log: each remote's number after its last finished change (None: deleted), and
    the number that the change in progress, if any, would have set."""
    finished: dict[str, int | None] = {}
    under_way: dict[str, int | None] = {}
    for remote, number, state in lines:
        if state == "begin":
            under_way = {remote: number}
        else:
            finished[remote] = number
            under_way = {}
    return finished, under_way


def main(words: list[str]) -> int:
    role, config, log, name, seconds, remotes = words
    play = {"writer": writer, "borrower": borrower, "foreigner": foreigner}[role]
    with open(log, "a", encoding="utf-8") as file:
        play(Path(config), file, name, float(seconds), int(remotes))
    return 0
