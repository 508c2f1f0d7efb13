"""The only place that starts a process: an argv list in, bytes out, an exit status, and a sure end.

What every child gets, and why:

- A session of its own: Ctrl-C on the terminal reaches Python alone, which ends the child in order
  (`Child.cancel`). A person's command is in ours (`terminal.py`).
- An explicit environment, no open files of ours, no shell, and no stdin unless something is fed.
- A thread for each pipe, so a child that floods one of them can never block itself or us.
- A reaper that waits for its end: there are no zombies, and no signal can hit a reused process id.
- An end with its parent, also if the parent is killed with SIGKILL (Linux; see `spawning.py`).
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
"""How a child is ended: each signal, and the seconds that it gets to take effect."""

SETTLING = 10.0
"""Seconds in which what follows that end is waited for: a token is merged, a run recorded."""

PATIENCE = 240.0
"""Seconds for a process that must not stop half-way: longer than whoever renews a token waits for
its turn and for Microsoft."""

_Bytes = Callable[[bytes], None]
_running: set[Child] = set()


class Completed(NamedTuple):
    """A process that has ended. `returncode` is negative (-N) if signal N ended it."""

    returncode: int
    stdout: bytes
    stderr: bytes


class Child:
    """A running process; leaving it as a context manager ends it.

    OSError if it cannot be started (FileNotFoundError, PermissionError). stderr is always drained:
    line by line into `on_stderr` if given, and its last lines are kept (`stderr_tail`). stdout goes
    in blocks to `on_stdout` if given; otherwise the caller reads it (`read`, `stdout`), and the
    child waits while it is not read. Both are called in a thread of the child's; an error that they
    raise ends the child. `watch` is asked in a thread of its own how many seconds to wait until it
    is asked again; None ends the child. `on_signal` is called before each signal, `on_end` once it
    has ended; `ladder` is how `cancel` ends it.
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
        self._parent = os.getpid()  # a child of os.fork() only has a copy of this object
        self._on_signal, self._on_end, self.ladder = on_signal, on_end, ladder
        self._failure: BaseException | None = None
        self.returncode: int | None = None
        """None while it runs; then its exit code, or -N if signal N ended it."""
        self._ended = Flag()
        self._signals = threading.Lock()
        self.paused = False
        self.signalled = False
        """Whether it got a signal of ours before its end."""
        self.stopped = False
        """Whether `stop_all` ends it."""
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
        except BaseException:  # without its threads it is neither drained nor reaped
            _running.discard(self)
            system.send(self.pid, KILL)
            self._process.wait()
            raise

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def stderr_tail(self) -> bytes:
        """The last lines that it wrote to stderr."""
        return b"\n".join(self._tail)

    @property
    def stdout(self) -> Iterator[bytes]:
        """The lines of stdout, without their newline, as they come."""
        return lines_of(self.read)

    def read(self, size: int = STREAM_PIPE) -> bytes:
        """What stdout has now, at most `size` bytes; waits for the first byte; empty at the end."""
        try:
            return self._out.read(size)
        except ValueError:  # closed by `close` in another thread
            return b""

    def wait(self, timeout: float | None = None) -> int:
        """The exit code, once it has ended and stderr is read to the end. TimeoutError after
        `timeout` seconds. Raises the error of a callback or of the source of stdin, for which the
        child was ended."""
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
        """Send a signal, if it still runs. SIGKILL goes to its whole process group, helpers too."""
        if self._on_signal is not None:
            self._on_signal()
        with self._signals:
            if self.returncode is not None or self._parent != os.getpid():
                return
            self.signalled = True
            with contextlib.suppress(ProcessLookupError, PermissionError):
                system.send(self.pid, number)
                if self.paused:  # it gets the signal when it goes on
                    self.paused = False
                    system.set_paused(self.pid, False)

    def kill(self) -> None:
        self.signal(KILL)

    def pause(self) -> None:
        """Stop it until `resume`, or until it gets a signal, if it still runs."""
        self._set_paused(True)

    def resume(self) -> None:
        """Let it go on, if it was paused."""
        self._set_paused(False)

    def _set_paused(self, paused: bool) -> None:
        with self._signals:
            if self.returncode is not None or self.signalled or paused == self.paused:
                return
            with contextlib.suppress(ProcessLookupError):
                system.set_paused(self.pid, paused)
                self.paused = paused

    def cancel(self, ladder: Sequence[tuple[int, float]] = ()) -> None:
        """End it with each signal of the ladder, or of its own, in turn; returns at once if it has
        ended."""
        for number, seconds in ladder or self.ladder:
            if self._ended.is_set() or self._parent != os.getpid():
                return
            self.signal(number)
            if self._ended.wait(seconds):
                return
        log.warning("process %d does not end", self.pid)

    def close(self) -> None:
        """End it if it runs, and close what is open."""
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
        """Remember what went wrong on our side, and end the child: its work cannot be finished."""
        if self._failure is None:
            self._failure = error
        self.kill()

    def _mind(
        self, pipe: IO[bytes], callback: _Bytes | None, other: threading.Thread | None
    ) -> None:
        """Drain stderr to its end, then reap. A helper that outlives the child may hold the pipes:
        until they are closed, the child stays unreaped, so that its process group keeps its id and
        SIGKILL reaches the helper alone."""
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
        """Feed stdin. A source that fails must not look like the end of the data: the child is
        killed before its stdin is closed."""
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
    """End every child, each in order and all at once; does not wait for it. For a program that is
    to end (Ctrl-C) while its threads wait for children."""
    for child in _running.copy():
        if not child.stopped:
            child.stopped = True
            threading.Thread(target=child.cancel, daemon=True, name=f"stop-{child.pid}").start()


def end_all() -> None:
    """As `stop_all`, and waits until all have ended and what is called then is done, such as the
    removal of what was lent to them. Before the program itself ends."""
    stop_all()
    running, began = _running.copy(), time.monotonic()
    ladders = [sum(seconds for _, seconds in child.ladder) for child in running]
    until = began + max([SETTLING, *ladders])
    for child in running:
        with contextlib.suppress(Exception):
            child.wait(max(0.0, until - time.monotonic()))


def require_runnable(argv: Sequence[str]) -> None:
    """UsageError, FileNotFoundError or PermissionError for what cannot be started."""
    if any("\0" in word for word in argv):
        raise UsageError("an argument holds a NUL character, which no program can be given")
    if not os.path.isabs(argv[0]):
        raise UsageError(f"the program to start needs its whole path, not {argv[0]!r}")
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
    """Run to the end and keep all output. TimeoutError after `timeout` seconds, OSError (EFBIG)
    after `most` bytes of output; then it is gone."""
    return collected(partial(start, argv, env=env), timeout, most)


def collected(
    begin: Callable[..., Child], timeout: float | None, most: float = math.inf
) -> Completed:
    """As `run`, of a child that is begun with these callbacks."""
    out: list[bytes] = []
    err: list[bytes] = []

    def keep(kept: list[bytes], data: bytes) -> None:
        nonlocal most
        most -= len(data) + 1  # a line came without its end
        if most < 0:
            raise OSError(errno.EFBIG, "it printed more than was asked for")
        kept.append(data)

    with begin(on_stdout=partial(keep, out), on_stderr=partial(keep, err)) as child:
        code = child.wait(timeout)
    return Completed(code, b"".join(out), b"".join(line + b"\n" for line in err))


def to_the_end(argv: Sequence[str], *, env: Mapping[str, str]) -> None:
    """Run a process that must not stop half-way: in a session of its own, it goes on if we are
    killed, and after Ctrl-C, which ends our waiting alone. It says nothing. OSError if it cannot be
    started. One that stands still is waited for as long as PATIENCE."""
    none = subprocess.DEVNULL
    child = subprocess.Popen(
        argv, env=dict(env), stdin=none, stdout=none, stderr=none, start_new_session=True
    )
    try:
        child.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        threading.Thread(target=child.wait, daemon=True, name=f"reap-{child.pid}").start()
