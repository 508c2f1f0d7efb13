"""A run that is not a transfer: its process, its messages, and its result.

The modules that parse rclone's output are imported while rclone starts, which takes longer.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, TypeVar

from pluton_rclone.errors import (
    Cancelled,
    PlutonRcloneError,
    RcloneError,
    SignInError,
    Throttled,
    TimedOut,
    Unreachable,
)
from pluton_rclone.process.log import Log
from pluton_rclone.values.units import waiting

from .commands import Command
from .runner import TOLD, Callbacks, Order, Runner

if TYPE_CHECKING:
    from .listing import Entry
    from .results import CheckResult
    from .tally import Tally

T = TypeVar("T")

log = Log(__name__)

_LATER = 5.0  # seconds: each of rclone's threads logs the same wait
_DEBUG, _TOO_MANY = b'"level":"debug"', b"oo many requests"
_OF_ALL = (SignInError, Throttled, Unreachable)
"""Errors that occur while a folder is listed, but do not concern this folder."""


class Run:
    """A run that is not a transfer, with its messages and time limit. rclone logs at DEBUG, the
    level at which it reports waits for Microsoft; each is logged as a warning for the caller."""

    def __init__(
        self,
        runner: Runner,
        command: Command,
        *,
        time_limit: float | None = None,
        on_stdout: Callable[[bytes], None] | None = None,
    ) -> None:
        self.command = " ".join(command.words)
        self._whole_command = command
        self._tally: Tally | None = None
        self._limit = time_limit
        self._asked = 0
        self._told = 0.0
        watch = None if time_limit is None else self._watch
        on = Callbacks(stdout=on_stdout, stderr=self._hear, watch=watch)
        self._skips = TOLD not in command.flags
        self.child = runner.start(Order(command, (TOLD,), on))

    @property
    def tally(self) -> Tally:
        """The tally of its log, for the thread that reads it and, after the end, for the others."""
        if self._tally is None:
            from .tally import Tally

            self._tally = Tally(self._whole_command)
        return self._tally

    def _hear(self, line: bytes) -> None:
        if self._skips and _DEBUG in line and _TOO_MANY not in line:
            return
        self.tally.line(line)
        until = self.tally.waits_until
        if until is not None and until.timestamp() > self._told + _LATER:
            self._told = until.timestamp()
            log.warning("%s.", waiting(until))

    @property
    def too_long(self) -> bool:
        """Whether the time limit ended the run."""
        return self._asked > 1 and self.child.signalled

    def _watch(self) -> float | None:
        self._asked += 1
        return self._limit if self._asked == 1 else None

    def finish(self) -> None:
        """Wait for the end. Raises if the run failed, or if a listing or sum lacks crypt files."""
        code = self.child.wait()
        if code != 0:
            raise self.fault(code)
        listed = self._tally if self._whole_command.lists else None
        if listed is not None and (unknown := listed.undecrypted()) is not None:
            raise unknown

    def entries(self, read: Callable[[], bytes]) -> Generator[Entry, None, None]:
        """The entries of lsjson; `read` returns the next block of its output, b"" at the end.
        Raises at the end if the run failed or the listing is not complete."""
        from . import listing

        complete = yield from listing.single(listing.entries(read))
        self.finish()
        if not complete:
            raise RcloneError("The listing is incomplete.", why="rclone's output ended too early")

    def fault(self, code: int) -> PlutonRcloneError:
        """The exception for this exit code and the messages. If only items in the listed folder
        failed, it names the last one, and its detail `unread` has the paths of all."""
        from . import faults  # late: its patterns take 10 ms, and only a failure needs them

        if self.child.stopped:
            return Cancelled(f"The {self.command} was stopped.")
        if self.too_long:
            return TimedOut(f"The {self.command} took longer than {self._limit:g} s.")
        places = self._whole_command.places
        problem = faults.run_fault(self.command, code, self.tally.messages, *places[:1])
        unread = self.tally.failed() if self._whole_command.lists else ()
        if unread and not any(isinstance(file.error, _OF_ALL) for file in unread):
            details = {**problem.details, "unread": [file.path for file in unread]}
            problem = unread[-1].error
            problem.details |= details
        return problem


def compare(run: Run, on_progress: Callable[[int], None] | None) -> CheckResult:
    """The result in check's combined report, whose lines have a sign, a space and a path."""
    from .results import CheckResult

    found: dict[str, list[str]] = {"*": [], "-": [], "+": [], "!": []}
    matching = 0
    with run.child:
        for seen, line in enumerate(run.child.stdout, 1):
            sign, _, path = line.decode(errors="replace").partition(" ")
            matching += sign == "="
            if sign in found:
                found[sign].append(path)
            if on_progress is not None:
                on_progress(seen)
        code = run.child.wait()
    told = {*found["*"], *found["-"], *found["+"]}
    failed = tuple(file for file in run.tally.failed() if file.path not in told)
    # 1 also means differences; an unreadable file is reported by name, with another exit code
    differ = failed or (code == 1 and any(found.values()))
    broken_off = run.child.stopped or run.too_long or code < 0  # the rest was not compared
    if code != 0 and (broken_off or not differ):
        raise run.fault(code)
    missing, others = run.tally.missing(whole=not failed)
    differing, on_source, on_destination = (tuple(found[sign]) for sign in "*-+")
    unhashed = re.search(r"(?<!\d)(\d+) hashes could not be checked", "\n".join(run.tally.messages))
    by_size = int(unhashed[1]) if unhashed else 0
    failed += tuple(file for file in missing if file.path not in told)
    return CheckResult(matching, differing, on_source, on_destination, failed, others, by_size)


def decoded(text: bytes, kind: type[T]) -> T:
    """rclone's JSON output as a `kind`. Raises RcloneError if it cannot be parsed."""
    import msgspec

    try:
        return msgspec.json.decode(text, type=kind)
    except msgspec.DecodeError as error:
        raise RcloneError("rclone's answer cannot be read.", why=str(error)) from error
