"""The command line under test: commands run in this process, against the emulated Microsoft."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pluton_rclone.cli import progress, run
from pluton_rclone.emulator import PUBLIC_CLIENT_ID, Emulator
from pluton_rclone.emulator.command import browser as played
from tests.connected import connected as save_storage
from tests.forked import Forks
from tests.terminal import PATIENCE, Terminal


@dataclass
class Ran:
    """The result of one command."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def lines(self) -> list[Any]:
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def error(self) -> Any:
        return json.loads(self.err.splitlines()[-1])


Command = Callable[..., Ran]
AtTerminal = Callable[..., Terminal]


@pytest.fixture
def command(
    cloud: Emulator,
    browser: Callable[..., None],
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Command:
    """`command("ls", "work:")` runs `pluton-rclone ls work:`; Anna answers in the browser."""
    monkeypatch.setenv("PLUTON_ONEDRIVE_CLIENT_ID", PUBLIC_CLIENT_ID)
    monkeypatch.setattr(progress, "PLAIN_SECONDS", PATIENCE)  # a slow machine prints more
    browser("anna@outlook.com")

    def ran(*arguments: str) -> Ran:
        capfd.readouterr()
        code = run(arguments)
        captured = capfd.readouterr()
        return Ran(code, captured.out, captured.err)

    return ran


@pytest.fixture
def connected(command: Command, cloud: Emulator) -> Command:
    """Like `command`, with Anna's OneDrive saved as the storage "Work files", the remote
    work-files."""
    save_storage(cloud, name="Work files")
    return command


@pytest.fixture
def programs(tmp_path: Path, forks: Forks) -> str:
    """A PATH that has our program first."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "pluton-rclone").write_text(f"#!/bin/sh\n{forks.line}\n")
    (folder / "pluton-rclone").chmod(0o755)
    return f"{folder}{os.pathsep}{os.environ['PATH']}"


@pytest.fixture
def at_terminal(cloud: Emulator, forks: Forks) -> AtTerminal:
    """`with at_terminal("connect", person="anna@outlook.com") as terminal:` runs the program on its
    own terminal.

    $BROWSER answers as the person; None: no one answers in the browser.
    """

    def start(
        *arguments: str, person: str | None = "anna@outlook.com", browser: str = "true"
    ) -> Terminal:
        if person is not None:
            browser = forks.browser
        answers = {**played(person or ""), "BROWSER": browser}
        environment = {
            **os.environ,
            **answers,
            "PLUTON_ONEDRIVE_CLIENT_ID": PUBLIC_CLIENT_ID,
            "TERM": "xterm",
        }
        return Terminal(arguments, env=environment, forks=forks)

    return start
