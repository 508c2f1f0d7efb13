"""Several processes of one account, against the documented budgets with time scaled."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from pluton_rclone.emulator import Emulator
from pluton_rclone.errors import StorageExists
from pluton_rclone.process.system import began
from tests.children import children_of
from tests.connected import connected
from tests.terminal import PATIENCE

SMALLER = 4
LATENCY = 0.1  # seconds, as at Microsoft: no more requests are in flight than there

Worker = subprocess.Popen[str]


@contextmanager
def crowd(
    cloud: Emulator,
    count: int,
    *,
    smaller: float = SMALLER,
    latency: float = LATENCY,
    ledger: bool = True,
    first: int = 0,
) -> Iterator[list[Worker]]:
    """`count` workers that are ready; each copies to its own folder in the storage "business"."""
    with suppress(StorageExists):
        connected(cloud, "business")
    cloud.faults.latency = 0.0
    with ExitStack() as stack:
        made = [_worker(stack, first + number, smaller, ledger) for number in range(count)]
        for process in made:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        cloud.budgets.enable(time_scale=smaller, share=1 / smaller)
        cloud.faults.latency = latency
        yield made


def _worker(stack: ExitStack, number: int, smaller: float, ledger: bool) -> Worker:
    argv = [sys.executable, "-m", "tests.pace.worker", "business", f"up {number}", str(smaller)]
    process = subprocess.Popen(
        [*argv, *([] if ledger else ["alone"])],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    stack.enter_context(process)
    stack.callback(process.kill)
    return process


def begin(workers: Sequence[Worker], folder: Path, files: int) -> None:
    """Start all workers at once, with a folder of `files` files."""
    folder.mkdir()
    for number in range(files):
        (folder / f"{number}.txt").write_text(str(number))
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write(f"{folder}\n")
        worker.stdin.flush()


def told(workers: Sequence[Worker], timeout: float = 5 * PATIENCE) -> list[str]:
    return [worker.communicate(timeout=timeout)[0] for worker in workers]


def rclones_of(pid: int) -> list[int]:
    """The rclones that a process started."""
    return [one for one in children_of(pid) if Path(f"/proc/{one}/exe").resolve().name == "rclone"]


def gone(pid: int) -> None:
    """Wait until the process has ended."""
    deadline = time.monotonic() + PATIENCE
    while began(pid):
        assert time.monotonic() < deadline
        time.sleep(0.01)
