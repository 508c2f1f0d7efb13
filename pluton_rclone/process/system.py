"""System-specific functions for processes, users and pipes, each with a simple fallback. Tested on
Linux; for macOS and Windows only type-checked, never run."""

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

KILL: signal.Signals = getattr(signal, "SIGKILL", signal.SIGTERM)  # no process can ignore it


def send(pid: int, number: int) -> None:
    """Send a signal to a child that has not been reaped; KILL goes to its whole process group. On
    Windows, any signal ends it. Raises ProcessLookupError, PermissionError."""
    if sys.platform != "win32" and number == KILL:
        os.killpg(pid, number)
    else:
        os.kill(pid, signal.SIGTERM if sys.platform == "win32" else number)


def set_paused(pid: int, paused: bool) -> None:
    """Suspend or continue a child; not on Windows. Raises ProcessLookupError, PermissionError."""
    if sys.platform != "win32":
        os.kill(pid, signal.SIGSTOP if paused else signal.SIGCONT)


def exit_status(process: Popen[bytes]) -> int:
    """Wait for the end of a child. Returns its exit code, or -N after signal N. On Linux it is not
    reaped, and keeps its process id. Raises UsageError if something else has reaped it."""
    if sys.platform != "linux":
        return process.wait()
    try:
        found = os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    except ChildProcessError:
        if type(process).__module__ != "subprocess":  # those of gevent, pytest-subprocess have it
            return process.wait()
        what = "this program collects the exit status of every child: that of ours is lost"
        raise UsageError(what) from None
    assert found is not None  # without WNOHANG
    status = int(found.si_status)
    return status if found.si_code == os.CLD_EXITED else -status


def exit_code(status: int) -> int:
    """The exit code as in a shell: 128 + N for a program that signal N ended (-N)."""
    return status if status >= 0 else 128 - status


def ignores_children() -> bool:
    """Whether this program ignores SIGCHLD, so that no exit status can be known."""
    return sys.platform != "win32" and signal.getsignal(signal.SIGCHLD) == signal.SIG_IGN


def is_alive(pid: int) -> bool:
    """Whether a process with this id exists on this machine, of any user. Always True on Windows,
    where a test signal would end it."""
    if sys.platform != "win32":
        try:
            os.kill(pid, 0)
        except (ProcessLookupError, OverflowError):  # the number is too large for a process id
            return False
        except OSError:
            pass
    return True


def began(pid: int) -> str:
    """The start time of a process, in Linux's units: with the process id, it is unique. Empty if
    the process has ended (reaped or not), and on other systems."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:  # "12 (name) S …", with any name
            state, *fields = file.read().rpartition(b") ")[2].split()
    except OSError:
        return ""
    return "" if state in b"ZX" else fields[18].decode()


def in_foreground() -> bool:
    """Whether the terminal sends Ctrl-C to our process group, which includes some children."""
    if sys.platform == "win32":
        return True
    try:
        with open("/dev/tty", "rb", buffering=0) as terminal:
            return os.tcgetpgrp(terminal.fileno()) == os.getpgrp()
    except OSError:
        return False


def which(name: str, path: str | None = None) -> str | None:
    """Like `shutil.which`, whose import would take 2 ms of every command."""
    if sys.platform == "win32":
        import shutil

        return shutil.which(name, path=path)
    path = os.environ.get("PATH", os.defpath) if path is None else path
    folders = path.split(os.pathsep) if path else []  # an empty PATH is not the current folder
    found = (os.path.join(one, name) for one in ([""] if "/" in name else folders))
    return next((one for one in found if os.path.isfile(one) and os.access(one, os.X_OK)), None)


def user() -> int:
    """The user id of this process; 0 on Windows."""
    if sys.platform == "win32":
        return 0
    return os.geteuid()


def is_private(found: os.stat_result) -> bool:
    """Whether only this user has access, by owner and mode; True on Windows, for its profiles."""
    return sys.platform == "win32" or (found.st_uid == user() and not found.st_mode & 0o077)


def widen(pipe: IO[bytes], size: int) -> None:
    """Enlarge a pipe to `size` bytes (Linux), if the system allows it."""
    if sys.platform == "linux":
        import fcntl

        with contextlib.suppress(AttributeError, OSError):  # F_SETPIPE_SZ exists since 3.10
            fcntl.fcntl(pipe.fileno(), fcntl.F_SETPIPE_SZ, size)


def new_private_file(path: str | os.PathLike[str]) -> BinaryIO:
    """A new file that only this user can read. Raises FileExistsError, OSError."""
    return open(path, "xb", opener=lambda name, flags: os.open(name, flags, 0o600))


def give_to_owner(descriptor: int, folder: str | os.PathLike[str]) -> None:
    """Give a file that root has just created, as with sudo, to the owner of its folder: if users
    could not open a lock or a record, their own commands would fail from then on."""
    if sys.platform != "win32" and os.geteuid() == 0:
        with contextlib.suppress(OSError):  # a namespace may lack the user
            owner = os.stat(folder)
            os.fchown(descriptor, owner.st_uid, owner.st_gid)


class Held(io.FileIO):
    """A file that only this process holds, until `release` or its end, so that others can tell that
    it is alive; `shared`: with others that hold it so. A child of os.fork() does not hold it.
    Raises BlockingIOError if another process holds it, and OSError. Every command has one, and
    importing filelock would take 18 ms.

    It is a file object: if Ctrl-C comes before the caller has it, it closes itself, unlike a bare
    descriptor; and `with` releases it in one step, which nothing interrupts."""

    def __init__(self, path: str | os.PathLike[str], *, shared: bool = False) -> None:
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
                    if not shared:  # which msvcrt does not have
                        msvcrt.locking(self.fileno(), msvcrt.LK_NBLCK, 1)
                except OSError as error:  # EACCES, as for a file that cannot be opened
                    raise OSError(errno.EAGAIN, error.strerror) from None  # a BlockingIOError
            else:
                import fcntl

                fcntl.flock(self, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
            if not os.fstat(self.fileno()).st_nlink:
                raise FileNotFoundError(2, "removed by the one that held it", path)
        except BaseException:
            self.close()
            raise

    release = io.FileIO.close  # a second call does nothing


def _private(name: str, flags: int) -> int:
    return os.open(name, flags | os.O_CREAT, 0o600)


def held(path: str | os.PathLike[str], seconds: float) -> Held:
    """The file, once no other process or thread holds it. Raises like `until_free`."""
    return until_free(lambda: Held(path), seconds)


def until_free(take: Callable[[], Taken], seconds: float) -> Taken:
    """Call `take` until it no longer raises BlockingIOError, for at most `seconds`. Returns its
    result. Raises BlockingIOError, OSError."""
    until = time.monotonic() + seconds
    while True:
        try:
            return take()
        except BlockingIOError:
            if time.monotonic() > until:
                raise
        time.sleep(0.005)


# By descriptor, so it stays small. Not a WeakSet, whose callback for a dead member is Python code,
# in which a Ctrl-C is lost.
_held: dict[int, weakref.ref[Held]] = {}


def _release_all() -> None:
    for reference in _held.values():
        if (held := reference()) is not None:
            held.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_release_all)
