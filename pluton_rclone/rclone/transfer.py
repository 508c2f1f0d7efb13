"""A running transfer: iterate it for progress, wait for its result, cancel it.

What reads rclone's log is imported once rclone is at work: that takes less than its start.
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
"""rclone removes partial files and upload sessions on SIGINT; a cancel takes at most 2 seconds."""

EVENTS_KEPT = 10_000

LATE = 10.0
"""If we look so many seconds later than meant, we stood still (Ctrl-Z, a frozen container), and may
not have read what rclone said: it has its time from now on."""

COMPARING = 24
"""So many times longer may a transfer stand still while it compares: rclone reads a file to its end
for a hash, and counts nothing. By default six hours: OneDrive's largest file (250 GB) at 12 MB/s.
Where the network is gone, rclone's own limits end it sooner."""

Start = Callable[[Callable[[bytes], None], Callable[[], float | None], Callable[[], None]], Child]
"""Starts an rclone that calls these: with each line of its log, to be watched, at its end."""
Starting = Callable[[Command, Sequence[str]], Start]
"""Makes the `Start` of a command, with flags for its log."""
Next = Callable[[Callable[[], bool]], Command | None]
"""Called at the end of a run, possibly for long, with what tells whether all was stopped meanwhile:
what to run next; None: nothing."""

Again = Callable[[Iterable[str], Start], Start | None]
Ended = Callable[["TransferResult"], None]


class Transfer:
    """One run of rclone, or several, one after the other, with one result; the first has started.
    If the command has a brake, or is a move of names that may be one at the destination, it only
    looks at what would be deleted or left out, and is not in the result.

    Iterating gives `Progress` as it comes (only the latest, if you are slower than rclone) until
    the end; `events()` gives every event. `result()` waits, and raises if something went wrong; the
    exception has `.result`. Leaving the context manager early cancels. All methods may be called
    from any thread.
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
        """`again` is asked once, when a run has failed, with what it said and its start: what to
        start instead. `begun` is called once the first rclone has started, and what it gives with
        the result, before anybody who waits goes on; `told` makes of the result what they get.
        `deleting` is called before the first deletion of a sync or move, with the paths that would
        go ("": all), and what tells whether all was stopped meanwhile: what it raises ends it, and
        nothing is done."""
        self.command = " ".join(command.words)
        self._whole, self._run = command, run or command
        self._starts, self._flags = starting, flags
        looks = command.brake is not None
        self._absent: tuple[str, ...] = ()
        if command.picks or command.words[0].startswith("move"):
            from . import left_out

            looks |= left_out.may_have_twins(command)
            self._absent = left_out.absent(command)  # now: a move takes away what it finds
        looks &= not command.dry
        self._seen: Tally | None = None
        """What the dry run beforehand has found so far; None after it, or without one."""
        self._most: int | None = None
        self._lock = threading.RLock()  # a Condition's own `with` can be left locked (`Flag`)
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
        self._tell: Ended = lambda result: None  # a Ctrl-C may come before `begun` is over
        self._starting = threading.Lock()
        with self._starting:  # it may end before it is here
            first = self._bound(self._run)
            if looks:
                # where it says what a list finds, what a remote lacks, and that it is to wait
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
        """Where the run that goes on is counted: it may speak before all of this is here."""
        with self._starting:
            return self._seen or self._tally

    def _bound(self, command: Command) -> Start:
        """A run of the command that deletes no more than it may."""
        if self._most is not None:
            command = commands.bound(command, self._most)
        return self._starts(command, self._flags)

    def _judged(self, stopped: Callable[[], bool]) -> Command:
        """After the dry run: the sync or move itself, or a copy. TooManyDeletions; what `deleting`
        raises."""
        assert self._seen is not None
        whole = self._codes == [0]
        missing = self._seen.in_the_way(whole=whole)
        self._tally.blind = not whole
        if missing:  # of twins rclone takes one, and deletes the copy of the other
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
        """After a dry run: it promises nothing that would not be done."""
        if self._tally.deleting and not any(self._codes):
            self._deleting(self._tally.deleting, stopped)

    def __repr__(self) -> str:
        state = "over" if self._over else "running"
        return f"<Transfer {self.command}, process {self._child.pid}, {state}>"

    @property
    def pid(self) -> int:
        """The process id of the rclone that runs now."""
        return self._child.pid

    @property
    def running(self) -> bool:
        """Whether it has not ended yet."""
        return not self._over

    @property
    def progress(self) -> Progress:
        """The latest; all zero before the first."""
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
        """Every event, as it comes, for one listener at a time. Earlier events are kept, up to
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
        """Wait for the end. Raises TransferFailed if files failed, or the error that ended it.
        TimeoutError after `timeout` seconds; the transfer continues. Ctrl-C while waiting cancels.
        """
        result = self.wait(timeout)
        if result.error is not None:
            result.error.result = result
            raise result.error
        return result

    def wait(self, timeout: float | None = None) -> TransferResult:
        """As `result`, but a failure is not raised: it is the result's `error`."""
        self._stop_listening()
        try:
            self._wait(timeout)
        except TimeoutError:
            raise
        except BaseException:  # Ctrl-C, or an error of ours in one of the child's threads
            with suppress(Exception):  # that one again, or it does not end
                self.cancel()
            raise
        return self._settled()

    def _settled(self) -> TransferResult:
        """The result, once all has ended."""
        with self._lock:
            if self._result is None:
                code = next((code for code in self._codes if code != 0), 0)
                if code == 0 and not self._then and self._ended != "failed":
                    self._stopped, self._ended = None, "done"  # it was faster than the cancel
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
        """End it within two seconds, unless it has ended. The result, also of what failed.
        TimeoutError after ten seconds, if what follows the end (a token is saved) takes so long; an
        error in one of its threads, as it is."""
        self._stop_listening()
        self._stop(Cancelled(f"The {self.command} was cancelled.", why="on request"), "cancelled")
        self._child.cancel(CANCEL)
        self._wait(SETTLING)
        return self._settled()

    def __enter__(self) -> Transfer:
        return self

    def __exit__(self, *_: object) -> None:
        if self.running:
            with suppress(TimeoutError):  # it goes on, and must not hide an error in the block
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
            if tally is self._seen:  # of the dry run only a wait is passed on
                if until is None or not is_to_wait:
                    return
                self._tally.wait(until)  # its level, and names, are not those of the run
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
        """Start the next run, if there is one and the last did not break down. It does not hold
        `_lock`: `Next`, and the wait for the configuration's lock, can take seconds, and a
        cancel must get through. A `Next` that is interrupted stays in `_then`."""
        try:
            tally = self._seen or self._tally
            again, failed = self._again, code != 0 and self._stopped is None
            if failed and again and (other := again(tally.messages, self._latest)):
                self._again = None
                self._codes.pop()
                if self._seen is not None and other is self._latest:
                    self._seen = self._new_tally(looking=True)
                elif self._seen is not None:  # the run itself, of one file, which has no twin
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
        """Start a run after one that has ended. True."""
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
