"""What is recorded of one run. A run that has begun and whose process is gone did not end."""

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

_ELSEWHERE = 86_400.0  # seconds in which a run of another machine is taken to go on
COLUMNS = ("id", "began", "seconds", "ended", "exit_code", "bytes", "files", "deletes", "failures")


class RunRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a run. `ended` is as in `TransferResult`, or "differs" (check), "running" or
    "did not end" (its process was killed, or the machine stopped); then the counts are None.

    `seconds` it took; `exit_code` as the command line gives it; `files` were transferred or
    compared; `failures` counts the failed or differing files, `failed` holds the first
    `store.FAILURES` with their errors (`FailedFile.record`), `error` the error of the run. `drives`
    are the ids of those that each storage was on: another one may have its name since
    (`Runs.is_of`). `bases` are the base folders in them, path and id, that its paths began at
    (`Runs.has_base_of`).
    """

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
        """Whether it is done, and nothing failed or differs."""
        return self.ended == "done"

    def record(self) -> dict[str, Any]:
        """As a JSON object."""
        return dict(msgspec.to_builtins(self))


def read(run: str, owner: str, told: str | None, *values: Any) -> RunRecord:
    """A row of the file: these three, and its COLUMNS."""
    known = {**dict(zip(COLUMNS, values, strict=True)), **json.loads(told or "{}")}
    known["ended"] = known["ended"] or _state(owner, known["began"])
    known["began"] = datetime.fromtimestamp(known["began"], timezone.utc)
    done, ours = json.loads(run), Run.__struct_fields__
    if newer := [name for name in done if name not in ours]:
        done = {name: done[name] for name in done if name in ours}
        done["withheld"] = [*done.get("withheld", ()), *newer]  # not done again without them
    return msgspec.convert({**known, "run": done}, RunRecord)


def this_process() -> str:
    """How a record names the process whose run it is."""
    return f"{os.getpid()} {began(os.getpid())} {socket.gethostname()}"


def _state(owner: str, since: float) -> str:
    """Of a run that has not ended."""
    pid, start, host = owner.split(" ", 2)
    if host == socket.gethostname():
        goes_on = is_alive(int(pid)) and began(int(pid)) == start
    else:
        goes_on = time.time() - since < _ELSEWHERE
    return "running" if goes_on else "did not end"
