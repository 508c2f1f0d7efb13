"""One permanent thread that forks every child, and the means to end a child with its parent.

The kernel's parent-death signal (Linux) is sent when the *thread* that forked ends, so a thread
that lives as long as the program forks every child.

`setpriv` (util-linux) sets the signal, and then becomes the command: same process id, nothing left
over, 2 ms (measured). `preexec_fn` would run Python between fork and exec, which is unsafe with
threads and deprecated since 3.12. A shell between the two compares its parent with us: a command
that lost its parent between fork and `setpriv` never starts. Without `setpriv`, Python does the
same, in 20 ms to 100 ms. On other systems, SIGPIPE ends a child at its next line of output.
"""

from __future__ import annotations

import os
import queue
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import cache, partial
from typing import TYPE_CHECKING

from .interrupts import Flag
from .system import which

if TYPE_CHECKING:
    from subprocess import Popen


class Spawner:
    """Creates children, one after the other, in its own thread, which starts with the first."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests = queue.SimpleQueue[Callable[[], None]]()
        self._serves = False

    def spawn(self, make: Callable[[], Popen[bytes]]) -> Popen[bytes]:
        """Call `make` in the permanent thread. Returns its result, or raises its exception."""
        made: list[Popen[bytes]] = []
        done, problems = Flag(), list[BaseException]()

        def request() -> None:  # importing Future would take 5 ms
            try:
                made.append(make())
            except BaseException as problem:  # noqa: BLE001 - raised again in the caller's thread
                problems.append(problem)
            done.set()

        with self._lock:
            if not self._serves:
                name = "pluton-rclone-spawner"
                threading.Thread(target=self._serve, daemon=True, name=name).start()
                self._serves = True
        try:
            self._requests.put(request)
            done.wait()
            for problem in problems:
                raise problem
            return made[0]
        except BaseException:  # also Ctrl-C while waiting: the caller will not get the child
            self._requests.put(partial(_kill, made))  # after it has been created
            raise

    def _serve(self) -> None:
        while True:
            self._requests.get()()  # without a name here, so only the caller refers to the child


def _kill(made: list[Popen[bytes]]) -> None:
    for child in made:
        child.kill()


SPAWNER = Spawner()
if hasattr(os, "register_at_fork"):  # a forked process does not have the thread
    os.register_at_fork(after_in_child=SPAWNER.__init__)  # type: ignore[misc]

_WITH_PYTHON = """\
import ctypes, os, sys
ctypes.CDLL(None).prctl(1, 9)
if os.getppid() == int(sys.argv[1]):
    os.execv(sys.argv[2], sys.argv[2:])
"""


def killed_with_parent() -> list[str]:
    """The prefix that makes a command end with the process that starts it; empty without a setpriv
    that can do that."""
    setpriv = which("setpriv") if sys.platform == "linux" else None
    with suppress(OSError):  # it may be unreadable, or too many files open at the moment
        if setpriv is not None and _knows_the_signal(setpriv):
            return [setpriv, "--pdeathsig", "KILL"]
    return []


@cache  # but not an OSError
def _knows_the_signal(setpriv: str) -> bool:
    """Whether the program's file contains the name of the option, unlike those of util-linux before
    2.33 and of busybox. Reading it takes 0.3 ms, starting it 2 ms (measured). OSError."""
    with open(setpriv, "rb") as program:
        return b"pdeathsig" in program.read(2**19)  # it has 80 KB; 2 MB of busybox take 10 ms


def dying_with_us(argv: list[str]) -> list[str]:
    """The command, with a prefix that sets the parent-death signal."""
    if sys.platform != "linux":
        return argv
    parent = str(os.getpid())
    if signalled := killed_with_parent():
        check = '[ "$PPID" = "$0" ] && exec "$@"'
        return [*signalled, "/bin/sh", "-c", check, parent, *argv]
    return [sys.executable, "-I", "-S", "-c", _WITH_PYTHON, parent, *argv]
