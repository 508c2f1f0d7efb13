"""A running transfer: iterate over its progress, wait for its result, or cancel it.

The modules that parse rclone's log are imported while rclone starts, which takes longer.
"""

from __future__ import annotations

import collections
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from pluton_rclone.errors import Cancelled, PlutonRcloneError, RcloneError, TimedOut
from pluton_rclone.process import SETTLING, Child
from pluton_rclone.process.interrupts import interruptible
from pluton_rclone.process.system import KILL

from . import commands
from .commands import Command
from .locations import is_local

if TYPE_CHECKING:
    from .events import Event, Progress
    from .results import TransferResult
    from .tally import Tally

CANCEL = ((signal.SIGINT, 1.2), (signal.SIGTERM, 0.3), (KILL, 5.0))
"""On SIGINT, rclone removes partial files and upload sessions; a cancel takes at most 2 seconds."""

EVENTS_KEPT = 10_000

LATE = 10.0
"""Seconds: if we check so much later than planned, we were suspended (Ctrl-Z, a frozen container),
and may not have read rclone's log, so the time limit for a stall starts anew."""

COMPARING = 24
"""Factor for the stall limit while rclone compares: it reads a file to its end for a hash, and
counts nothing. By default that is six hours: OneDrive's largest file (250 GB) at 12 MB/s. If the
network fails, rclone's own limits end it sooner."""

Start = Callable[[Callable[[bytes], None], Callable[[], float | None], Callable[[], None]], Child]
"""Starts an rclone with three callbacks: for each line of its log, for watching, for its end."""
Starting = Callable[[Command, Sequence[str]], Start]
"""Returns the `Start` for a command, with flags for its log."""
Next = Callable[[Callable[[], bool]], Command | None]
"""Called at the end of a run; may take long. Its argument returns whether the transfer has been
stopped meanwhile. Returns the next command to run, or None."""

Again = Callable[[Iterable[str], Start], Start | None]
Ended = Callable[["TransferResult"], None]


class Transfer:
    """One run of rclone, or several in sequence, with one result; the first has started. If the
    command has a brake, or moves names that may be the same at the destination, the first is a dry
    run that finds what would be deleted or left out, and is not part of the result.

    Iteration yields `Progress` until the end (only the latest, if you are slower than rclone);
    `events()` yields every event. `result()` waits, and raises an error if something failed; the
    exception has `.result`. Leaving the context manager early cancels the transfer. All methods may
    be called from any thread.
    """

    def __init__(
        self,
        command: Command,
        starting: Starting,
        flags: Sequence[str],
        *,
        run: Command | None = None,
        then: Sequence[Next] = (),
        again: Again = lambda told, last: None,
        begun: Callable[[], Ended] = lambda: lambda result: None,
        told: Callable[[TransferResult], TransferResult] = lambda result: result,
        deleting: Callable[[set[str], Callable[[], bool]], None] = lambda paths, stopped: None,
        by_file: bool = False,
        time_limit: float | None = None,
        stall_limit: float | None = None,
    ) -> None:
        """`again` is called once, with the messages and the `Start` of a failed run, and returns
        what to start instead. `begun` is called once the first rclone has started; it returns a
        function that is called with the result, before any waiting caller gets it. `told` converts
        the result for the callers. `deleting` is called before the first deletion of a sync or
        move, with the paths that would be deleted ("": all) and a function that returns whether the
        transfer has been stopped; if it raises, the transfer ends without doing anything."""
        self.command = " ".join(command.words)
        self._whole, self._run = command, run or command
        self._starts, self._flags = starting, flags
        looks = command.brake is not None
        self._absent: tuple[str, ...] = ()
        if command.picks or command.words[0].startswith("move"):
            from . import left_out

            looks |= left_out.may_have_twins(command)
            self._absent = left_out.absent(command)  # now, because a move removes its files
        looks &= not command.dry
        self._seen: Tally | None = None
        """The tally of the dry run beforehand; None after it, or without one."""
        self._most: int | None = None
        self._lock = threading.RLock()  # a Condition's own `with` can stay locked (`Flag`)
        self._changed = threading.Condition(self._lock)
        self._serial = self._steps = 0
        self._over = self._listening = False
        self._stopped: PlutonRcloneError | None = None
        self._ended = "done"
        self._result: TransferResult | None = None
        self._kept: collections.deque[Event] = collections.deque(maxlen=EVENTS_KEPT)
        self._time_limit, self._stall_limit = time_limit, stall_limit
        self._started = self._active = self._looks_at = self._finished = time.monotonic()
        self._then: list[Next] = [self._judged, *then] if looks else list(then)
        if command.dry:
            self._then.append(self._would_delete)
        self._codes: list[int] = []
        self._again: Again | None = again
        self._told, self._deleting = told, deleting
        self._tell: Ended = lambda result: None  # Ctrl-C may come before `begun` has returned
        self._starting = threading.Lock()
        with self._starting:  # the child may end before `_child` is set
            first = self._bound(self._run)
            if looks:
                # the level of messages on the files of a list, on omissions of a remote, on waits
                far = not is_local(command.places[0])
                more = command.picks or far or "--log-level=DEBUG" in flags
                look = commands.look(command, by_file=by_file)
                first = starting(look, commands.progress_flags("DEBUG" if more else "NOTICE"))
            self._latest = first
            self._child = first(self._line, self._watch, self._end)
            try:
                self._tally = self._new_tally()
                self._seen = self._new_tally(looking=True) if looks else None
                self._tell = begun()
            except BaseException:
                self._child.kill()
                raise

    def _new_tally(self, *, looking: bool = False) -> Tally:
        from .tally import Tally

        return Tally(self._whole, looking=looking, absent=self._absent)

    def _counting(self) -> Tally:
        """The tally of the current run, whose first line may come before the tally is set."""
        with self._starting:
            return self._seen or self._tally

    def _bound(self, command: Command) -> Start:
        """The start of a command, with the limit for its deletions."""
        if self._most is not None:
            command = commands.bound(command, self._most)
        return self._starts(command, self._flags)

    def _judged(self, stopped: Callable[[], bool]) -> Command:
        """After the dry run: the sync or move itself, or a copy instead. Raises TooManyDeletions,
        and the errors of `deleting`."""
        assert self._seen is not None
        whole = self._codes == [0]
        missing = self._seen.in_the_way(whole=whole)
        self._tally.blind = not whole
        if missing:  # rclone copies only one of two twins, and deletes the copy of the other
            self._most, self._tally.only_copies = commands.ONLY_COPY, True
            self._tally.absent = self._seen.not_there(whole=whole)
        elif self._whole.brake is not None:
            self._most = self._whole.brake.judge(self._seen.progress, whole=whole)
        if whole and self._seen.deleting and not missing:
            self._deleting(self._seen.deleting, stopped)
        with self._lock:
            self._seen, self._steps = None, 0
            self._codes.clear()
        return self._run

    def _would_delete(self, stopped: Callable[[], bool]) -> None:
        """After a dry run: report nothing that would not be done."""
        if self._tally.deleting and not any(self._codes):
            self._deleting(self._tally.deleting, stopped)

    def __repr__(self) -> str:
        state = "over" if self._over else "running"
        return f"<Transfer {self.command}, process {self._child.pid}, {state}>"

    @property
    def pid(self) -> int:
        """The process id of the current rclone."""
        return self._child.pid

    @property
    def running(self) -> bool:
        """Whether the transfer has not ended yet."""
        return not self._over

    @property
    def progress(self) -> Progress:
        """The latest progress; all zeros before the first report."""
        return self._tally.progress

    def __iter__(self) -> Iterator[Progress]:
        seen = 0
        while True:
            with interruptible(), self._lock:
                while self._serial == seen and not self._over:
                    self._changed.wait()
                if self._serial == seen:
                    return
                seen, progress = self._serial, self._tally.progress
            yield progress

    def events(self) -> Iterator[Event]:
        """Yield every event as it comes, for one listener at a time. Earlier events are kept, up to
        EVENTS_KEPT. A slow listener slows rclone down, unless `result` or `wait` is called."""
        with self._lock:
            self._listening = True
        try:
            while True:
                with interruptible(), self._lock:
                    while not self._kept and not self._over:
                        self._changed.wait()
                    batch = list(self._kept)
                    self._kept.clear()
                    self._changed.notify_all()
                if not batch:
                    return
                yield from batch
        finally:
            self._stop_listening()

    def _stop_listening(self) -> None:
        with self._lock:
            self._listening = False
            self._changed.notify_all()

    def result(self, timeout: float | None = None) -> TransferResult:
        """Wait for the end. Raises TransferFailed if files failed, the error that ended the
        transfer, or TimeoutError after `timeout` seconds; then the transfer continues. Ctrl-C
        cancels it."""
        result = self.wait(timeout)
        if result.error is not None:
            result.error.result = result
            raise result.error
        return result

    def wait(self, timeout: float | None = None) -> TransferResult:
        """Like `result`, but a failure is not raised: it is the result's `error`."""
        self._stop_listening()
        try:
            self._wait(timeout)
        except TimeoutError:
            raise
        except BaseException:  # Ctrl-C, or an error of ours in one of the child's threads
            with suppress(Exception):  # the same error again, or a timeout
                self.cancel()
            raise
        return self._settled()

    def _settled(self) -> TransferResult:
        """The result, after the end of the last run."""
        with self._lock:
            if self._result is None:
                code = next((code for code in self._codes if code != 0), 0)
                if code == 0 and not self._then and self._ended != "failed":
                    self._stopped, self._ended = None, "done"  # rclone was faster than the cancel
                if self._seen is not None:  # the dry run failed
                    self._tally.messages = self._seen.messages
                if len(self._codes) > 1:
                    self._tally.next_run(self._codes[-1])
                took = self._finished - self._started
                self._result = self._tally.result(
                    self.command, code, duration=took, stopped=self._stopped, ended=self._ended
                )
            return self._told(self._result)

    def _wait(self, timeout: float | None) -> None:
        """Wait for every rclone in turn."""
        until = None if timeout is None else time.monotonic() + timeout
        child = None
        while child is not self._child:  # `_end` sets the next one before this one's wait is over
            child = self._child
            child.wait(None if until is None else max(0.0, until - time.monotonic()))

    def cancel(self) -> TransferResult:
        """End the transfer within two seconds, unless it has ended. Returns the result, failed or
        not. Raises TimeoutError if the work after the end (saving a token) takes ten seconds, and
        any error in one of the transfer's threads unchanged."""
        self._stop_listening()
        self._stop(Cancelled(f"The {self.command} was cancelled.", why="on request"), "cancelled")
        self._child.cancel(CANCEL)
        self._wait(SETTLING)
        return self._settled()

    def __enter__(self) -> Transfer:
        return self

    def __exit__(self, *_: object) -> None:
        if self.running:
            with suppress(TimeoutError):  # it must not hide an error in the block
                self.cancel()

    # ---- called in the child's threads -----------------------------------------------------------

    def _line(self, line: bytes) -> None:
        tally = self._counting()
        with self._lock:
            while self._listening and len(self._kept) >= EVENTS_KEPT:
                self._changed.wait()
            before = tally.progress.waits_until
            event = tally.line(line)
            until = tally.progress.waits_until
            is_to_wait = until not in (None, before)
            if tally.steps != self._steps:
                self._steps, self._active = tally.steps, time.monotonic()
            if tally is self._seen:  # only waits of the dry run are passed on
                if until is None or not is_to_wait:
                    return
                self._tally.wait(until)  # its log level and file names are not those of the run
            is_progress = is_to_wait or event is tally.progress
            self._serial += is_progress
            self._kept.append(event)
            if is_progress or self._listening:
                self._changed.notify_all()

    def _end(self) -> None:
        with self._starting:
            code = self._child.returncode
            if self._child.stopped:
                self._stop(Cancelled(f"The {self.command} was stopped."), "cancelled")
        assert code is not None
        self._codes.append(code)
        if not self._goes_on(code):
            self._finished = time.monotonic()
            try:
                self._tell(self._settled())
            finally:
                with self._lock:
                    self._over = True
                    self._changed.notify_all()

    def _goes_on(self, code: int) -> bool:
        """Start the next run, if there is one and the last did not fail as a whole. `_lock` is not
        held, because a `Next`, and the wait for the configuration's lock, can take seconds, during
        which a cancel must work. An interrupted `Next` stays in `_then`."""
        try:
            tally = self._seen or self._tally
            again, failed = self._again, code != 0 and self._stopped is None
            if failed and again and (other := again(tally.messages, self._latest)):
                self._again = None
                self._codes.pop()
                if self._seen is not None and other is self._latest:
                    self._seen = self._new_tally(looking=True)
                elif self._seen is not None:  # the run itself: a single file has no twin
                    self._seen = None
                    del self._then[0]
                self._tally.repeated()
                return self._follow(other)
            while self._then and self._stopped is None and (code == 0 or tally.failed()):
                command = self._then[0](lambda: self._stopped is not None)
                if self._stopped is not None:
                    break
                del self._then[0]
                if command is not None:
                    self._tally.next_run(code)
                    return self._follow(self._bound(command))
        except Exception as error:  # noqa: BLE001 - otherwise it would be lost in this thread
            reason = error if isinstance(error, PlutonRcloneError) else RcloneError(str(error))
            self._stop(reason, "failed")
        return False

    def _follow(self, start: Start) -> bool:
        """Start a run after another has ended. Returns True."""
        self._latest = start
        with self._starting:
            self._child = following = start(self._line, self._watch, self._end)
        if self._stopped is not None:  # while it was being started
            following.cancel(CANCEL)
        return True

    def _watch(self) -> float | None:
        now, total, stall = time.monotonic(), self._time_limit, self._stall_limit
        tally = self._counting()
        waits = self._listening and len(self._kept) >= EVENTS_KEPT  # for the listener
        if waits or now > self._looks_at + LATE:
            self._active = now
        if stall is not None and tally.progress.comparing:
            stall *= COMPARING
        total_left = 60.0 if total is None else self._started + total - now
        stall_left = 60.0 if stall is None else self._active + stall - now
        if total_left <= 0:
            self._stop(TimedOut(f"The {self.command} took longer than {total:g} s."), "timed out")
            return None
        if stall is not None and stall_left <= 0:
            self._stop(tally.stalled(stall), "stalled")
            return None
        wait = max(0.01, min(60.0, total_left, stall_left))
        self._looks_at = now + wait
        return wait

    def _stop(self, reason: PlutonRcloneError, word: str) -> None:
        with self._lock:
            if self._stopped is None and not self._over:
                self._stopped, self._ended = reason, word
