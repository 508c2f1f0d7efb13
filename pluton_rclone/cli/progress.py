"""A running transfer at a terminal: a live bar; without a terminal a line now and then; with --json every report."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from ..units import human_bytes
from .output import Output

if TYPE_CHECKING:
    from ..rclone.events import Progress
    from ..rclone.results import TransferResult
    from ..rclone.transfer import Transfer

PLAIN_SECONDS = 10.0


def follow(transfer: Transfer, output: Output) -> TransferResult:
    """Shows the transfer until it ends. Failures are in the result."""
    if output.as_json:
        for progress in transfer:
            output.line({"progress": progress_record(progress)})
    elif output.console.is_terminal:
        _bar(transfer, output)
    else:
        _lines(transfer, output)
    return transfer.wait()


def progress_record(progress: Progress) -> dict[str, object]:
    """A progress report as JSON: bytes, seconds, bytes per second."""
    return {
        "bytes": progress.bytes,
        "total_bytes": progress.total_bytes,
        "speed": progress.speed,
        "eta": progress.eta,
        "transfers": progress.transfers,
        "total_transfers": progress.total_transfers,
        "checks": progress.checks,
        "errors": progress.errors,
        "elapsed": progress.elapsed,
        "in_flight": [
            {"name": file.name, "bytes": file.bytes, "size": file.size, "speed": file.speed, "eta": file.eta}
            for file in progress.in_flight
        ],
    }


def _bar(transfer: Transfer, output: Output) -> None:
    from rich.progress import BarColumn, DownloadColumn, TextColumn, TimeRemainingColumn, TransferSpeedColumn
    from rich.progress import Progress as Bars

    bars = Bars(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(binary_units=True),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        console=output.console,
        transient=True,
    )
    with bars:
        task = bars.add_task("starting", total=None)
        for progress in transfer:
            files = f"{progress.transfers}/{progress.total_transfers} files"
            bars.update(task, description=files, completed=progress.bytes, total=progress.total_bytes or None)


def _lines(transfer: Transfer, output: Output) -> None:
    last = time.monotonic()
    for progress in transfer:
        if time.monotonic() - last < PLAIN_SECONDS:
            continue
        last = time.monotonic()
        output.say(
            f"  {progress.transfers}/{progress.total_transfers} files, {human_bytes(progress.bytes)} of "
            f"{human_bytes(progress.total_bytes)}, {human_bytes(progress.speed)}/s"
        )
