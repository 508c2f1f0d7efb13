"""A transfer that runs as a job of a session: the same to use as a `Transfer`."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from types import TracebackType
from typing import Any

from pluton_rclone.errors import Cancelled, PlutonRcloneError

from . import events, faults
from .events import Progress
from .results import FailedFile, TransferResult, transfer_failed

POLL = 0.25
"""Seconds between two looks at a running job; the first come faster."""

_numbers = itertools.count(1)


class Job:
    """Runs in its session; iterate it for progress, wait for its `result()`, `cancel()` it.

    It is started again, up to `rounds` times in all, as long as it fails and another try can help.
    """

    def __init__(
        self,
        command: str,
        call: Callable[..., Any],
        method: str,
        parameters: Mapping[str, Any],
        *,
        rounds: int,
    ) -> None:
        self.command = command
        self._call = call
        self._method = method
        self._parameters = dict(parameters)
        self._rounds = rounds
        self._group = f"pluton/{next(_numbers)}"
        self._lock = threading.RLock()
        self._progress = self._before = Progress(text="")
        self._result: TransferResult | None = None
        self._cancelled = False
        self._started = time.monotonic()
        self._id = self._start()

    def __repr__(self) -> str:
        return f"<Job {self.command} {self._id}, {'running' if self.running else 'over'}>"

    def _start(self) -> int:
        answer = self._call(self._method, **self._parameters, _async=True, _group=self._group)
        return int(answer["jobid"])

    @property
    def running(self) -> bool:
        return self._look() is None

    @property
    def progress(self) -> Progress:
        """How far it is."""
        self._look()
        return self._progress

    def __iter__(self) -> Iterator[Progress]:
        for pause in self._pauses():
            over = self._look() is not None
            yield self._progress
            if over:
                return
            time.sleep(pause)

    def wait(self, timeout: float | None = None) -> TransferResult:
        """The end; a failure is only in the result's `error`. TimeoutError after `timeout` seconds."""
        deadline = None if timeout is None else time.monotonic() + timeout
        try:
            for pause in self._pauses():
                if (result := self._look()) is not None:
                    return result
                if deadline is not None and time.monotonic() > deadline:
                    break
                time.sleep(pause)
        except KeyboardInterrupt:
            self.cancel()
            raise
        raise TimeoutError(f"the {self.command} is still running after {timeout} s")

    def result(self, timeout: float | None = None) -> TransferResult:
        """As `wait`, and raises what went wrong; the exception has `.result`."""
        result = self.wait(timeout)
        if result.error is not None:
            result.error.result = result
            raise result.error
        return result

    def cancel(self) -> TransferResult:
        """Stop it and return what was reached; no exception for that. Done already: its result."""
        with self._lock:
            if self._look() is None:
                self._cancelled = True
                self._call("job/stop", jobid=self._id)
        return self.wait(timeout=10)

    def __enter__(self) -> Job:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.running:
            self.cancel()

    @staticmethod
    def _pauses() -> Iterator[float]:
        pause = 0.005
        while True:
            yield pause
            pause = min(POLL, pause * 1.5)

    def _look(self) -> TransferResult | None:
        """Ask how it stands; the result if it is over."""
        with self._lock:
            if self._result is None:
                status = self._call("job/status", jobid=self._id)
                stats = self._call("core/stats", group=self._group)
                self._progress = events.together(self._before, events.progress(stats))
                if status["finished"]:
                    self._finished(status)
            return self._result

    def _finished(self, status: Mapping[str, Any]) -> None:
        failed = () if status["success"] else self._failed_files()
        if self._cancelled:  # what was cut off is no failure of its own
            failed = tuple(file for file in failed if not isinstance(file.error, Cancelled))
        # rclone 1.75.2 calls a job that is stopped before its first look at the source a success, with nothing copied
        # (tried: 1 of 150): one that was told to stop is never taken for done.
        done = status["success"] and not self._cancelled
        error = None if done else self._error(str(status["error"]), failed)
        again = (
            any(file.retry_helps for file in failed) if failed else faults.retry_helps(str(status["error"]))
        )
        if error is not None and again and self._rounds > 1 and not self._cancelled:
            self._rounds -= 1
            self._before = self._progress
            self._call("core/stats-reset", group=self._group)
            self._id = self._start()
            return
        now = self._progress
        ended = "done" if error is None else "cancelled" if self._cancelled else "failed"
        self._result = TransferResult(
            ended=ended,
            exit_code=0 if error is None else 1,
            bytes=now.bytes,
            transfers=now.transfers,
            checks=now.checks,
            deletes=now.deletes,
            renames=now.renames,
            server_side_copies=now.server_side_copies,
            server_side_moves=now.server_side_moves,
            duration=time.monotonic() - self._started,
            failed=failed,
            error=error,
        )

    def _failed_files(self) -> tuple[FailedFile, ...]:
        """From core/transferred, which keeps the last hundred files of a group; the last word on a file
        counts."""
        answer = self._call("core/transferred", group=self._group)
        last = {item["name"]: str(item.get("error") or "") for item in answer.get("transferred") or ()}
        return tuple(
            FailedFile(name, faults.fault(text, subject=name), faults.retry_helps(text))
            for name, text in last.items()
            if text
        )

    def _error(self, text: str, failed: tuple[FailedFile, ...]) -> PlutonRcloneError:
        if self._cancelled:
            return Cancelled(f"The {self.command} was cancelled.", why="on request")
        if failed:
            return transfer_failed(self.command, failed)
        return faults.fault(text, command=self.command)
