"""One lasting thread that forks every child, and what ends a child with its parent.

The kernel's parent-death signal (Linux) is sent when the *thread* that forked ends, so one thread
that lasts as long as the program forks every child.

`setpriv` (util-linux) sets the signal, and then becomes the command: same process id, nothing left
over, 2 ms (measured). `preexec_fn` would run Python between fork and exec, which is unsafe with
threads and deprecated since 3.12. A shell between the two compares its parent with us: a command
that lost its parent between fork and `setpriv` never starts. Without `setpriv`, Python itself does
the same, in 20 ms to 100 ms. On other systems a child ends by SIGPIPE with its next line of output.
"""

from __future__ import annotations

import os
import queue
import shutil
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Protocol, TypeVar


class _Killable(Protocol):
    def kill(self) -> None: ...


Spawned = TypeVar("Spawned", bound=_Killable)
_Request = tuple[Callable[[], Any], "Future[Any]"]


class Spawner:
    """Makes children, one after the other, in a thread of its own that starts with the first."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests: queue.SimpleQueue[_Request] | None = None

    def spawn(self, make: Callable[[], Spawned]) -> Spawned:
        """What `make` returns, made in the lasting thread; what it raises is raised here."""
        made: Future[Spawned] = Future()
        with self._lock:
            if self._requests is None:
                requests: queue.SimpleQueue[_Request] = queue.SimpleQueue()
                name = "pluton-rclone-spawner"
                threading.Thread(target=_serve, args=(requests,), daemon=True, name=name).start()
                self._requests = requests
            self._requests.put((make, made))
        try:
            return made.result()
        except BaseException:  # also Ctrl-C while waiting: the caller does not know the child
            made.add_done_callback(_kill)
            raise


def _serve(requests: queue.SimpleQueue[_Request]) -> None:
    while True:
        make, made = requests.get()
        try:
            made.set_result(make())
        except BaseException as error:  # noqa: BLE001 - raised again where it was asked for
            made.set_exception(error)
        del make, made  # the caller alone keeps the child


def _kill(made: Future[Any]) -> None:
    if made.exception() is None:
        made.result().kill()


SPAWNER = Spawner()
if hasattr(os, "register_at_fork"):  # the new process does not have the thread
    os.register_at_fork(after_in_child=SPAWNER.__init__)  # type: ignore[misc]

_WITH_PYTHON = """\
import ctypes, os, sys
ctypes.CDLL(None).prctl(1, 9)
if os.getppid() == int(sys.argv[1]):
    os.execv(sys.argv[2], sys.argv[2:])
"""


def killed_with_parent() -> list[str]:
    """What makes a command end with the process that starts it, in front of it; empty without
    util-linux's setpriv."""
    setpriv = shutil.which("setpriv") if sys.platform == "linux" else None
    if setpriv is None or os.path.basename(os.path.realpath(setpriv)) == "busybox":
        return []
    return [setpriv, "--pdeathsig", "KILL"]


def dying_with_us(argv: list[str]) -> list[str]:
    """The command in front of which the parent-death signal is set."""
    if sys.platform != "linux":
        return argv
    parent = str(os.getpid())
    if signalled := killed_with_parent():
        check = '[ "$PPID" = "$0" ] && exec "$@"'
        return [*signalled, "/bin/sh", "-c", check, parent, *argv]
    return [sys.executable, "-I", "-S", "-c", _WITH_PYTHON, parent, *argv]
