"""What the real rclone reads from an rclone.conf: one daemon for many files, or a run for one."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from pluton_rclone import process
from tests.terminal import PATIENCE

RCLONE = Path(sys.executable).with_name("rclone")
# The content that stays in place after a file that rclone cannot read.
_SENTINEL = {"sentinel": {"type": "memory"}}


def run(
    config: Path,
    *arguments: str,
    environment: Mapping[str, str] | None = None,
    binary: Path = RCLONE,
) -> subprocess.CompletedProcess[bytes]:
    """One run without this machine's configuration, except the password of rclone.conf."""
    kept = {name: os.environ[name] for name in ("PATH", "RCLONE_CONFIG_PASS") if name in os.environ}
    return subprocess.run(
        [binary, "--config", config, "--ask-password=false", *arguments],
        env={**kept, "HOME": "/nonexistent", **(environment or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=120,
        check=False,
    )


def dump(
    config: Path, *, environment: Mapping[str, str] | None = None, binary: Path = RCLONE
) -> dict[str, dict[str, str]]:
    """The sections that `rclone config dump` prints."""
    done = run(config, "config", "dump", environment=environment, binary=binary)
    assert done.returncode == 0, done.stderr.decode()
    found: dict[str, dict[str, str]] = json.loads(done.stdout)
    return found


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=PATIENCE)
        self._path = str(path)

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(PATIENCE)
        self.sock.connect(self._path)


class Daemon:
    """`rclone rcd` on a private socket: `dump` and `save` take milliseconds: no rclone starts."""

    def __init__(self, password: str | None = None) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="rc-"))
        self._socket = self.folder / "rc"
        sentinel = self.folder / "sentinel.conf"
        # rclone compares only size and time: no example may have this size
        sentinel.write_text("#" * 100_003 + "\n[sentinel]\ntype = memory\n")
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.folder)}
        if password is not None:
            environment["RCLONE_CONFIG_PASS"] = password
        self._child = process.start(
            [
                str(RCLONE),
                *("rcd", "--rc-addr", f"unix://{self._socket}", "--rc-no-auth"),
                *("--config", str(sentinel), "--ask-password=false"),
            ],
            env=environment,
            on_stdout=lambda _: None,
        )
        deadline = time.monotonic() + PATIENCE
        while not self._listens():
            assert time.monotonic() < deadline, self._child.stderr_tail
            time.sleep(0.01)
        self._sentinel = sentinel

    def _listens(self) -> bool:
        """Whether the daemon accepts connections; the socket exists before that."""
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as one:
                one.connect(str(self._socket))
        except OSError:
            return False
        return True

    def __enter__(self) -> Daemon:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._child.close()
        shutil.rmtree(self.folder)

    def _call(self, method: str, **arguments: Any) -> dict[str, Any]:
        connection = _UnixConnection(self._socket)
        try:
            connection.request(
                "POST", f"/{method}", json.dumps(arguments), {"Content-Type": "application/json"}
            )
            answer = connection.getresponse()
            found: dict[str, Any] = json.loads(answer.read())
            assert answer.status == 200, found
            return found
        finally:
            connection.close()

    def dump(self, config: Path) -> dict[str, dict[str, str]] | None:
        """The sections that rclone reads from the file; None if it refuses the file."""
        self._call("config/setpath", path=str(self._sentinel))
        assert self._call("config/dump") == _SENTINEL
        self._call("config/setpath", path=str(config))
        found = self._call("config/dump")
        return None if found == _SENTINEL else found

    def save(self, config: Path, name: str, key: str, value: str) -> None:
        """Let rclone change one key, for which it rewrites the whole file."""
        self._call("config/setpath", path=str(config))
        self._call(
            "config/update",
            name=name,
            parameters={key: value},
            opt={"nonInteractive": True, "noObscure": True, "noOutput": True},
        )
