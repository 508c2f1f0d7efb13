"""Commands without the start of a Python each: a process that has everything imported forks one per
command.

A shell's `pluton-rclone` is then a small program that hands over its arguments, folder, environment
and streams, and ends with the command's exit code. Not for a command that is to hear the terminal's
Ctrl-C: it is no child of that shell.
"""

from __future__ import annotations

import importlib
import json
import os
import pkgutil
import select
import shlex
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

ROOT = Path(__file__).parents[2]

_HAND_OVER = """\
import json, os, socket, sys
there = socket.socket(socket.AF_UNIX)
there.connect(sys.argv[1])
order = json.dumps([sys.argv[2:], os.getcwd(), dict(os.environ)]).encode()
socket.send_fds(there, [len(order).to_bytes(4, "big")], [0, 1, 2])
there.sendall(order)
sys.exit(int(there.recv(8) or b"1"))
"""


@contextmanager
def forking(folder: Path) -> Iterator[str]:
    """What a shell script runs `pluton-rclone "$@"` with; `folder` is for a socket."""
    path = folder / "forks"
    argv = [sys.executable, "-m", "tests.cli.forked", str(path)]
    with subprocess.Popen(
        argv, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
    ) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        assert server.stdout.readline() == b"ready\n"
        try:
            yield shlex.join(["exec", sys.executable, "-IS", "-c", _HAND_OVER, str(path)]) + ' "$@"'
        finally:
            server.stdin.close()


def _serve(path: str) -> None:
    from pluton_rclone import cli

    for module in pkgutil.iter_modules(cli.__path__, "pluton_rclone.cli."):
        importlib.import_module(module.name)
    for name in (
        "msal",
        "requests",
        "rich.console",
        "rich.progress",
        "pluton_rclone.setup.connect",
    ):
        importlib.import_module(name)
    here = socket.socket(socket.AF_UNIX)
    here.bind(path)
    here.listen(64)
    print("ready", flush=True)
    # until whoever wants us closes our stdin
    while here in select.select([here, sys.stdin], [], [])[0]:
        there, _ = here.accept()
        if os.fork() == 0:
            here.close()
            return _keep(there)
        there.close()
        with suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
    with suppress(ChildProcessError):
        while True:
            os.wait()


def _keep(there: socket.socket) -> None:
    """Runs one command in a further fork, and tells its exit code. Returns in that fork alone."""
    from pluton_rclone.cli import main

    head, streams, _, _ = socket.recv_fds(there, 4, 3)
    order = b""
    while len(order) < int.from_bytes(head, "big"):
        order += there.recv(1 << 16)
    arguments, folder, environment = json.loads(order)
    command = os.fork()
    if command:
        _, status = os.waitpid(command, 0)
        there.sendall(str(os.waitstatus_to_exitcode(status)).encode())
        os._exit(0)
    there.close()
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.stdin, sys.stdout = open(0), open(1, "w")  # noqa: SIM115
    sys.stderr = open(2, "w", buffering=1)  # noqa: SIM115
    main(arguments)


if __name__ == "__main__":
    _serve(sys.argv[1])
