"""Attackers of a page that runs as a separate program, on loopback, and the cost for the
machine."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.cookiejar import CookieJar
from pathlib import Path
from urllib.parse import urlencode, urlsplit
from urllib.request import HTTPCookieProcessor, ProxyHandler, Request, build_opener

from pluton_rclone.emulator import PUBLIC_CLIENT_ID

PATIENCE = 120.0  # seconds until an expected event must have happened


def eventually(true: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end, what
        time.sleep(0.05)


def rclones(pid: int) -> int:
    """The number of a process's children that are rclones."""
    found = 0
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            with suppress(OSError):
                name, _, rest = (process / "stat").read_text().rpartition(")")
                found += name.endswith("(rclone") and rest.split()[1] == str(pid)
    return found


def rest(connection: socket.socket) -> bytes:
    """The bytes that still arrive until the page ends the connection."""
    found = b""
    with suppress(ConnectionError):
        while block := connection.recv(65536):
            found += block
    return found


class ServedPage:
    """The program `pluton-rclone web`, and a person with a session."""

    def __init__(self, *arguments: str, **variables: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "pluton_rclone", "web", "--no-browser", "--json", *arguments],
            env={**os.environ, "PLUTON_ONEDRIVE_CLIENT_ID": PUBLIC_CLIENT_ID, **variables},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        assert self.process.stdout is not None
        self._enter(self.process.pid, json.loads(self.process.stdout.readline())["address"])

    def _enter(self, pid: int, address: str) -> None:
        self.pid = pid
        parts = urlsplit(address)
        self.origin = f"{parts.scheme}://{parts.netloc}"
        assert parts.port is not None
        self.port = parts.port
        self.cookies = CookieJar()
        self._opener = build_opener(ProxyHandler({}), HTTPCookieProcessor(self.cookies))
        self.token = re.findall(r'name="anti_forgery" value="([^"]+)"', self.get(address))[0]

    def address(self) -> str:
        """A one-time address for another browser, requested in this one."""
        found = re.search(r"http://localhost:\d+/open/[\w-]+", self._sent("/addresses")[1])
        assert found is not None
        return found[0]

    @classmethod
    def opened(cls, pid: int, address: str) -> ServedPage:
        """The page of that process in another browser, here or in another process."""
        other = cls.__new__(cls)
        other._enter(pid, address)
        return other

    def another(self) -> ServedPage:
        """The same page in another browser."""
        return self.opened(self.pid, self.address())

    def get(self, path: str) -> str:
        with self._opener.open(
            self.origin + path.removeprefix(self.origin), timeout=PATIENCE
        ) as answer:
            return str(answer.read().decode())

    def post(self, path: str, /, **form: str) -> str:
        """The address that the form leads to."""
        return self._sent(path, **form)[0]

    def _sent(self, path: str, /, **form: str) -> tuple[str, str]:
        data = urlencode({"anti_forgery": self.token, **form}).encode()
        request = Request(self.origin + path, data, {"Origin": self.origin})
        with self._opener.open(request, timeout=PATIENCE) as answer:
            return str(answer.url).removeprefix(self.origin), str(answer.read().decode())

    def answers_in(self) -> float:
        """Seconds that another person's request takes."""
        begun = time.monotonic()
        assert "Add storage" in self.get("/add")
        return time.monotonic() - begun

    def connect(self, text: str = "", *, small: bool = False) -> socket.socket:
        """A connection of an attacker; in the text, "@" stands for the host line, and "$" for the
        host line and the person's cookie."""
        connection = socket.socket()
        if small:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.settimeout(PATIENCE)
        connection.connect(("127.0.0.1", self.port))
        cookie = "; ".join(f"{one.name}={one.value}" for one in self.cookies)
        host = f"Host: localhost:{self.port}\r\n"
        connection.sendall(text.replace("$", f"@Cookie: {cookie}\r\n").replace("@", host).encode())
        return connection

    @property
    def rclones(self) -> int:
        return rclones(self.pid)

    @property
    def memory(self) -> int:
        """MiB that the page's own process uses now."""
        found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{self.pid}/status").read_text())
        assert found is not None
        return int(found[1]) // 1024

    @property
    def files(self) -> int:
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def stop(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(PATIENCE)


@contextmanager
def attacked(*arguments: str, **variables: str) -> Iterator[ServedPage]:
    page = ServedPage(*arguments, **variables)
    try:
        yield page
    finally:
        if page.process.poll() is None:
            page.process.kill()
            page.process.wait(PATIENCE)
        assert page.process.stdout is not None
        page.process.stdout.close()
