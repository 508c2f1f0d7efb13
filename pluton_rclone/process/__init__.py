"""The only place that starts processes: an argv list in, bytes and an exit status out.

What every child gets, and why:

- Its own session: Ctrl-C on the terminal reaches only Python, which ends the child in order
  (`Child.cancel`). A user's command runs in our session (`terminal.py`).
- An explicit environment, none of our open files, no shell, and no stdin unless it is fed.
- A thread for each pipe, so a child that floods one of them can never block itself or us.
- A reaper that waits for its end: there are no zombies, and no signal can hit a reused process id.
- An end with its parent, even if the parent is killed with SIGKILL (Linux; see `spawning.py`).
"""

from __future__ import annotations

import collections
import contextlib
import errno
import math
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import IO, NamedTuple

from pluton_rclone.errors import UsageError

from . import system
from .interrupts import Flag
from .log import Log
from .pipes import BLOCK, STREAM_PIPE, Source, blocks, lines_of, write_all
from .spawning import SPAWNER, dying_with_us
from .system import KILL

log = Log(__name__)

TAIL_LINES = 50
TAIL_LINE_BYTES = 4096

LADDER = ((signal.SIGINT, 1.0), (signal.SIGTERM, 0.5), (KILL, 5.0))
"""The signals that end a child, and the seconds that each has to take effect."""

SETTLING = 10.0
"""Seconds to wait for the work after that end: merging a token, recording a run."""

PATIENCE = 240.0
"""Seconds to wait for a process that must not be interrupted: longer than the renewal of a token
waits for its turn and for Microsoft."""

_Bytes = Callable[[bytes], None]
_running: set[Child] = set()


class Completed(NamedTuple):
    """A process that has ended. `returncode` is -N if signal N ended it."""

    returncode: int
    stdout: bytes
    stderr: bytes


class Child:
    """A running process; leaving it as a context manager ends it.

    Raises OSError if it cannot be started (FileNotFoundError, PermissionError). stderr is always
    drained: its lines go to `on_stderr` if given, and the last ones are kept (`stderr_tail`).
    Blocks of stdout go to `on_stdout` if given; otherwise the caller reads them (`read`, `stdout`),
    and the child blocks until they are read. Both are called in the child's threads; an error in
    them ends the child. `watch` is called in its own thread, and returns the seconds until its next
    call, or None to end the child. `on_signal` is called before each signal, `on_end` once the
    child has ended; `ladder` has the signals for `cancel`.
    """

    def __init__(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str],
        stdin: Source | None = None,
        on_stdout: _Bytes | None = None,
        on_stderr: _Bytes | None = None,
        watch: Callable[[], float | None] | None = None,
        on_signal: Callable[[], None] | None = None,
        on_end: Callable[[], None] | None = None,
        ladder: Sequence[tuple[int, float]] = LADDER,
    ) -> None:
        require_runnable(argv)
        self.argv = list(argv)
        self._parent = os.getpid()  # a child of os.fork() has only a copy of this object
        self._on_signal, self._on_end, self.ladder = on_signal, on_end, ladder
        self._failure: BaseException | None = None
        self.returncode: int | None = None
        """None while the child runs; then its exit code, or -N if signal N ended it."""
        self._ended = Flag()
        self._signals = threading.Lock()
        self.paused = False
        self.signalled = False
        """Whether we sent it a signal before its end."""
        self.stopped = False
        """Whether `stop_all` is ending it."""
        self._tail: collections.deque[bytes] = collections.deque(maxlen=TAIL_LINES)
        self._process = SPAWNER.spawn(
            lambda: subprocess.Popen(
                dying_with_us(self.argv),
                stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=dict(env),
                bufsize=0,
                start_new_session=True,
            )
        )
        _running.add(self)
        try:
            log.debug("started %d: %s", self.pid, self.argv)
            out, err = self._process.stdout, self._process.stderr
            assert out is not None
            assert err is not None
            self._out: IO[bytes] = out
            drain = None
            if on_stdout is None:
                system.widen(out, STREAM_PIPE)
            else:
                drain = self._thread(self._drain_stdout, out, on_stdout)
            self._thread(self._mind, err, on_stderr, drain)
            if stdin is not None:
                self._thread(self._feed, self._process.stdin, stdin)
            if watch is not None:
                self._thread(self._watch, watch)
        except BaseException:  # without its threads, it would be neither drained nor reaped
            _running.discard(self)
            system.send(self.pid, KILL)
            self._process.wait()
            raise

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def stderr_tail(self) -> bytes:
        """The last lines of its stderr."""
        return b"\n".join(self._tail)

    @property
    def stdout(self) -> Iterator[bytes]:
        """The lines of stdout, without their newlines, as they come."""
        return lines_of(self.read)

    def read(self, size: int = STREAM_PIPE) -> bytes:
        """Up to `size` available bytes of stdout; waits for the first byte; empty at the end."""
        try:
            return self._out.read(size)
        except ValueError:  # closed by `close` in another thread
            return b""

    def wait(self, timeout: float | None = None) -> int:
        """The exit code, once the child has ended and stderr has been read to its end. Raises
        TimeoutError after `timeout` seconds, or the error of a callback or of the source of stdin
        that ended the child."""
        if not self._ended.wait(timeout):
            raise TimeoutError(f"process {self.pid} is still running after {timeout} s")
        if self._failure is not None:
            raise self._failure
        assert self.returncode is not None
        return self.returncode

    @property
    def ended(self) -> bool:
        return self._ended.is_set()

    def signal(self, number: int) -> None:
        """Send a signal if the child still runs; SIGKILL to its process group, with any helpers."""
        if self._on_signal is not None:
            self._on_signal()
        with self._signals:
            if self.returncode is not None or self._parent != os.getpid():
                return
            self.signalled = True
            with contextlib.suppress(ProcessLookupError, PermissionError):
                system.send(self.pid, number)
                if self.paused:  # a stopped process gets the signal once it continues
                    self.paused = False
                    system.set_paused(self.pid, False)

    def kill(self) -> None:
        self.signal(KILL)

    def pause(self) -> None:
        """Suspend the child, if it still runs, until `resume` or a signal of ours."""
        self._set_paused(True)

    def resume(self) -> None:
        """Continue the child, if it was paused."""
        self._set_paused(False)

    def _set_paused(self, paused: bool) -> None:
        with self._signals:
            if self.returncode is not None or self.signalled or paused == self.paused:
                return
            with contextlib.suppress(ProcessLookupError):
                system.set_paused(self.pid, paused)
                self.paused = paused

    def cancel(self, ladder: Sequence[tuple[int, float]] = ()) -> None:
        """End the child with the signals of `ladder`, or of its own, in turn. Returns as soon as it
        has ended."""
        for number, seconds in ladder or self.ladder:
            if self._ended.is_set() or self._parent != os.getpid():
                return
            self.signal(number)
            if self._ended.wait(seconds):
                return
        log.warning("process %d does not end", self.pid)

    def close(self) -> None:
        """End the child if it runs, and close its stdout."""
        self.cancel()
        self._out.close()

    def __enter__(self) -> Child:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # ---- the threads of a child ------------------------------------------------------------------

    def _thread(self, run: Callable[..., None], *args: object) -> threading.Thread:
        name = f"{run.__name__}-{self.pid}"
        thread = threading.Thread(target=run, args=args, daemon=True, name=name)
        thread.start()
        return thread

    def _fail(self, error: BaseException) -> None:
        """Note an error on our side, and end the child, because its work cannot be finished."""
        if self._failure is None:
            self._failure = error
        self.kill()

    def _mind(
        self, pipe: IO[bytes], callback: _Bytes | None, other: threading.Thread | None
    ) -> None:
        """Drain stderr to its end, then reap the child. A helper that outlives the child may keep
        the pipes open: until they are closed, the child is not reaped, so that its process group
        keeps its id, and SIGKILL reaches only the helper."""
        with pipe:
            for line in lines_of(partial(pipe.read, BLOCK)):
                self._tail.append(line[:TAIL_LINE_BYTES])
                if callback is not None:
                    self._call(callback, line)
        if other is not None:
            other.join()
        try:
            ended = system.exit_status(self._process)
        except UsageError as lost:
            self._failure, ended = self._failure or lost, 1
        with self._signals:
            self._process.wait()
            self.returncode = ended
        log.debug("ended %d: %d", self.pid, self.returncode)
        try:
            if self._on_end is not None:
                self._on_end()
        finally:
            _running.discard(self)
            self._ended.set()

    def _drain_stdout(self, pipe: IO[bytes], callback: _Bytes) -> None:
        with pipe:
            while block := pipe.read(BLOCK):
                self._call(callback, block)

    def _call(self, callback: _Bytes, data: bytes) -> None:
        if self._failure is None:
            try:
                callback(data)
            except Exception as error:  # noqa: BLE001 - raised again in wait(); drained all the same
                self._fail(error)

    def _feed(self, pipe: IO[bytes], source: Source) -> None:
        """Feed stdin. If the source fails, kill the child before its stdin is closed: it must not
        mistake the failure for the end of the data."""
        try:
            for block in blocks(source):
                if not write_all(pipe, block):
                    break
        except BaseException as error:  # noqa: BLE001 - raised again in wait()
            self._fail(error)
        finally:
            with contextlib.suppress(OSError):
                pipe.close()

    def _watch(self, watch: Callable[[], float | None]) -> None:
        while (seconds := watch()) is not None:
            if self._ended.wait(seconds):
                return
        self.cancel()


start = Child


def stop_all() -> None:
    """Start to end all children at once, each with its ladder, without waiting. For a program that
    ends (Ctrl-C) while its threads wait for children."""
    for child in _running.copy():
        if not child.stopped:
            child.stopped = True
            threading.Thread(target=child.cancel, daemon=True, name=f"stop-{child.pid}").start()


def end_all() -> None:
    """Like `stop_all`, but wait until all have ended and their `on_end` has returned, which removes
    their loans, for example. For use before the program itself ends."""
    stop_all()
    running, began = _running.copy(), time.monotonic()
    ladders = [sum(seconds for _, seconds in child.ladder) for child in running]
    until = began + max([SETTLING, *ladders])
    for child in running:
        with contextlib.suppress(Exception):
            child.wait(max(0.0, until - time.monotonic()))


def require_runnable(argv: Sequence[str]) -> None:
    """Raise UsageError, FileNotFoundError or PermissionError if `argv` cannot be started."""
    if any("\0" in word for word in argv):
        raise UsageError("an argument contains a NUL character, which no program accepts")
    if not os.path.isabs(argv[0]):
        raise UsageError(f"the program to start needs its absolute path, not {argv[0]!r}")
    if not os.path.exists(argv[0]):
        raise FileNotFoundError(2, "no such program", argv[0])
    if not os.access(argv[0], os.X_OK):
        raise PermissionError(13, "not executable", argv[0])
    if system.ignores_children():
        advice = "In this program, set the signal SIGCHLD to its default before the first call."
        what = "this program ignores SIGCHLD: the exit status of a child cannot be known"
        raise UsageError(what, advice=advice)


def run(
    argv: Sequence[str],
    *,
    env: Mapping[str, str],
    timeout: float | None = None,
    most: float = math.inf,
) -> Completed:
    """Run a process to its end and keep all output. Ends it and raises TimeoutError after `timeout`
    seconds, or OSError (EFBIG) after `most` bytes of output."""
    return collected(partial(start, argv, env=env), timeout, most)


def collected(
    begin: Callable[..., Child], timeout: float | None, most: float = math.inf
) -> Completed:
    """Like `run`, for a child that `begin` starts with the callbacks for its output."""
    out: list[bytes] = []
    err: list[bytes] = []

    def keep(kept: list[bytes], data: bytes) -> None:
        nonlocal most
        most -= len(data) + 1  # a line has lost its newline
        if most < 0:
            raise OSError(errno.EFBIG, "it printed more than was asked for")
        kept.append(data)

    with begin(on_stdout=partial(keep, out), on_stderr=partial(keep, err)) as child:
        code = child.wait(timeout)
    return Completed(code, b"".join(out), b"".join(line + b"\n" for line in err))


def to_the_end(argv: Sequence[str], *, env: Mapping[str, str]) -> None:
    """Run a process that must not be interrupted: in its own session, it continues if we are
    killed, and after Ctrl-C, which ends only our wait. Its output is discarded. Waits at most
    PATIENCE seconds. Raises OSError if it cannot be started."""
    none = subprocess.DEVNULL
    child = subprocess.Popen(
        argv, env=dict(env), stdin=none, stdout=none, stderr=none, start_new_session=True
    )
    try:
        child.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        threading.Thread(target=child.wait, daemon=True, name=f"reap-{child.pid}").start()
