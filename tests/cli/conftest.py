"""The command line under test: commands run in this process, against the emulated Microsoft."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from pluton_rclone.cli import run
from pluton_rclone.emulator import PUBLIC_CLIENT_ID, Emulator


@dataclass
class Ran:
    """What one command did."""

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


@pytest.fixture
def command(
    cloud: Emulator,
    browser: Callable[..., None],
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Command:
    """`command("ls", "work:")` runs it; Anna sits at the browser."""
    monkeypatch.setenv("PLUTON_ONEDRIVE_CLIENT_ID", PUBLIC_CLIENT_ID)
    browser("anna@outlook.com")

    def ran(*arguments: str) -> Ran:
        capfd.readouterr()
        code = run(arguments)
        captured = capfd.readouterr()
        return Ran(code, captured.out, captured.err)

    return ran


@pytest.fixture
def connected(command: Command) -> Command:
    """As `command`, with the storage "Work files" saved as the remote work-files."""
    assert command("connect", "Work files", "--type", "personal").code == 0
    return command
