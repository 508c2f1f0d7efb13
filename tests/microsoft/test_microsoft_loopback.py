"""The servers on 127.0.0.1 from which our rclones get tokens: they end, whatever runs out."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading

import pytest

from pluton_rclone.microsoft.entra.loopback_server import LoopbackServer
from tests.terminal import PATIENCE


class Greeting(LoopbackServer):
    def serve(self, connection: socket.socket) -> None:
        connection.sendall(b"hello")


def greeted(server: LoopbackServer) -> bytes:
    with socket.create_connection(("127.0.0.1", server.port), PATIENCE) as connection:
        return connection.recv(5)


def test_it_ends_also_where_no_descriptor_is_left() -> None:
    code = """
import os, resource
from pluton_rclone.microsoft.entra.loopback_server import LoopbackServer
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
with LoopbackServer():
    try:
        while True:
            os.dup(1)
    except OSError:
        pass
print("ended")
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert done.stdout == "ended\n", done.stderr


def test_it_goes_on_where_a_thread_could_not_be_started(monkeypatch: pytest.MonkeyPatch) -> None:
    start, refused = threading.Thread.start, list[str]()

    def no_more(thread: threading.Thread) -> None:
        if not refused and thread.name.endswith("(_served)"):
            refused.append(thread.name)
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", no_more)
    with Greeting() as server:
        assert greeted(server) == b""
        assert greeted(server) == b"hello"
    assert len(refused) == 1
