"""The health of all storages at once, for scheduled checks of the connections."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing.pool import ThreadPool
from typing import Any, TypeVar

from pluton_rclone.errors import Throttled, Unreachable
from pluton_rclone.saved.remote import SavedRemote

from .checks import run_test
from .report import ConnectionReport, StepFailed, Walk

T = TypeVar("T")
R = TypeVar("R")

AT_ONCE = 4  # storages checked in parallel: each runs an rclone, and many share one account


@dataclass(frozen=True)
class HealthReport:
    """One report per storage, in the order of rclone.conf."""

    reports: tuple[ConnectionReport, ...]

    @property
    def ok(self) -> bool:
        """Whether no storage failed; warnings are allowed."""
        return all(report.ok for report in self.reports)

    @property
    def silence(self) -> Unreachable | Throttled | None:
        """Why Microsoft did not answer, if every failed storage failed only because of that."""
        steps = [step for report in self.reports for step in report.steps]
        found = [step.error for step in steps if step.status == "failed"]
        silent = [error for error in found if isinstance(error, Unreachable | Throttled)]
        return silent[0] if silent and len(silent) == len(found) else None

    def record(self) -> dict[str, Any]:
        """As a JSON object."""
        return {"ok": self.ok, "storages": [report.record() for report in self.reports]}


def check_all(remotes: Sequence[SavedRemote]) -> HealthReport:
    """Check every storage without writing; at most AT_ONCE at a time."""
    return _all(partial(run_test, writing=False), remotes)


def renew_all(remotes: Sequence[SavedRemote]) -> HealthReport:
    """Renew every token."""

    def renew(saved: SavedRemote) -> ConnectionReport:
        walk = Walk()
        with suppress(StepFailed), walk.step("token", "Token") as step:
            step.text = saved.renew()
        return ConnectionReport(saved.title, tuple(walk.steps))

    return _all(renew, remotes)


def _all(
    look: Callable[[SavedRemote], ConnectionReport], remotes: Sequence[SavedRemote]
) -> HealthReport:
    """Reports under the friendly name, or the remote's name if several share the friendly one."""
    reports = at_once(look, remotes, AT_ONCE)
    often = Counter(each.storage for each in reports)
    return HealthReport(
        tuple(
            replace(each, storage=saved.name) if often[each.storage] > 1 else each
            for saved, each in zip(remotes, reports, strict=True)
        )
    )


def at_once(work: Callable[[T], R], things: Sequence[T], most: int) -> list[R]:
    """Apply `work` to each of `things`, `most` at a time; results in order. Raises what a call
    raises. Ctrl-C returns at once: an executor, or Python at exit, would wait for the calls."""
    with ThreadPool(max(1, min(most, len(things)))) as pool:
        return list(pool.imap(work, things))
