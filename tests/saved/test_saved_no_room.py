"""No room for another thread, as in a container whose limit is reached: an error that says so, and
neither a process nor a copy of rclone.conf is left."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path

import pytest

from pluton_rclone import Storage
from pluton_rclone.emulator import Emulator
from pluton_rclone.errors import PlutonRcloneError, Who
from tests.children import children_of
from tests.connected import connected
from tests.process.test_process import settles


def opened(storage: Storage) -> None:
    with storage.restic("r", binary="/bin/true") as restic:
        restic.run("snapshots")


def left(runtime: Path) -> list[str]:
    """The private copies of rclone.conf, and the rclones that have one."""
    found = [str(copy) for copy in runtime.rglob("rclone.conf")]
    for pid in children_of(os.getpid()):
        with suppress(OSError):  # it has just gone
            words = Path(f"/proc/{pid}/cmdline").read_text().split("\0")
            found += [word for word in words if word.startswith("--config=")]
    return found


def drives(storage: Storage) -> None:
    with storage.graph() as graph:
        graph.drives()


JOBS: dict[str, Callable[[Storage], object]] = {
    "a copy": lambda storage: storage.upload(__file__, "x").result(),
    "a sync": lambda storage: storage.rclone.sync(__file__, storage.at("y")).cancel(),
    "a listing": lambda storage: storage.list(),
    "a race with the feed": lambda storage: list(storage.walk("Backups")),
    "all drives": drives,
    "all tokens": lambda storage: storage.storages.keep_alive(),
    "restic": opened,
}


@contextmanager
def room_for(number: int) -> Iterator[list[str]]:
    """So many threads can be started; gives the names of those that could not."""
    start, numbers, refused = threading.Thread.start, count(), list[str]()

    def start_or_not(thread: threading.Thread) -> None:
        if next(numbers) == number:
            refused.append(thread.name)
            raise RuntimeError("can't start new thread")
        start(thread)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(threading.Thread, "start", start_or_not)
        yield refused


@pytest.mark.parametrize("job", JOBS)
def test_without_room_for_a_thread_there_is_an_error_and_nothing_left(
    job: str, cloud: Emulator, runtime_folder: Path
) -> None:
    storage = connected(cloud, "business")
    cloud.files.drive_of("bert@contoso.onmicrosoft.com").write("Backups/letter.txt", b"Dear reader")
    told: list[PlutonRcloneError] = []
    for number in count():
        with room_for(number) as refused:
            try:
                JOBS[job](storage)
            except PlutonRcloneError as error:
                told.append(error)
        assert settles(lambda: left(runtime_folder) == []), refused
        if not refused:
            break
    assert {(error.who, error.details["retry"]) for error in told} == {(Who.LATER, True)}
