"""The record of one run. A run whose process is gone before its end "did not end"."""

from __future__ import annotations

import json
import os
import socket
import time
from datetime import datetime, timezone
from typing import Any

import msgspec

from pluton_rclone.process.system import began, is_alive

from .run import Run

_ELSEWHERE = 86_400.0  # seconds for which a run on another machine is assumed to be running
COLUMNS = ("id", "began", "seconds", "ended", "exit_code", "bytes", "files", "deletes", "failures")


class RunRecord(msgspec.Struct, frozen=True, kw_only=True):
    """The record of a run. `ended` is as in `TransferResult`, or "differs" (check), "running" or
    "did not end" (its process was killed, or the machine stopped); then the counts are None.

    `seconds` is the duration; `exit_code` is the command line's; `files` counts the transferred or
    compared files; `failures` counts the failed or differing files, and `failed` holds the first
    `store.FAILURES` of them with their errors (`FailedFile.record`); `error` is the error of the
    run. `drives` are the ids of the drives that each storage was on, as another storage may have
    its name now (`Runs.is_of`). `bases` are the base folders in them, path and id, at which its
    paths began (`Runs.has_base_of`)."""

    id: int
    run: Run
    began: datetime
    seconds: float | None = None
    ended: str
    exit_code: int | None = None
    bytes: int | None = None
    files: int | None = None
    deletes: int | None = None
    failures: int | None = None
    error: dict[str, Any] | None = None
    failed: list[dict[str, Any]] = []
    notices: list[str] = []
    drives: dict[str, list[str]] = {}
    bases: dict[str, list[tuple[str, str]]] = {}

    @property
    def ok(self) -> bool:
        """Whether the run is done, and nothing failed or differs."""
        return self.ended == "done"

    def record(self) -> dict[str, Any]:
        """As a JSON object."""
        return dict(msgspec.to_builtins(self))


def read(run: str, owner: str, told: str | None, *values: Any) -> RunRecord:
    """The record of a row of the file: these three columns, then COLUMNS."""
    known = {**dict(zip(COLUMNS, values, strict=True)), **json.loads(told or "{}")}
    known["ended"] = known["ended"] or _state(owner, known["began"])
    known["began"] = datetime.fromtimestamp(known["began"], timezone.utc)
    done, ours = json.loads(run), Run.__struct_fields__
    if newer := [name for name in done if name not in ours]:
        done = {name: done[name] for name in done if name in ours}
        done["withheld"] = [*done.get("withheld", ()), *newer]  # not repeated without them
    return msgspec.convert({**known, "run": done}, RunRecord)


def this_process() -> str:
    """The identifier of this process in a record."""
    return f"{os.getpid()} {began(os.getpid())} {socket.gethostname()}"


def _state(owner: str, since: float) -> str:
    """The state of a run without a recorded end."""
    pid, start, host = owner.split(" ", 2)
    if host == socket.gethostname():
        goes_on = is_alive(int(pid)) and began(int(pid)) == start
    else:
        goes_on = abs(time.time() - since) < _ELSEWHERE  # that host's clock may be ahead
    return "running" if goes_on else "did not end"
