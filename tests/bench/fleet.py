"""How long a fleet of drives takes within Microsoft's documented budgets: predicted, and a small
real run beside its prediction.

The prediction is a flow: every rclone sends requests at its own pace until a budget is spent, then
all together at the rate of that budget (`pace.budgets`). The cost of a file and the pace of one
rclone are measured first, on the emulated Microsoft without budgets. Then several jobs of one
account share the documented budgets, with scaled time, in worker processes. Run with `python -m
tests.bench.fleet`; docs/scale.md has the table of `--table`.
"""

from __future__ import annotations

import argparse
import math
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from pluton_rclone.emulator import Emulator
from pluton_rclone.emulator.graph.budgets import APP_UNITS, TENANT_UNITS
from pluton_rclone.emulator.world import Request
from pluton_rclone.pace.budgets import LIMITS, Limit, rate
from pluton_rclone.values import costs

from .onedrive import files, world

LATENCY = 0.060
WORK = """
import sys
from pluton_rclone import Storages
from pluton_rclone.pace import ledger
from pluton_rclone.pace.budgets import LIMITS, Budget, Limit
scale, folder, *names = sys.argv[1:]
storage = Storages()["business"]
key = ledger.account_of(storage.section_with_secrets())
small = [Limit(one.amount / int(scale), one.seconds / int(scale), one.counts) for one in LIMITS]
ledger.BUDGETS[key] = Budget(small, shelf=ledger.Ledger(key))
print(sum(storage.upload(folder, name).result().transfers for name in names))
"""


class Work(NamedTuple):
    """The cost of an operation: requests and resource units."""

    requests: float
    units: float

    def times(self, count: float) -> Work:
        return Work(self.requests * count, self.units * count)

    def plus(self, other: Work) -> Work:
        return Work(self.requests + other.requests, self.units + other.units)


class Pool:
    """A budget that jobs share: `amount` at once, then a steady rate."""

    def __init__(self, limit: Limit) -> None:
        self.counts = limit.counts
        self.amount = self.left = limit.amount
        self.refill = rate(limit) * limit.cost

    def of(self, work: Work) -> float:
        """The part of the work that this budget counts."""
        return work.units if self.counts == "units" else work.requests


def predicted(jobs: Sequence[Work], at_once: int, speed: float, limits: Iterable[Limit]) -> float:
    """Seconds for all jobs, `at_once` at a time, each with at most `speed` requests a second."""
    pools, waiting = [Pool(limit) for limit in limits], list(reversed(jobs))
    running: list[Work] = []
    seconds = 0.0
    while waiting or running:
        while waiting and len(running) < at_once:
            running.append(waiting.pop())
        each = Work(1.0, sum(job.units / job.requests for job in running) / len(running))
        pace = speed * len(running)  # requests a second of all jobs
        for pool in pools:
            if pool.left <= 0:
                pace = min(pace, pool.refill / pool.of(each))
        flows = [(pool, pool.of(each) * pace - pool.refill) for pool in pools]
        until_done = min(job.requests for job in running) / (pace / len(running))
        until_spent = [pool.left / flow for pool, flow in flows if flow > 1e-9 and pool.left > 0]
        step = min([until_done, *until_spent])
        seconds += step
        for pool, flow in flows:
            pool.left = min(pool.amount, pool.left - flow * step)
            pool.left = 0.0 if pool.left < 1e-6 * pool.amount else pool.left
        share = pace / len(running) * step
        rest = [(job, job.requests - share) for job in running]
        running = [Work(left, job.units * left / job.requests) for job, left in rest if left > 1e-6]
    return seconds


# ---- measured ------------------------------------------------------------------------------------


def spent(requests: Iterable[Request]) -> Work:
    """The cost of requests, as a governor counts them (`rclone.asked`)."""
    found = [request for request in requests if not request.host.startswith("login.")]
    cheap = sum(
        request.method == "GET"
        and (request.status in (302, 404) or not request.host.startswith("graph."))
        for request in found
    )
    return Work(len(found), costs.LIST * (len(found) - cheap) + costs.DOWNLOAD * cheap)


def copied(cloud: Emulator, scale: int, folder: Path, names: Sequence[str], workers: int) -> float:
    """Seconds that worker processes, each with a share of the names, take to copy the folder."""
    argv = [sys.executable, "-c", WORK, str(scale), str(folder)]
    began = time.perf_counter()
    running = [
        subprocess.Popen([*argv, *names[number::workers]], stdout=subprocess.PIPE)
        for number in range(workers)
    ]
    done = sum(int(process.communicate()[0]) for process in running)
    if any(process.returncode for process in running):
        raise SystemExit("a worker failed")
    print(f"  {done} files, {cloud.budgets.throttled} refused", flush=True)
    return time.perf_counter() - began


# ---- the table of docs/scale.md ------------------------------------------------------------------

DAY = 960
"""An app's units for a day are those of this many minutes: 1,200,000 for 1,250 a minute. Source: as
in `emulator.graph.budgets`."""
FILE, FOLDER = Work(3.1, 5.8), Work(1.0, 2.0)
"""The cost of uploading a small file, as measured here, and of listing up to 1,000 entries."""
FILES, FOLDERS, CHANGED = 10_000, 1_000, 0.01
"""Files and folders of each drive, and the share of files that change in a day."""
SPEED, RCLONES = 50.0, 4
"""Requests a second of an rclone with four transfers and 60 ms latency; rclones at a time."""
SECTION = 4_500
"""Bytes of a remote in rclone.conf, with Microsoft's tokens."""


def table() -> str:
    """A row for each size of a fleet: every drive has one person with one licence."""
    first = FILE.times(FILES).plus(FOLDER.times(FOLDERS))
    night = FILE.times(FILES * CHANGED).plus(FOLDER.times(FOLDERS))
    rows = [
        "| Drives | Files | First: requests | units | takes | Each night: requests | units | takes "
        "| rclone.conf |",
        "|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for drives in (1, 10, 100, 1_000, 10_000):
        minute, all_apps = granted(APP_UNITS, drives), granted(TENANT_UNITS, drives)
        limits = [Limit(minute, 60.0), Limit(DAY * minute, 86_400.0), Limit(all_apps, 300.0)]
        cells = [f"{drives:,}", f"{drives * FILES:,}"]
        for work in (first, night):
            # One account asks 3,000 times in five minutes at most: ten a second.
            speed = min(SPEED, rate(LIMITS[-1]))
            seconds = predicted([work] * drives, RCLONES, speed, limits)
            cells += [
                f"{work.requests * drives:,.0f}",
                f"{work.units * drives:,.0f}",
                told(seconds),
            ]
        rows.append("| " + " | ".join([*cells, f"{drives * SECTION / 1e6:.1f} MB"]) + " |")
    return "\n".join(rows)


def granted(units: Mapping[int | None, int], licences: int) -> int:
    return next(amount for most, amount in units.items() if most is None or licences <= most)


def told(seconds: float) -> str:
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 2 * 86_400 else f"{seconds / 86_400:.0f} days"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=4, help="copies of the folder [4]")
    parser.add_argument("--files", type=int, default=60, help="files of each [60]")
    parser.add_argument("--workers", type=int, default=2, help="worker processes [2]")
    parser.add_argument("--scale", type=int, default=4, help="how much faster time runs [4]")
    parser.add_argument("--table", action="store_true", help="print the table of docs/scale.md")
    given = parser.parse_args()
    if given.table:
        print(table())
        return
    with tempfile.TemporaryDirectory() as name:
        folder, few = (
            files(Path(name) / "many", given.files, 100),
            files(Path(name) / "few", 4, 100),
        )
        with world("a") as (cloud, _):
            cloud.faults.latency = LATENCY
            start = copied(cloud, 1, few, ["few"], 1)
            first = len(cloud.requests)
            alone = copied(cloud, 1, folder, ["many"], 1)
            work = spent(cloud.requests[first:])
        speed = work.requests / max(0.001, alone - start)
        print(
            f"a file: {work.requests / given.files:.2f} requests, "
            f"{work.units / given.files:.2f} units; one rclone: {speed:.1f} requests a second"
        )
        limits = [
            limit._replace(amount=limit.amount / given.scale, seconds=limit.seconds / given.scale)
            for limit in (LIMITS[0], LIMITS[-1])
        ]
        rounds = math.ceil(given.jobs / given.workers)
        told = predicted([work] * given.jobs, given.workers, speed, limits) + rounds * start
        with world("b") as (cloud, _):
            cloud.faults.latency = LATENCY
            cloud.budgets.enable(time_scale=given.scale, share=1 / given.scale)
            names = [f"up {number}" for number in range(given.jobs)]
            took = copied(cloud, given.scale, folder, names, given.workers)
    print(
        f"{given.jobs} jobs, {given.workers} workers: predicted {told:.1f} s, measured {took:.1f} s"
        f" ({took / told:.2f} x)"
    )


if __name__ == "__main__":
    main()
