"""A running transfer: a live bar at a terminal, otherwise occasional lines; in JSON each report."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pluton_rclone.values.units import human_bytes, waiting

from .output import Output

if TYPE_CHECKING:
    from pluton_rclone.rclone.results import TransferResult
    from pluton_rclone.rclone.transfer import Transfer

# What --json prints of a report, and of each file in it.
REPORTED: tuple[str, ...] = ("bytes", "total_bytes", "speed", "eta", "transfers", "total_transfers")
REPORTED += ("checks", "errors", "elapsed", "waits_until", "in_flight")
IN_FLIGHT = ("name", "bytes", "size", "speed", "eta")
PLAIN_SECONDS = 10.0


def follow(transfer: Transfer, output: Output) -> TransferResult:
    """Show the transfer until it ends. Failures are in the result."""
    if output.as_json:
        for progress in transfer:
            files = [
                {name: getattr(each, name) for name in IN_FLIGHT} for each in progress.in_flight
            ]
            record = {name: getattr(progress, name) for name in REPORTED}
            until = progress.waits_until and progress.waits_until.isoformat()
            output.line({"progress": record | {"in_flight": files, "waits_until": until}})
    elif output.is_live:
        from .picture import live

        live(transfer)
    else:
        _lines(transfer, output)
    return transfer.wait()


@contextmanager
def counting(output: Output, what: str) -> Iterator[Callable[[int], None]]:
    """Yields a function to call with the count so far, which a terminal shows."""
    if not output.is_live:
        yield lambda count: None
        return
    from rich.console import Console

    with Console(stderr=True, highlight=False).status(what) as status:
        yield lambda count: status.update(f"{what} {count}")


def _lines(transfer: Transfer, output: Output) -> None:
    last, waits = time.monotonic(), False
    for progress in transfer:
        until = progress.waits_until
        if time.monotonic() - last < PLAIN_SECONDS and (waits or until is None):
            continue
        last, waits = time.monotonic(), until is not None
        done, total = human_bytes(progress.bytes), human_bytes(progress.total_bytes)
        files = f"{progress.transfers}/{progress.total_transfers} files"
        told = "" if until is None else f"; {waiting(until)}"
        output.say(f"  {files}, {done} of {total}, {human_bytes(progress.speed)}/s{told}")
