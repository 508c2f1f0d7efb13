"""What differs between systems about processes, users and pipes, each with a plain fallback. It is
tested on Linux; for macOS and Windows it is type-checked, and has not been run there."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import signal
import sys
import time
import weakref
from collections.abc import Callable
from typing import IO, TYPE_CHECKING, BinaryIO, TypeVar

from pluton_rclone.errors import UsageError

if TYPE_CHECKING:
    from subprocess import Popen

Taken = TypeVar("Taken")

KILL: signal.Signals = getattr(signal, "SIGKILL", signal.SIGTERM)  # no process can refuse it


def send(pid: int, number: int) -> None:
    """Send a signal to a child that is not reaped; KILL goes to its whole process group. Windows
    can only end it. ProcessLookupError, PermissionError."""
    if sys.platform != "win32" and number == KILL:
        os.killpg(pid, number)
    else:
        os.kill(pid, signal.SIGTERM if sys.platform == "win32" else number)


def set_paused(pid: int, paused: bool) -> None:
    """Stop a child, or let it go on; nothing on Windows. ProcessLookupError, PermissionError."""
    if sys.platform != "win32":
        os.kill(pid, signal.SIGSTOP if paused else signal.SIGCONT)


def exit_status(process: Popen[bytes]) -> int:
    """The exit code of a child, or -N after signal N; waits for its end. On Linux it stays to be
    reaped, and keeps its process id. UsageError if another part of this program has reaped it."""
    if sys.platform != "linux":
        return process.wait()
    try:
        found = os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    except ChildProcessError:
        if type(process).__module__ != "subprocess":  # gevent's and pytest-subprocess's know it
            return process.wait()
        what = "this program waits for every child: the exit status of ours is lost"
        raise UsageError(what) from None
    assert found is not None  # without WNOHANG
    status = int(found.si_status)
    return status if found.si_code == os.CLD_EXITED else -status


def exit_code(status: int) -> int:
    """The exit code as a shell gives it: 128 + N for a program that signal N ended (-N)."""
    return status if status >= 0 else 128 - status


def ignores_children() -> bool:
    """Whether this program ignores SIGCHLD, so that no exit status can be known."""
    return sys.platform != "win32" and signal.getsignal(signal.SIGCHLD) == signal.SIG_IGN


def is_alive(pid: int) -> bool:
    """Whether there is a process of that number, of any user, on this machine. Always True on
    Windows, where asking by a signal would end it."""
    if sys.platform != "win32":
        try:
            os.kill(pid, 0)
        except (ProcessLookupError, OverflowError):  # no process has so large a number
            return False
        except OSError:
            pass
    return True


def began(pid: int) -> str:
    """When a process was started, as Linux counts: with the number it names that process alone.
    Empty where there is none (it has ended, reaped or not) or the system does not say."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:  # "12 (name) S …": the name may hold anything
            state, *fields = file.read().rpartition(b") ")[2].split()
    except OSError:
        return ""
    return "" if state in b"ZX" else fields[18].decode()


def in_foreground() -> bool:
    """Whether a terminal sends its Ctrl-C to us, and so to the children in our process group."""
    if sys.platform == "win32":
        return True
    try:
        with open("/dev/tty", "rb", buffering=0) as terminal:
            return os.tcgetpgrp(terminal.fileno()) == os.getpgrp()
    except OSError:
        return False


def which(name: str, path: str | None = None) -> str | None:
    """As `shutil.which`, which every command would import for 2 ms."""
    if sys.platform == "win32":
        import shutil

        return shutil.which(name, path=path)
    path = os.environ.get("PATH", os.defpath) if path is None else path
    folders = path.split(os.pathsep) if path else []  # an empty one is not the current folder
    found = (os.path.join(one, name) for one in ([""] if "/" in name else folders))
    return next((one for one in found if os.path.isfile(one) and os.access(one, os.X_OK)), None)


def user() -> int:
    """The number of this process's user; 0 on Windows."""
    if sys.platform == "win32":
        return 0
    return os.geteuid()


def is_private(found: os.stat_result) -> bool:
    """Whether it is for this user alone, by owner and mode; on Windows, a profile's folders are."""
    return sys.platform == "win32" or (found.st_uid == user() and not found.st_mode & 0o077)


def widen(pipe: IO[bytes], size: int) -> None:
    """Give a pipe room for so many bytes (Linux), if that is granted."""
    if sys.platform == "linux":
        import fcntl

        with contextlib.suppress(AttributeError, OSError):  # F_SETPIPE_SZ is there since 3.10
            fcntl.fcntl(pipe.fileno(), fcntl.F_SETPIPE_SZ, size)


def new_private_file(path: str | os.PathLike[str]) -> BinaryIO:
    """A new file that only this user can read; FileExistsError, OSError."""
    return open(path, "xb", opener=lambda name, flags: os.open(name, flags, 0o600))


def give_to_owner(descriptor: int, folder: str | os.PathLike[str]) -> None:
    """What root has just made in somebody's folder, as with sudo, is theirs: with a lock or a
    record that they cannot open, their own commands would fail from then on."""
    if sys.platform != "win32" and os.geteuid() == 0:
        with contextlib.suppress(OSError):  # a namespace does not know every user
            owner = os.stat(folder)
            os.fchown(descriptor, owner.st_uid, owner.st_gid)


class Held(io.FileIO):
    """A file that this process alone holds until `release`, or until it ends: others can tell that
    it lives. A child of os.fork() does not hold it. BlockingIOError if another one does; OSError.
    Every command has one, and to import filelock would take it 18 ms.

    It is a file object: if a Ctrl-C comes before anybody has it, it closes by itself, where a bare
    descriptor would be held on; and `with` lets go of it in one step, which nothing interrupts."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        try:
            super().__init__(path, "x+", opener=_private)
            give_to_owner(self.fileno(), os.path.dirname(path) or ".")
        except FileExistsError:
            super().__init__(path, "r+", opener=_private)
        try:
            _held[self.fileno()] = weakref.ref(self)
            if sys.platform == "win32":
                import msvcrt

                try:
                    msvcrt.locking(self.fileno(), msvcrt.LK_NBLCK, 1)
                except OSError as error:  # EACCES, as if it could not be opened
                    raise OSError(errno.EAGAIN, error.strerror) from None  # a BlockingIOError
            else:
                import fcntl

                fcntl.flock(self, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not os.fstat(self.fileno()).st_nlink:
                raise FileNotFoundError(2, "removed by the one that held it", path)
        except BaseException:
            self.close()
            raise

    release = io.FileIO.close  # the second time nothing happens


def _private(name: str, flags: int) -> int:
    return os.open(name, flags | os.O_CREAT, 0o600)


def held(path: str | os.PathLike[str], seconds: float) -> Held:
    """The file, once no other process and no other thread holds it; errors as of `until_free`."""
    return until_free(lambda: Held(path), seconds)


def until_free(take: Callable[[], Taken], seconds: float) -> Taken:
    """What `take` gives, as soon as it does not raise BlockingIOError any more. After so many
    seconds, BlockingIOError; OSError."""
    until = time.monotonic() + seconds
    while True:
        try:
            return take()
        except BlockingIOError:
            if time.monotonic() > until:
                raise
        time.sleep(0.005)


# By descriptor, so there are not many. No WeakSet: what it does at the end of a member is Python
# code, where a Ctrl-C is lost.
_held: dict[int, weakref.ref[Held]] = {}


def _release_all() -> None:
    for reference in _held.values():
        if (held := reference()) is not None:
            held.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_release_all)
