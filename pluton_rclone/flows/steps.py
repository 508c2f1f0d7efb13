"""What a step of a plan does in one storage, and its outcome."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

import msgspec

from pluton_rclone import errors, process
from pluton_rclone.connection.report import ConnectionReport
from pluton_rclone.process.interrupts import Flag
from pluton_rclone.rclone.results import CheckResult, FailedFile
from pluton_rclone.rclone.runner import nothing
from pluton_rclone.storages.restic import LADDER
from pluton_rclone.storages.storage import Storage, Storages
from pluton_rclone.values.redaction import redact
from pluton_rclone.values.units import counted

from .plan import Step
from .which import Target, storage_of

log = logging.getLogger(__name__)

NAMED = 100
"""The most failed files listed in a step's outcome; all are counted."""
STOPPED = Flag()
"""Set while this process stops its steps (`stop`): no new one begins."""
_LONGEST = sum(seconds for _, seconds in LADDER)  # for a restic; an rclone ends within two seconds
_going: set[object] = set()


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome of a step in a storage: names and counts, no secrets. `ended` is "done",
    "failed", "differs", or as in `TransferResult`. `files` counts files transferred or compared,
    `failures` failed or differing ones; `failed` lists these. `error` is a sentence."""

    storage: str
    step: str
    ended: str
    seconds: float = 0.0
    files: int = 0
    bytes: int = 0
    deletes: int = 0
    failures: int = 0
    failed: list[dict[str, str]] = []
    notices: list[str] = []
    error: str | None = None
    advice: str | None = None
    retry_helps: bool = False

    @property
    def ok(self) -> bool:
        """Whether the step is done, and nothing failed or differs."""
        return self.ended == "done"

    def record(self) -> dict[str, Any]:
        """As a JSON object."""
        return dict(msgspec.to_builtins(self))

    def __str__(self) -> str:
        """`work: upload /srv/data → :data: failed, 2 files: a.txt: it is locked`"""
        files = [f"{one['path']}: {one['why']}" for one in self.failed[:3]]
        why = "; ".join(files) if files else self.error or ""
        number = f", {counted(self.failures, 'file')}" if self.failures else ""
        return f"{self.storage}: {self.step}: {self.ended}{number}{f': {why}' if why else ''}"


def stop() -> None:
    """After Ctrl-C, or when a worker ends: stop this process's steps, and wait until they are
    recorded as stopped."""
    STOPPED.set()
    until = time.monotonic() + _LONGEST
    while _going and time.monotonic() < until:
        process.stop_all()  # repeated, to stop processes that were just starting
        time.sleep(0.05)


def do(
    storages: Storages, target: Target, step: Step, seen: Callable[[float], None] = nothing
) -> Outcome:
    """Run a step. Errors are in the outcome. `seen` is called with the share done, from 0 to 1."""
    began, mark = time.monotonic(), object()
    _going.add(mark)  # before checking STOPPED, since `stop` uses the opposite order
    try:
        if STOPPED.is_set():
            raise errors.Cancelled("Stopped.")
        found = _done(storage_of(storages, target), step, seen)
    except Exception as error:  # noqa: BLE001 - other storages' steps continue
        return failed(target, step, error, time.monotonic() - began)
    finally:
        _going.discard(mark)
    seconds = round(time.monotonic() - began, 3)
    return Outcome(storage=target.name, step=str(step), seconds=seconds, **found)


def failed(target: Target, step: Step, error: Exception, seconds: float = 0) -> Outcome:
    """The outcome of a step that ended with this error."""
    if not isinstance(error, errors.PlutonRcloneError):
        log.info("%s: %s failed", target.name, step, exc_info=error)  # our bug: --verbose
        error = errors.PlutonRcloneError("It failed.", why=f"{type(error).__name__}: {error}")
    named = {"storage": target.name, "step": str(step), "seconds": round(seconds, 3)}
    return msgspec.convert({**named, "ended": "failed", **_told(error)}, Outcome)


def _done(storage: Storage, step: Step, seen: Callable[[float], None]) -> dict[str, Any]:
    storage.require()
    name, home = storage.remote_name, storage.storages
    if step.do == "health":
        return _reported(storage.check_health())
    if step.do == "keep-alive":
        return _reported(home.keep_alive(name).reports[0])
    run = step.run(name, storage.at(step.folder_in(name)))
    assert run is not None
    if step.do == "restic":
        with storage.restic(step.folder_in(name)) as repository:
            with repository.start(*run.options, on_stdout=nothing) as restic:  # may name files
                if restic.wait() == 0:
                    return {"ended": "done", "notices": _warned(restic.stderr_tail)}
            if restic.stopped:
                raise errors.Cancelled("restic was stopped.")
            error = repository.fault(restic.stderr_tail)
        return {"ended": "failed", **_told(error, error.details.get("retry"))}
    if step.do == "check":
        return _compared(home.rclone(name).compare(run.as_command()))
    with home.start(run) as transfer:
        for progress in transfer:
            if progress.fraction is not None:
                seen(progress.fraction)
        result = transfer.wait()
    counts = {"files": result.transfers, "bytes": result.bytes, "deletes": result.deletes}
    said = {} if result.error is None else _told(result.error, result.retry_helps)
    notices = [*result.notices, *(f"left out: {one.path}: {one.why}" for one in result.left_out)]
    failed = {"failures": len(result.failed), "failed": _named(result.failed)}
    return {"ended": result.ended, "notices": notices[:NAMED], **counts, **failed, **said}


def _warned(said: bytes) -> list[str]:
    """What a successful restic reported, without its rclone's lines."""
    lines = (line for line in said.decode(errors="replace").split("\n") if line.strip())
    return [f"restic: {redact(line)}" for line in lines if not line.startswith("rclone: ")][:NAMED]


def _compared(result: CheckResult) -> dict[str, Any]:
    found = result.differences
    return {
        "ended": "differs" if found else "done",
        "files": result.matching + len(result.differing),
        "failures": len(found),
        "failed": _named(found),
        "notices": list(result.notices),
        "retry_helps": any(one.retry_helps for one in result.failed),
    }


def _reported(report: ConnectionReport) -> dict[str, Any]:
    notices = [f"{step.title}: {step.text}" for step in report.warnings]
    error = next((step.error for step in report.steps if step.status == "failed"), None)
    ended = {"ended": "done"} if error is None else {"ended": "failed", **_told(error)}
    return {"notices": notices, **ended}


def _told(error: errors.PlutonRcloneError, retry_helps: bool | None = None) -> dict[str, Any]:
    if retry_helps is None:
        retry_helps = isinstance(
            error, errors.Throttled | errors.Unreachable | errors.TransferFailed
        )
    texts = {"error": redact(str(error)), "advice": redact(error.advice)}
    return {**texts, "retry_helps": retry_helps}


def _named(failed: tuple[FailedFile, ...]) -> list[dict[str, str]]:
    return [{"path": redact(one.path), "why": redact(str(one.error))} for one in failed[:NAMED]]
