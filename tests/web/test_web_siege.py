"""Floods at the served page, with its real limits: other people are served meanwhile, and memory
and processes are bounded.

`make attack` runs them; `-s` shows the figures.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from subprocess import PIPE

import pytest

from pluton_rclone.emulator import Emulator
from pluton_rclone.web.plumbing.guard import AT_ONCE
from pluton_rclone.web.plumbing.jobs import Copying
from pluton_rclone.web.serving import MOST
from tests.connected import connected

from .attackers import ServedPage, attacked, eventually

pytestmark = pytest.mark.attack

LASTS = float(os.environ.get("ATTACK_SECONDS", "30"))  # the length of the siege by many clients
MEMORY = 400  # MiB that the page's process may use


class Figures:
    """The worst values of the page during an attack."""

    def __init__(self, page: ServedPage) -> None:
        self.page = page
        self.other = page.another()  # with a separate session
        self.waits: list[float] = []
        self.memory = self.rclones = self.files = 0

    def look(self) -> None:
        self.waits.append(self.other.answers_in())
        self.memory = max(self.memory, self.page.memory)
        self.rclones = max(self.rclones, self.page.rclones)
        self.files = max(self.files, self.page.files)

    def __str__(self) -> str:
        half = sorted(self.waits)[len(self.waits) // 2]
        return (
            f"{len(self.waits)} requests of somebody else: median {half * 1000:.0f} ms, worst "
            f"{max(self.waits) * 1000:.0f} ms; at most {self.memory} MiB, {self.rclones} rclones, "
            f"{self.files} files"
        )


@contextmanager
def watched(page: ServedPage, what: str) -> Iterator[Figures]:
    figures = Figures(page)
    yield figures
    if page.process.poll() is None:
        figures.look()
    print(f"\n{what}: {figures}")
    assert figures.memory < MEMORY


def test_three_hundred_half_sent_requests(home: Path) -> None:
    with attacked() as page, watched(page, "300 half-sent requests") as seen, ExitStack() as held:
        for _ in range(300):
            held.enter_context(page.connect("GET /add HTTP/1.1\r\n@X-Slow: x"))
        for _ in range(20):
            seen.look()
        assert seen.files < MOST + 60
        eventually(lambda: page.files < 60, "the page goes on waiting for them")


def test_headers_without_end_on_many_connections(home: Path) -> None:
    def pour(page: ServedPage) -> None:
        with suppress(OSError), page.connect("GET /add HTTP/1.1\r\n@X-Long: ") as connection:
            while True:
                connection.sendall(b"x" * 65536)

    with (
        attacked() as page,
        watched(page, "endless headers on 50 connections, again and again") as seen,
    ):
        for _ in range(5):
            threads = [threading.Thread(target=pour, args=(page,)) for _ in range(50)]
            for thread in threads:
                thread.start()
            seen.look()
            for thread in threads:
                thread.join()


def test_sixty_copies(cloud: Emulator, tmp_path: Path) -> None:
    storage, folder = connected(cloud), tmp_path / "open"
    folder.mkdir()
    (folder / "large").write_bytes(os.urandom(4_000_000))
    with (
        attacked("--folder", str(folder), RCLONE_BWLIMIT="20k") as page,
        watched(page, "60 copies asked for") as seen,
    ):
        refused = 0
        for number in range(60):
            with suppress(OSError):  # 422: too many jobs already
                page.post(
                    f"/storages/{storage.remote_name}/copy", local=str(folder), path=f"x{number}"
                )
                continue
            refused += 1
        for _ in range(20):
            seen.look()
        assert refused == 40
        eventually(lambda: page.rclones == Copying.at_once, "not as many as may run")
        assert seen.rclones <= Copying.at_once
        page.stop()
        assert page.rclones == 0


def test_forty_five_abandoned_downloads(cloud: Emulator) -> None:
    storage = connected(cloud)
    storage.rclone.rcat(os.urandom(8_000_000), storage.at("large"))
    path = f"/storages/{storage.remote_name}/download?path=large"
    with (
        attacked() as page,
        watched(page, "45 readers that stand still") as seen,
        ExitStack() as held,
    ):
        for _ in range(45):
            held.enter_context(page.connect(f"GET {path} HTTP/1.1\r\n$\r\n", small=True))
        eventually(lambda: page.rclones > 0, "no download began")
        end = time.monotonic() + 5
        while time.monotonic() < end:
            seen.memory, seen.rclones = (
                max(seen.memory, page.memory),
                max(seen.rclones, page.rclones),
            )
        assert seen.rclones <= AT_ONCE
        eventually(lambda: page.rclones == 0, "rclones read for nobody")
    with attacked() as page, watched(page, "45 readers that go at once") as seen:
        for _ in range(45):
            page.connect(f"GET {path} HTTP/1.1\r\n$\r\n", small=True).close()
        eventually(lambda: page.rclones == 0, "rclones read for nobody")
        seen.look()


def test_two_hundred_clients(cloud: Emulator, tmp_path: Path) -> None:
    """The attackers and the observer are separate processes (`besiegers`)."""
    storage, folder = connected(cloud), tmp_path / "open"
    folder.mkdir()
    (folder / "large").write_bytes(os.urandom(4_000_000))
    storage.rclone.rcat(os.urandom(8_000_000), storage.at("large"))
    at = f"/storages/{storage.remote_name}"
    with (
        attacked("--folder", str(folder), RCLONE_BWLIMIT="200k") as page,
        watched(page, f"200 clients for {LASTS:.0f} s") as seen,
    ):
        with besieging("attack", page, at=at, local=str(folder)), besieging("watch", page) as other:
            time.sleep(LASTS)
            found = json.loads(other.communicate()[0])
        seen.waits += found["waits"]
        seen.memory, seen.rclones, seen.files = (
            found[name] for name in ("memory", "rclones", "files")
        )
        assert seen.rclones <= Copying.at_once + AT_ONCE
        assert seen.files < MOST + 200
        page.stop()
        assert page.rclones == 0


@contextmanager
def besieging(role: str, page: ServedPage, **given: str) -> Iterator[subprocess.Popen[str]]:
    """A process of `besiegers`, which ends when its stdin is closed."""
    argv = [sys.executable, "-m", "tests.web.besiegers", role]
    with subprocess.Popen(argv, stdin=PIPE, stdout=PIPE, text=True) as process:
        assert process.stdin is not None
        given |= {"address": page.address()}
        process.stdin.write(json.dumps({"pid": page.pid, **given}) + "\n")
        process.stdin.flush()
        yield process
