"""Ctrl-C during a command: it ends at once, nothing is half saved, no rclone is left behind.

From the request on in which a command is stopped, Microsoft answers nothing: a command that waited
for an answer would never end.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from pluton_rclone.emulator import Emulator
from tests.cli.conftest import AtTerminal, Command
from tests.forked import Forks
from tests.terminal import PATIENCE, Terminal

ANNA = "anna@outlook.com"
ENDLESS = 3600.0


@dataclass
class Frozen:
    """A Microsoft that stops answering with the first request that matches `where` ("METHOD
    host/path")."""

    cloud: Emulator
    where: str = ""
    reached: threading.Event = field(default_factory=threading.Event)

    def at(self, where: str) -> None:
        self.where = where

    def hear(self, method: str, address: str) -> None:
        if self.where and re.search(self.where, f"{method} {address}"):
            self.cloud.faults.latency = ENDLESS
            self.reached.set()

    def wait(self) -> None:
        assert self.reached.wait(PATIENCE), f"nobody asked for {self.where}"


@pytest.fixture
def frozen(cloud: Emulator, monkeypatch: pytest.MonkeyPatch) -> Frozen:
    trap, check = Frozen(cloud), cloud.faults.check

    def heard(method: str, address: str, *rest: str | None) -> None:
        trap.hear(method, address)
        check(method, address, *rest)

    monkeypatch.setattr(cloud.faults, "check", heard)
    return trap


@pytest.fixture
def source(tmp_path: Path, cloud: Emulator) -> Path:
    """Ten local files, and the same ten in the folder `backup` of Anna's drive."""
    folder = tmp_path / "source"
    folder.mkdir()
    for number in range(10):
        (folder / f"{number}.txt").write_bytes(bytes([number]) * 5000)
        cloud.files.drive_of(ANNA).write(f"backup/{number}.txt", bytes([number]) * 5000)
    return folder


def children_left(cloud: Emulator) -> list[bytes]:
    """The processes of this test that still run after a grace period."""
    end = time.monotonic() + PATIENCE
    while (left := processes_in(cloud)) and time.monotonic() < end:
        time.sleep(0.02)
    return left


def processes_in(cloud: Emulator) -> list[bytes]:
    mark, found = f"HTTPS_PROXY={cloud.proxy_url}\0".encode(), []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                if mark in (entry / "environ").read_bytes() + b"\0":
                    found.append((entry / "cmdline").read_bytes())
            except OSError:  # it has ended, or belongs to another user
                continue
    return [command for command in found if command]


def saved(command: Command) -> dict[str, Any]:
    """The content of rclone.conf without the token, which may have been renewed."""
    options: dict[str, Any] = command("show", "Work files", "--json").json["options"]
    options.pop("pluton_sign_in", None)
    return {"names": [each["name"] for each in command("storages", "--json").json], **options}


def ends_cleanly(terminal: Terminal, cloud: Emulator, stop: Callable[[Terminal], None]) -> None:
    stop(terminal)
    assert terminal.end() == 130, terminal.heard
    assert terminal.heard.splitlines()[-1] == "Stopped."
    assert "Traceback" not in terminal.heard
    assert children_left(cloud) == []


# command: its arguments, and the request in which it is stopped
WORK = {
    "copy": (("copy", "{source}", "Work files:new"), "PUT|createUploadSession"),
    "copy, restoring": (("copy", "Work files:backup", "{source}/new"), "GET .*content"),
    "sync": (("sync", "--yes", "{source}", "Work files:new"), "PUT|createUploadSession"),
    "move": (("move", "--yes", "Work files:backup", "Work files:new"), "PATCH|POST"),
    "delete": (("delete", "--yes", "Work files:backup"), "DELETE"),
    "check": (("check", "{source}", "Work files:backup"), "children|delta"),
    "ls": (("ls", "-R", "Work files:"), "children|delta"),
    "tree": (("tree", "Work files:"), "children|delta"),
    "cat": (("cat", "Work files:backup/1.txt"), "GET .*content"),
    "about": (("about", "Work files"), "drives/"),
    "preflight": (("preflight", "Work files:backup", "Work files:x"), "children|delta"),
    "drives": (("drives", "Work files"), "drive"),
    "test": (("test", "Work files"), "PUT"),
    "set": (("set", "Work files", "chunk_size=5Mi"), "PUT"),
    "health": (("health",), "children|delta"),
    "connect, testing": (("connect", "Other", "--type", "personal"), "PUT"),
}


# Ctrl-C signals all processes in the terminal's foreground, an interrupt only us. Every command
# starts rclone alike, so one of each kind gets both: transfer, listing, account, connect.
KEY, SIGNAL = Terminal.press_ctrl_c, Terminal.interrupt
WAYS = [(name, KEY) for name in WORK] + [
    (name, SIGNAL) for name in ("copy", "ls", "drives", "connect, testing")
]


@pytest.mark.parametrize(
    ("name", "stop"),
    WAYS,
    ids=[f"{name}-{'key' if stop is KEY else 'signal'}" for name, stop in WAYS],
)
def test_a_command_at_work_ends_at_once(
    at_terminal: AtTerminal,
    connected: Command,
    cloud: Emulator,
    frozen: Frozen,
    source: Path,
    home: Path,
    name: str,
    stop: Callable[[Terminal], None],
) -> None:
    arguments, request = WORK[name]
    before = saved(connected)
    frozen.at(request)
    with at_terminal(*(argument.format(source=source) for argument in arguments)) as terminal:
        if name.startswith("connect"):
            terminal.expect("Is that the right account?")
            terminal.answer("y")
        frozen.wait()
        ends_cleanly(terminal, cloud, stop)
    assert saved(connected) == before
    records = "rclone.conf.runs.sqlite"  # of transfers only, and without SQLite's own files
    names = {path.name for path in home.glob("*.conf*")} - {records}
    turns = {name for name in names if re.fullmatch(r"\.rclone\.conf\.pluton-\w+-\w\.lock", name)}
    assert names - turns == {"rclone.conf", ".rclone.conf.pluton.lock"}  # locks of renewals


@pytest.mark.parametrize("stop", [Terminal.press_ctrl_c, Terminal.interrupt], ids=["key", "signal"])
@pytest.mark.parametrize(
    ("arguments", "waits"),
    [
        (("connect", "Other"), "open this address"),
        (("connect", "Other", "--method", "device"), "and type the code"),
        (("connect", "Other", "--method", "token"), "then press Ctrl-D"),
        (("reauthorize", "Work files"), "open this address"),
        (("reauthorize", "Work files", "--method", "device"), "and type the code"),
    ],
    ids=["browser", "device", "token", "reauthorize, browser", "reauthorize, device"],
)
def test_waiting_for_a_person_who_does_not_come_is_ended_at_once(
    at_terminal: AtTerminal,
    connected: Command,
    cloud: Emulator,
    arguments: tuple[str, ...],
    waits: str,
    stop: Callable[[Terminal], None],
) -> None:
    before = saved(connected)
    with at_terminal(*arguments, person=None) as terminal:
        terminal.expect(waits)
        ends_cleanly(terminal, cloud, stop)
    assert saved(connected) == before


def test_a_stopped_command_says_so_in_json(
    connected: Command, cloud: Emulator, frozen: Frozen, source: Path, forks: Forks
) -> None:
    frozen.at("PUT|createUploadSession")
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        streams = (out.fileno(), out.fileno(), err.fileno())
        child = forks.start(["copy", "--json", source, "Work files:new"], streams)
        frozen.wait()
        child.send_signal(signal.SIGINT)
        assert child.wait(PATIENCE) == 130
        err.seek(0)
        (record,) = err.readlines()
    assert json.loads(record)["error"] == "cancelled"
    assert children_left(cloud) == []


AMID_AN_IMPORT = """
import pluton_rclone.cli as cli

def run(arguments):
    exec("raise KeyboardInterrupt")  # every dataclass that is imported goes through exec()

cli.run = run
cli.main([])
"""


def test_a_ctrl_c_that_meets_an_import_ends_with_130_and_not_by_the_signal(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(AMID_AN_IMPORT)
    assert subprocess.run([sys.executable, str(program)], check=False).returncode == 130
