"""Commands without Python's start-up: a process that has imported everything forks one for each
command.

Each fork has the arguments, folder, environment and streams that it is given, and its own terminal
if it is to receive the Ctrl-C there. A shell's `pluton-rclone` is a small program that hands over
to a fork and ends with its exit code.
"""

from __future__ import annotations

import gc
import importlib
import marshal
import os
import pkgutil
import select
import shlex
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO

ROOT = Path(__file__).parents[1]
NUMBER = struct.Struct("!q")
LEFT_OUT = ("pluton_rclone.__main__", "pluton_rclone.rclone_python", "pluton_rclone.flows.engine")
"""Modules that a fork imports only if it needs them: Prefect is two thirds of all imports."""

# Runs `pluton-rclone WORDS`, the main() of MODULE if they begin with -m, or the code after -c. With
# json and socket it would take 18 ms of CPU instead of 9.
_HAND_OVER = """\
import _socket, marshal, os, sys
there = _socket.socket(_socket.AF_UNIX)
there.connect(sys.argv[1])
order = marshal.dumps([sys.argv[2:], os.getcwd(), dict(os.environ), False])
streams = b"".join(stream.to_bytes(4, sys.byteorder) for stream in range(3))
rights = (_socket.SOL_SOCKET, _socket.SCM_RIGHTS, streams)
there.sendmsg([len(order).to_bytes(8, "big")], [rights])
there.sendall(order)
there.recv(8)
code = int.from_bytes(there.recv(8) or bytes([127]), "big", signed=True)
sys.exit(code if code >= 0 else 128 - code)
"""


class Forked:
    """A running command, with the interface of subprocess.Popen."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self.pid = self._number()
        self.returncode: int | None = None

    def _number(self) -> int:
        (number,) = NUMBER.unpack(self._connection.recv(NUMBER.size, socket.MSG_WAITALL))
        return int(number)

    def poll(self) -> int | None:
        if self.returncode is None and select.select([self._connection], [], [], 0)[0]:
            return self.wait()
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """The exit code; TimeoutError after `timeout` seconds."""
        if self.returncode is None:
            self._connection.settimeout(timeout)
            self.returncode = self._number()
            self._connection.close()
        return self.returncode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            with suppress(ProcessLookupError):  # it has just ended, not yet reported
                os.kill(self.pid, number)


class Forks:
    """Starts our commands as forks of one server process.

    The server starts with the first command, at `path`, and ends with `end`.
    """

    def __init__(self, path: Path, end: ExitStack) -> None:
        self._path = path
        self._script = path.with_suffix(".py")
        self._end = end
        self._environment = dict(os.environ)  # of no test: tests find their processes by variables
        self._start = threading.Lock()
        self._started = False

    def _server(self) -> str:
        with self._start:
            if not self._started:
                self._script.write_text(_HAND_OVER)  # once: a running command may be reading it
                self._end.enter_context(_serving(self._path, self._environment))
                self._started = True
        return str(self._path)

    def _words(self) -> str:
        server = self._server()
        return shlex.join([sys.executable, "-IS", str(self._script), server])

    @property
    def line(self) -> str:
        """The line of a shell script that runs `pluton-rclone "$@"`."""
        return f'exec {self._words()} "$@"'

    @property
    def browser(self) -> str:
        """A $BROWSER like that of `emulator.command.browser()`."""
        return f"{self._words()} -m pluton_rclone.emulator.person %s &"

    def start(
        self,
        arguments: Sequence[object],
        streams: tuple[int, int, int],
        *,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        terminal: bool = False,
    ) -> Forked:
        """Start `pluton-rclone ARGUMENTS` with these three files as its streams.

        With `terminal` they are the terminal of a new session.
        """
        words = [str(argument) for argument in arguments]
        order = [words, str(cwd or Path.cwd()), dict(env or os.environ), terminal]
        return _ordering(self._server(), order, streams)

    def to_the_end(self, argv: Sequence[str], *, env: Mapping[str, str]) -> None:
        """Like `process.to_the_end` for `python -I -c CODE ...`: killing us does not kill it."""
        _to_the_end(self._server())(argv, env=env)

    def run(
        self,
        *arguments: object,
        stdin: bytes = b"",
        stdout: int | None = None,
        stderr: int | None = None,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> subprocess.CompletedProcess[bytes]:
        """Run one command to its end; its output goes to these files, or is captured."""
        with (
            tempfile.TemporaryFile() as given,
            tempfile.TemporaryFile() as out,
            tempfile.TemporaryFile() as err,
        ):
            given.write(stdin)
            given.seek(0)
            streams = (
                given.fileno(),
                out.fileno() if stdout is None else stdout,
                err.fileno() if stderr is None else stderr,
            )
            code = self.start(arguments, streams, env=env, cwd=cwd).wait(600)
            for kept in (out, err):
                kept.seek(0)
            words = [str(word) for word in arguments]
            return subprocess.CompletedProcess(words, code, out.read(), err.read())

    @contextmanager
    def started(
        self, *arguments: object, env: Mapping[str, str] | None = None
    ) -> Iterator[tuple[Forked, IO[str]]]:
        """A command in the background, and its stdout; it is killed at the end of the block."""
        reading, writing = os.pipe()
        with open(os.devnull, "r+b") as nothing, os.fdopen(reading) as said:
            streams = (nothing.fileno(), writing, nothing.fileno())
            try:
                command = self.start(arguments, streams, env=env)
            finally:
                os.close(writing)
            try:
                yield command, said
            finally:
                command.send_signal(signal.SIGKILL)
                command.wait(600)


def _ordering(server: str, order: list[object], streams: Sequence[int]) -> Forked:
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(server)
    text = marshal.dumps(order)
    socket.send_fds(connection, [len(text).to_bytes(8, "big")], list(streams))
    connection.sendall(text)
    return Forked(connection)


def _to_the_end(server: str) -> Callable[..., None]:
    def to_the_end(argv: Sequence[str], *, env: Mapping[str, str]) -> None:
        assert argv[:3] == [sys.executable, "-I", "-c"]
        with open(os.devnull, "r+b") as nothing:
            order: list[object] = [list(argv[2:]), os.getcwd(), dict(env), False]
            _ordering(server, order, [nothing.fileno()] * 3).wait()

    return to_the_end


@contextmanager
def forking(folder: Path) -> Iterator[Forks]:
    """Forks with their socket in `folder`; commands that still run at the end are killed."""
    with ExitStack() as end:
        yield Forks(folder / "forks", end)


@contextmanager
def _serving(path: Path, environment: Mapping[str, str]) -> Iterator[None]:
    argv, pipe = [sys.executable, "-m", "tests.forked", str(path)], subprocess.PIPE
    with subprocess.Popen(
        argv, cwd=ROOT, env=environment, stdin=pipe, stdout=pipe, start_new_session=True
    ) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        assert server.stdout.readline() == b"ready\n"
        try:
            yield
        finally:
            server.stdin.close()


def _import_all() -> None:
    import pluton_rclone

    for module in pkgutil.walk_packages(pluton_rclone.__path__, "pluton_rclone."):
        if not module.name.startswith(LEFT_OUT):
            importlib.import_module(module.name)
    for name in ("msal", "requests", "rich.console", "rich.progress", "rich.table", "keyring"):
        importlib.import_module(name)


def _serve(path: str) -> None:
    """Fork a process for each order; return only in that process."""
    _import_all()
    gc.collect()
    gc.freeze()  # the collector leaves imported objects alone, so a fork copies no page for them
    here = socket.socket(socket.AF_UNIX)
    here.bind(path)
    here.listen(64)
    print("ready", flush=True)
    running: dict[int, tuple[int, socket.socket]] = {}
    while True:
        ready = select.select([here, sys.stdin, *running], [], [])[0]
        if sys.stdin in ready:  # closed by the test process
            for pid, _ in running.values():
                os.kill(pid, signal.SIGKILL)
            os._exit(0)
        if here in ready:
            there, _ = here.accept()
            streams, order = _ordered(there)
            if not order:
                there.close()
                continue
            if (pid := os.fork()) == 0:
                for one in (here, there, *(connection for _, connection in running.values())):
                    one.close()
                for pidfd in running:
                    os.close(pidfd)
                return _become(path, streams, *marshal.loads(order))
            for stream in streams:
                os.close(stream)
            with suppress(OSError):  # the caller was killed: its command continues, as any would
                there.sendall(NUMBER.pack(pid))
            running[os.pidfd_open(pid)] = pid, there
        for pidfd in running.keys() & set(ready):
            pid, there = running.pop(pidfd)
            code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
            os.close(pidfd)
            with suppress(OSError):  # the caller is gone
                there.sendall(NUMBER.pack(code))
            there.close()


def _ordered(there: socket.socket) -> tuple[list[int], bytes]:
    """The streams of a command and its order; both empty if the caller was killed too early."""
    streams: list[int] = []
    try:
        head, streams, _, _ = socket.recv_fds(there, 8, 3)
        length = int.from_bytes(head, "big")
        order = there.recv(length, socket.MSG_WAITALL) if length else b""
    except OSError:
        length, order = -1, b""
    if len(order) == length:
        return streams, order
    for stream in streams:
        os.close(stream)
    return [], b""


def _become(
    server: str,
    streams: Sequence[int],
    arguments: list[str],
    folder: str,
    environment: dict[str, str],
    terminal: bool,
) -> None:
    """Turn this process into that command."""
    from pluton_rclone import __main__, process
    from pluton_rclone.cli import leave, main

    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    if terminal:
        import fcntl
        import termios

        os.setsid()
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    encoding = environment.get("PYTHONIOENCODING")  # as Python applies it at start-up
    sys.stdin = open(0, encoding=encoding)  # noqa: SIM115
    sys.stdout = open(1, "w", encoding=encoding)  # noqa: SIM115
    sys.stderr = open(2, "w", 1, encoding, "backslashreplace")  # noqa: SIM115
    process.to_the_end = _to_the_end(server)
    try:
        if arguments[:1] == ["-c"]:
            sys.argv = ["-c", *arguments[2:]]
            exec(arguments[1], {"__name__": "__main__"})  # noqa: S102 - as Python's own -c does
            leave(0)
        if arguments[:1] == ["-m"]:
            sys.exit(importlib.import_module(arguments[1]).main(arguments[2:]))
        sys.argv = [str(__main__.__file__), *arguments]
        main()
    except SystemExit as end:  # each of them ends this way
        leave(int(end.code or 0))


if __name__ == "__main__":
    _serve(sys.argv[1])
