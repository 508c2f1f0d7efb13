"""Alternating runs of several candidates, and tables with median, spread and ratio."""

from __future__ import annotations

import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

Numbers = Mapping[str, float]
"""What one run measured: a number for each column."""


def alternate(
    candidates: Mapping[str, Callable[[], Numbers]], runs: int
) -> dict[str, list[Numbers]]:
    """Run every candidate once, then all again, so that other load affects all of them equally."""
    found: dict[str, list[Numbers]] = {name: [] for name in candidates}
    for number in range(runs):
        for name, run in candidates.items():
            found[name].append(run())
            print(
                f"\r  run {number + 1} of {runs}: {name:<40}", end="", file=sys.stderr, flush=True
            )
    print("\r" + " " * 70 + "\r", end="", file=sys.stderr, flush=True)
    return found


def table(
    title: str,
    found: Mapping[str, Sequence[Numbers]],
    *,
    base: str,
    column: str,
    units: Mapping[str, str],
) -> dict[str, float]:
    """Print medians and spreads, and the ratio of `column` to the base's. Returns the ratios."""
    load = os.getloadavg()[0]
    print(
        f"\n{title}  (median of {len(next(iter(found.values())))} runs, lowest to highest; load "
        f"{load:.1f})"
    )
    reference = statistics.median(run[column] for run in found[base])
    ratios = {}
    for name, runs in found.items():
        cells = []
        for what, unit in units.items():
            values = [run[what] for run in runs if what in run]
            if values:
                middle, low, high = statistics.median(values), min(values), max(values)
                cells.append(f"{what} {middle:.4g} {unit} ({low:.4g} to {high:.4g})")
        ratios[name] = statistics.median(run[column] for run in runs) / reference
        print(f"  {name:<34} x{ratios[name]:<7.3f} {'; '.join(cells)}", flush=True)
    return ratios


def python(code: str, *arguments: str) -> Numbers:
    """Run code in a fresh interpreter; it prints its numbers as JSON on the last line."""
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        stdout=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        check=True,
    )
    numbers: Numbers = json.loads(done.stdout.splitlines()[-1])
    return numbers


@contextmanager
def memory_folder() -> Iterator[Path]:
    """A temporary folder in memory if there is a /dev/shm, otherwise on disk."""
    base = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    folder = Path(tempfile.mkdtemp(prefix="pluton-rclone-bench-", dir=base))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that a timeout cleans up, too
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def available_memory() -> int:
    """The bytes of available memory."""
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return 0
