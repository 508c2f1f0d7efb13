"""Many processes of one account, simulated: the governors and budgets of `pace` and the emulator's
budgets, with simulated rclones, on a virtual clock.

`python -m tests.bench processes` prints, for 1, 2, 4 and 8 processes, seconds and refusals beside
the time that the work takes at the rate of the lowest budget. `--how=ledger,alone,bare` measures
real ones, for five minutes each: with the ledger, each counting for itself, and bare rclones.
"""

from __future__ import annotations

import argparse
import heapq
import random
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import NamedTuple
from unittest import mock

from pluton_rclone.emulator.faults import GraphFault
from pluton_rclone.emulator.graph.budgets import Budgets
from pluton_rclone.emulator.world import World
from pluton_rclone.pace.budgets import LIMITS, Budget, Clock, Limit, Parts, Shelf
from pluton_rclone.pace.canary import Canary
from pluton_rclone.pace.governor import Governed, Governor
from pluton_rclone.rclone import asked
from tests.pace.crowd import begin, crowd, told

from .onedrive import world

LATENCY = 0.1  # seconds
START = 0.5  # seconds in which all processes begin
OFTEN = 0.2  # the share of looks that are late on a busy machine
UNITS_A_FILE = 4  # for the upload of a small file: it is looked up and written
REQUESTS_A_FILE = 2


class Figure(NamedTuple):
    """The result of a run: seconds until all had ended, refusals, requests, resource units."""

    seconds: float
    refused: int
    requests: int
    units: int

    def allowed(self) -> float:
        """Seconds that the run takes at the rate of the lowest budgets."""
        return max(
            spent / (limit.amount / limit.seconds)
            for limit, spent in ((LIMITS[0], self.units), (LIMITS[-1], self.requests))
        )


# ---- foretold ------------------------------------------------------------------------------------


class Virtual(Clock):
    """The clock of a simulation."""

    at = 1000.0

    def now(self) -> float:
        return self.at


class Table(Shelf):
    """A simulation's ledger, for one process."""

    def __init__(self, common: Parts, owner: str) -> None:
        self._owner, self._common = owner, common

    @property
    def owner(self) -> str:
        return self._owner

    @contextmanager
    def open(self, parts: Parts) -> Iterator[None]:
        parts |= self._common
        yield
        self._common |= parts


class Who(NamedTuple):
    user: str = "user"
    app: str = "app"
    tenant: str = "tenant"


class Watching(Governor):
    """A governor that learns Microsoft's limit as soon as it asks."""

    def _warm_up(self, limit: Limit) -> None:
        """Do nothing: there is nothing to prepare."""

    def _beyond(self, child: Governed, limit: Limit) -> None:
        left = self._budget.left(limit, self._clock.now()) * limit.cost
        self._budget.said(self._clock.now(), limit.amount, left)

    def begin(self) -> None:
        self._budget.join(self)

    def look(self, child: Governed) -> float:
        """Look at the rclone; return the seconds until the next look."""
        self._planned = wait = self._look(child)
        return wait

    def end(self) -> None:
        self._budget.leave(self)


class Played:
    """A simulated rclone with `transfers` at once; each request takes `latency`, and the next one
    is sent 10 ms later at the earliest (lib/pacer)."""

    pid, ended = 1, False

    def __init__(self, world: Simulation, files: int, transfers: int) -> None:
        self._world, self._left, self._free = world, REQUESTS_A_FILE * files, transfers
        self._next, self._unread, self._under_way = 0.0, 0, 0
        self.paused, self.answers = False, 0

    @property
    def is_done(self) -> bool:
        return not self._left and not self._under_way

    def begin(self) -> None:
        """Send a request if one may be sent now."""
        now = self._world.clock.at
        if self.paused or not self._free or not self._left:
            return
        if now < self._next - 1e-9:
            self._world.later(self._next - now, self.begin)
            return
        self._free, self._left, self._next = self._free - 1, self._left - 1, now + 0.01
        self._under_way += 1
        self._world.later(self._world.latency, self._arrive)
        self._world.later(0.01, self.begin)

    def _arrive(self) -> None:
        self._left += not self._world.asked()
        if self.paused:
            self._unread += 1
        else:
            self._read()

    def _read(self) -> None:
        self.answers, self._free = self.answers + 1, self._free + 1
        self._under_way -= 1
        self.begin()

    def pause(self) -> None:
        self.paused = True

    def resume(self) -> None:
        if self.paused:
            self.paused = False
            unread, self._unread = self._unread, 0
            for _ in range(unread):
                self._read()
            self.begin()


class Simulation:
    """Processes of one account; `smaller` scales amounts and windows as in real runs."""

    def __init__(
        self, processes: int, files: int, smaller: float, transfers: int, late: float = 0.0
    ) -> None:
        self._late, self._chance = late, random.Random(19)
        self.clock, self.latency = Virtual(), LATENCY
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._number = count()
        self._microsoft = Budgets(World())
        self._microsoft.enable(time_scale=smaller, share=1 / smaller, clock=self.clock.now)
        self._requests = 0
        self._last = 0.0
        limits = [Limit(one.amount / smaller, one.seconds / smaller, one.counts) for one in LIMITS]
        common: Parts = {}
        each = [files // processes + (number < files % processes) for number in range(processes)]
        for number, some in enumerate(each):
            budget = Budget(limits, self.clock, Table(common, str(number)))
            path = Path(str(number))
            governor = Watching(path, budget, no_canary, lambda _: None)
            governor.begin()
            rclone = Played(self, some, transfers)
            self.later(START * number / processes, rclone.begin)
            self.later(0.0, lambda g=governor, r=rclone: self._watch(g, r))  # type: ignore[misc]

    def later(self, seconds: float, what: Callable[[], None]) -> None:
        heapq.heappush(self._events, (self.clock.at + seconds, next(self._number), what))

    def asked(self) -> bool:
        """Whether Microsoft grants a request."""
        self._requests += 1
        try:
            self._microsoft.charge(Who(), UNITS_A_FILE // REQUESTS_A_FILE)
        except GraphFault:
            return False
        return True

    def _watch(self, governor: Watching, rclone: Played) -> None:
        if rclone.is_done:
            governor.end()
            self._last = self.clock.at
            return

        def read(path: Path) -> asked.Asked:
            return asked.Asked(rclone.answers, 0, UNITS_A_FILE // REQUESTS_A_FILE * rclone.answers)

        with mock.patch.object(asked, "read", read):
            wait = governor.look(rclone)
        busy = self._chance.random() < OFTEN  # the machine delays it
        wait += self._late * self._chance.random() if busy else 0.0
        self.later(wait, lambda: self._watch(governor, rclone))

    def run(self) -> Figure:
        began = self.clock.at
        with mock.patch.object(random, "random", self._chance.random):  # for the governors' turns
            while self._events:
                self.clock.at, _, what = heapq.heappop(self._events)
                what()
        units = UNITS_A_FILE // REQUESTS_A_FILE * self._requests
        return Figure(self._last - began, self._microsoft.throttled, self._requests, units)


def no_canary() -> Canary:
    raise AssertionError("nobody asks in a simulation")


def foretold(
    processes: int, files: int, smaller: float, transfers: int, late: float = 0.0
) -> Figure:
    return Simulation(processes, files, smaller, transfers, late).run()


# ---- measured ------------------------------------------------------------------------------------


def measured(processes: int, files: int, smaller: float, how: str) -> Figure:
    """A real run. `how`: "ledger", "alone" (each counts for itself) or "bare" (only rclone)."""
    count = 0 if how == "bare" else processes
    with (
        tempfile.TemporaryDirectory() as temporary,
        world("a") as (cloud, storage),
        crowd(cloud, count, smaller=smaller, latency=LATENCY, ledger=how == "ledger") as workers,
    ):
        first, began, folder = len(cloud.requests), time.perf_counter(), Path(temporary) / "files"
        begin(workers, folder, files // processes)
        if how == "bare":
            argv = [storage.rclone.binary.path, "copy", "--quiet", str(folder)]
            bare = [subprocess.Popen([*argv, f"business:up {n}"]) for n in range(processes)]
            done = [process.wait() == 0 for process in bare]
        else:
            done = [text == f"{files // processes}\n" for text in told(workers, 3600.0)]
        if not all(done):
            raise SystemExit(f"{done.count(False)} of {processes} failed")
        seconds, requests = time.perf_counter() - began, cloud.requests[first:]
        units = sum(2 if one.method != "GET" or one.status < 400 else 1 for one in requests)
        return Figure(seconds, cloud.budgets.throttled, len(requests), units)


def main() -> None:
    parser = argparse.ArgumentParser(prog="tests.bench processes", description=__doc__)
    parser.add_argument("--files", type=int, default=1500, help="of all processes together [1500]")
    parser.add_argument("--smaller", type=float, default=1.0, help="budgets and windows [1]")
    parser.add_argument("--transfers", type=int, default=4, help="of each process [4]")
    parser.add_argument("--processes", default="1,2,4,8", help="how many [1,2,4,8]")
    parser.add_argument("--late", type=float, default=0.0, help="seconds that a look is late [0]")
    parser.add_argument("--how", default="foretold", help="foretold,ledger,alone,bare [foretold]")
    given = parser.parse_args()
    alone = 0.0  # seconds that one process takes
    for processes in map(int, given.processes.split(",")):
        for how in given.how.split(","):
            if how == "foretold":
                figure = foretold(
                    processes, given.files, given.smaller, given.transfers, given.late
                )
            else:
                figure = measured(processes, given.files, given.smaller, how)
                alone = alone or figure.seconds
            print(
                f"{processes:3} processes, {how:8} {figure.seconds:7.1f} s {figure.requests:6} "
                f"requests {figure.refused:3} refused | at the budget's rate "
                f"{figure.allowed():7.1f} s, x{figure.seconds / figure.allowed():.3f}"
                + (f" | of one process x{figure.seconds / alone:.3f}" if how != "foretold" else ""),
                flush=True,
            )


if __name__ == "__main__":
    main()
