"""macOS and Windows, simulated: `sys.platform` says so, and what Python lacks there is missing.

The library has not been run on these systems. These tests show that imports succeed there and that
the plain fallbacks work. The missing names are those of typeshed: `sys.platform` in its stubs of
os, signal, socket and the modules named here.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from .test_everything_once import MODULES

# Everything else is imported before: the standard library and the packages have their own checks.
SIMULATED = """
import importlib, os, signal, socket, sys
systems, *modules = sys.argv[1:]
modules = [name for name in modules if not name.endswith("__main__")]
for name in modules:
    importlib.import_module(name)
*others, system = systems.split()
for other in others:  # each in a process of its own
    if (child := os.fork()) == 0:
        system = other
        break
    os.waitpid(child, 0)
for name in [name for name in sys.modules if name.partition(".")[0] == "pluton_rclone"]:
    del sys.modules[name]
import fcntl, subprocess
fcntl.__dict__.pop("F_SETPIPE_SZ", None)
missing = {
    os: "waitid P_PID WEXITED WNOWAIT pidfd_open sched_getaffinity sched_setaffinity".split()
}
if system == "win32":
    missing[os] += (
        "getuid geteuid getgid getegid fork forkpty killpg fchown fchmod chown lchown pwrite pread "
        "tcgetpgrp getpgrp getsid setsid mkfifo mknod uname statvfs register_at_fork getloadavg "
        "sysconf O_NOFOLLOW O_CLOEXEC O_DIRECTORY O_NONBLOCK openpty getpriority nice sync"
    ).split()
    missing[socket] = ["AF_UNIX", "socketpair"]
    missing[signal] = [
        name for name in dir(signal)
        if name.startswith("SIG") and not name.startswith("SIG_") and name not in
        ("SIGABRT", "SIGFPE", "SIGILL", "SIGINT", "SIGSEGV", "SIGTERM")
    ] + ["pthread_sigmask", "sigwait", "pthread_kill", "setitimer", "alarm", "siginterrupt"]
    sys.modules |= dict.fromkeys("fcntl termios resource pwd grp pty tty posix syslog".split())
for module, names in missing.items():
    for name in names:
        module.__dict__.pop(name, None)
sys.platform = system
for name in modules:
    importlib.import_module(name)
"""


def simulated(
    systems: str, then: str = "", *arguments: str, modules: list[str] = MODULES
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [
            sys.executable,
            "-c",
            SIMULATED.replace("sys.argv[1:]", repr([systems, *modules])) + then,
            *arguments,
        ],
        capture_output=True,
        text=True,
    )


def test_every_module_can_be_imported_there() -> None:
    done = simulated("darwin win32", "print('all of them for', system)")

    said = "all of them for darwin\nall of them for win32\n"
    assert (done.returncode, done.stdout, done.stderr) == (0, said, "")


def test_to_ask_whether_a_process_is_alive_does_not_end_it_on_windows() -> None:
    ask = (
        "from pluton_rclone.process.system import is_alive\n"
        "os.kill = None\n"
        "print(is_alive(int(sys.argv[1])))"
    )
    done = simulated("win32", ask, str(os.getpid()), modules=["pluton_rclone.process.system"])

    assert (done.stdout, done.stderr) == ("True\n", "")


def test_a_child_runs_and_is_ended_on_windows() -> None:
    """`os.kill` with SIGTERM ends a process there; no other signal is sent."""
    end = (
        "from pluton_rclone.process import run, start\n"
        "done = run([sys.executable, '-c', 'print(1)'], env={})\n"
        "child = start([sys.executable, '-c', 'import time; time.sleep(600)'], env={})\n"
        "child.pause(); child.resume(); child.close()\n"
        "print(done.stdout.strip(), child.returncode)"
    )
    done = simulated("win32", end, modules=["pluton_rclone.process"])

    assert (done.stdout, done.stderr) == (f"b'1' {-signal.SIGTERM}\n", "")


def test_rclone_conf_is_put_in_place_there(tmp_path: Path) -> None:
    """Without an atomic exchange, owners, folder sync, pwrite and flock."""
    write = (
        "from pathlib import Path\n"
        "from pluton_rclone.conf import disk, journal\n"
        "path = Path(sys.argv[1]) / 'rclone.conf'\n"
        "for before, new in ((None, b'[a]\\n'), (b'[a]\\n', b'[b]\\n')):\n"
        "    put = disk.ConfigFile(path).put(new, instead_of=before)\n"
        "    assert put.came_out == before, put\n"
        "new, other = b'[long name]\\n', path.with_name('other')\n"
        "other.write_bytes(new)\n"
        "assert journal.write(path, other, new, b'[b]\\n') == b'[b]\\n'\n"
        "print(path.read_text(), sorted(os.listdir(path.parent)))"
    )
    done = simulated("win32", write, str(tmp_path), modules=["pluton_rclone.conf.disk"])

    assert (done.stdout, done.stderr) == ("[long name]\n ['rclone.conf']\n", "")


def test_a_drive_letter_is_a_local_path_on_windows_and_a_remote_elsewhere(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from pluton_rclone.cli.context import Context
    from pluton_rclone.cli.places import parse_place
    from pluton_rclone.conf.environment import default_path
    from pluton_rclone.rclone.locations import is_local, names_drive

    places = ["C:\\data", "d:/data", "C:"]
    assert not any(map(is_local, places))
    monkeypatch.setattr(sys, "platform", "win32")
    assert all(map(is_local, places))
    assert parse_place("C:\\data", Context.__new__(Context)).storage is None
    assert not names_drive("work:x")
    assert not is_local("work:x")
    assert default_path({"HOME": "/none", "APPDATA": "/roaming"}) == Path(
        "/roaming/rclone/rclone.conf"
    )


def test_where_there_are_no_unix_sockets_nobody_is_asked_for_figures() -> None:
    ask = (
        "from pathlib import Path\n"
        "from pluton_rclone.rclone import asked\n"
        "print(asked.address(Path('short')), asked.read(Path('short')))"
    )
    done = simulated("win32", ask, modules=["pluton_rclone.rclone.asked"])

    assert (done.stdout, done.stderr) == ("None None\n", "")
