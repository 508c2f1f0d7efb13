"""The health of all storages at once, for a scheduled look at the connections."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pluton_rclone.errors import ConnectionTestFailed, Throttled, Unreachable

from .checks import run_health_check
from .report import ConnectionReport, Step, StepFailed, Walk

if TYPE_CHECKING:
    from pluton_rclone.saved.remote import SavedRemote

AT_ONCE = 4  # storages checked in parallel: each runs an rclone, and many share one account


@dataclass(frozen=True)
class HealthReport:
    """One report for each storage, in the order of rclone.conf."""

    reports: tuple[ConnectionReport, ...]

    @property
    def ok(self) -> bool:
        """Whether no storage failed; warnings are allowed."""
        return all(report.ok for report in self.reports)

    @property
    def warnings(self) -> tuple[tuple[str, Step], ...]:
        """(storage, step) for what needs attention: an expiring secret or token, a full drive."""
        return tuple((report.storage, step) for report in self.reports for step in report.warnings)

    @property
    def exit_code(self) -> int:
        """0 if none failed, 8 if Microsoft only did not answer, else that of a failed test."""
        return 0 if self.ok else (self.silence or ConnectionTestFailed).exit_code

    @property
    def silence(self) -> Unreachable | Throttled | None:
        """Why Microsoft did not answer, if nothing else is wrong with the storages that failed."""
        steps = [step for report in self.reports for step in report.steps]
        found = [step.error for step in steps if step.status == "failed"]
        silent = [error for error in found if isinstance(error, Unreachable | Throttled)]
        return silent[0] if silent and len(silent) == len(found) else None

    def record(self) -> dict[str, Any]:
        """As a JSON object."""
        return {"ok": self.ok, "storages": [report.record() for report in self.reports]}


def check_all(
    remotes: Sequence[SavedRemote], on_report: Callable[[ConnectionReport], None]
) -> HealthReport:
    """Every storage checked without writing; at most AT_ONCE at a time."""

    def check(saved: SavedRemote) -> ConnectionReport:
        report = run_health_check(saved, lambda step: None)
        on_report(report)
        return report

    return _at_once(check, remotes)


def renew_all(remotes: Sequence[SavedRemote]) -> HealthReport:
    """Every token renewed."""

    def renew(saved: SavedRemote) -> ConnectionReport:
        walk = Walk()
        with suppress(StepFailed), walk.step("token", "Token") as notes:
            notes.text = saved.renew()
        return ConnectionReport(saved.title, tuple(walk.steps))

    return _at_once(renew, remotes)


def _at_once(
    work: Callable[[SavedRemote], ConnectionReport], remotes: Sequence[SavedRemote]
) -> HealthReport:
    """The reports in the order of the storages. Ctrl-C leaves at once: an executor, and Python at
    its end, would wait for what runs."""
    waiting = list(enumerate(remotes))[::-1]
    done: queue.SimpleQueue[tuple[int, ConnectionReport | BaseException]] = queue.SimpleQueue()

    def worker() -> None:
        with suppress(IndexError):  # nothing waits any more
            while True:
                number, saved = waiting.pop()
                try:
                    done.put((number, work(saved)))
                except BaseException as error:  # noqa: BLE001 - raised again below
                    done.put((number, error))

    for _ in range(min(AT_ONCE, len(waiting))):
        threading.Thread(target=worker, daemon=True, name="health").start()
    reports: dict[int, ConnectionReport] = {}
    try:
        for _ in remotes:
            number, report = done.get()
            if isinstance(report, BaseException):
                raise report
            reports[number] = report
    finally:
        waiting.clear()
    return HealthReport(tuple(reports[number] for number in sorted(reports)))
