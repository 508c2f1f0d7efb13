"""One lasting thread that forks every child, and what makes a child die with its parent.

The kernel's parent-death signal (Linux) belongs to the *thread* that forked, so one thread that
lasts as long as the program forks every child: a child started in a thread that has ended goes on.

The signal is set by `setpriv` (util-linux) in front of the command, which then becomes the command:
same process id, nothing left over, 2 ms (measured). `preexec_fn` would run Python between fork and
exec, which is unsafe with threads and deprecated since 3.12. A shell between the two compares its
parent with us, which closes the gap between fork and `setpriv`: whoever lost its parent in that gap
never starts. Without `setpriv`, Python itself does the same, in 20 ms to 100 ms. On other systems a
child ends by SIGPIPE with its next line of output.
"""

from __future__ import annotations

import os
import queue
import shutil
import sys
import threading
from collections.abc import Callable
from typing import Any, Generic, Protocol, TypeVar

from .system import KILL


class _Signalled(Protocol):
    """What can be ended when nobody waits for it any more."""

    @property
    def signal(self) -> Callable[[int], None]: ...


Spawned = TypeVar("Spawned", bound=_Signalled)


class _Request(Generic[Spawned]):
    def __init__(self, make: Callable[[], Spawned]) -> None:
        self.make = make
        self.lock = threading.Lock()
        self.done = threading.Event()
        self.abandoned = False
        self.child: Spawned | None = None
        self.error: BaseException | None = None


class Spawner:
    """Makes children, one after the other, in a thread of its own that starts with the first."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests: queue.SimpleQueue[_Request[Any]] | None = None

    def spawn(self, make: Callable[[], Spawned]) -> Spawned:
        """What `make` returns, made in the lasting thread; what it raises is raised here."""
        request = _Request(make)
        with self._lock:
            if self._requests is None:
                requests: queue.SimpleQueue[_Request[Any]] = queue.SimpleQueue()
                threading.Thread(
                    target=self._serve, args=(requests,), daemon=True, name="pluton-rclone-spawner"
                ).start()
                self._requests = requests
            self._requests.put(request)
        try:
            request.done.wait()
        except BaseException:  # Ctrl-C while waiting: nobody would know the child
            with request.lock:
                request.abandoned = True
                if request.child is not None:
                    request.child.signal(KILL)
            raise
        if request.error is not None:
            raise request.error
        assert request.child is not None
        return request.child

    def _serve(self, requests: queue.SimpleQueue[_Request[Any]]) -> None:
        while True:
            request: _Request[Any] | None = requests.get()
            assert request is not None
            child = None
            try:
                child = request.make()
            except BaseException as error:  # noqa: BLE001 - raised again where it was asked for
                request.error = error
            else:
                with request.lock:
                    request.child = child
                    if request.abandoned:
                        child.signal(KILL)
            request.done.set()
            request = child = None  # kept by whoever asked for it, not by us

    def forget(self) -> None:
        """After os.fork() the new process has no such thread."""
        self.__init__()  # type: ignore[misc]


SPAWNER = Spawner()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=SPAWNER.forget)

_WITH_PYTHON = """\
import ctypes, os, sys
ctypes.CDLL(None).prctl(1, 9)
if os.getppid() == int(sys.argv[1]):
    os.execv(sys.argv[2], sys.argv[2:])
"""


def dying_with_us(argv: list[str]) -> list[str]:
    """The command in front of which the parent-death signal is set."""
    if sys.platform != "linux":
        return argv
    parent = str(os.getpid())
    setpriv = shutil.which("setpriv")
    if setpriv is not None and os.path.basename(os.path.realpath(setpriv)) != "busybox":
        check = '[ "$PPID" = "$0" ] && exec "$@"'
        return [setpriv, "--pdeathsig", "KILL", "/bin/sh", "-c", check, parent, *argv]
    return [sys.executable, "-I", "-S", "-c", _WITH_PYTHON, parent, *argv]
