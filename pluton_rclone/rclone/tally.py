"""What a run has said so far: events folded into the latest progress, the files that failed, and the
messages."""

from __future__ import annotations

import collections
import logging
import re

from pluton_rclone.errors import PlutonRcloneError

from . import events, faults
from .results import FailedFile, Planned, TransferResult, transfer_failed

log = logging.getLogger(__name__)

MESSAGES = 200
"""The last notices and errors that are kept to explain a failure."""

_LOUD = ("notice", "error", "critical")
_UNSAVED = "Failed to save config"
_NEXT_ROUND = re.compile(r"Attempt (\d+)/(\d+) failed")


class Tally:
    """Folds events. A file counts as failed if its last try failed: rclone reports each round of retries
    anew."""

    def __init__(self) -> None:
        self.progress = self._before = events.Progress(text="")
        self.messages: collections.deque[str] = collections.deque(maxlen=MESSAGES)
        self._failed: dict[str, events.Failed] = {}
        self._earlier: dict[str, events.Failed] = {}
        self._planned: list[Planned] = []
        self._of_runs_before: tuple[FailedFile, ...] = ()
        self._notices: tuple[str, ...] = ()
        self.steps = 0
        """Grows whenever the run comes forward: a byte, a check, a file, a listed entry."""

    def line(self, line: bytes) -> None:
        """As `add`, from a line of the log."""
        self.add(events.parse(line))

    def add(self, event: events.Event) -> None:
        match event:
            case events.Progress():
                event = events.together(self._before, event)
                if _counts(event) != _counts(self.progress):
                    self.steps += 1
                self.progress = event
                return
            case events.Transferred() | events.Checked():
                self.steps += 1
                self._failed.pop(event.path, None)
                self._earlier.pop(event.path, None)
                return
            case events.Failed():
                self._failed[event.path] = event
            case events.Skipped():
                self._planned.append(Planned(event.action, event.path, event.size))
                return
            case events.Deleted() | events.Updated():
                self.steps += 1
                return
            case _:
                found = _NEXT_ROUND.match(event.text)
                if found and found[1] != found[2]:
                    self._earlier.update(self._failed)
                    self._failed.clear()
        if event.text.startswith(_UNSAVED):  # and goes on to exit 0: the token is lost with the run
            self._notices = (f"A renewed token could not be kept: {event.text}",)
            log.warning(*self._notices)
        if event.level in _LOUD or isinstance(event, events.PlainText):
            self.messages.append(event.text)

    def next_run(self, exit_code: int) -> None:
        """Another rclone goes on: its counts start from nothing, and its failures come on top."""
        if exit_code != 0:
            self._of_runs_before = self._finally_failed()
        self._failed.clear()
        self._earlier.clear()
        self._before = self.progress

    def failed(self) -> tuple[FailedFile, ...]:
        """Every file whose last try failed, once."""
        return self._of_runs_before + tuple(
            FailedFile(path, faults.fault(event.text, subject=path), faults.retry_helps(event.text))
            for path, event in {**self._earlier, **self._failed}.items()
        )

    def _finally_failed(self) -> tuple[FailedFile, ...]:
        if self._failed:
            self._earlier.clear()  # of an earlier round, and not again in the last
        return self.failed()

    def result(
        self, command: str, exit_code: int, *, duration: float, stopped: PlutonRcloneError | None, ended: str
    ) -> TransferResult:
        """The end. `stopped` is the reason if we ended it, `ended` the word for it."""
        failed: tuple[FailedFile, ...] = ()
        error = stopped
        if exit_code != 0 or stopped is not None:
            failed = self._finally_failed() if stopped is None else self.failed()
        if exit_code != 0 and stopped is None:
            ended = "failed"
            if failed:
                error = transfer_failed(command, failed, exit_code=exit_code)
            else:
                error = faults.run_fault(command, exit_code, self.messages)
        now = self.progress
        return TransferResult(
            ended=ended,
            exit_code=exit_code,
            bytes=now.bytes,
            transfers=now.transfers,
            checks=now.checks,
            deletes=now.deletes,
            renames=now.renames,
            server_side_copies=now.server_side_copies,
            server_side_moves=now.server_side_moves,
            duration=duration,
            failed=failed,
            planned=tuple(self._planned),
            error=error,
            notices=self._notices,
        )


def _counts(now: events.Progress) -> tuple[int, ...]:
    """All that only grows when something is done."""
    flying = sum(file.bytes for file in now.in_flight)
    copied = now.server_side_copies + now.server_side_moves
    return (now.bytes, flying, copied, now.transfers, now.checks, now.deletes, now.renames, now.listed)
