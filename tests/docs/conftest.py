"""Screens for the pages: the output of the command line, with fixed values for everything that
differs between runs."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pluton_rclone.cli import progress, run
from pluton_rclone.emulator import PUBLIC_CLIENT_ID, Emulator
from tests.terminal import PATIENCE

Screen = Callable[..., str]

# Each part that differs between two runs, and its replacement in the page.
VARIABLE = (
    (r"(https://\S+/oauth2/v2\.0/authorize)\?\S+", r"\1?…"),
    (r"\(\d+\.\d s\)", "(0.1 s)"),
    (r"\d+\.\d+\.\d+ \(/[^()\n]*/rclone\)", "1.75.2 (/usr/local/bin/rclone)"),
    (r"\.pluton-connection-test-\S+\.tmp", ".pluton-connection-test-….tmp"),
    (r"\d{4}-\d\d-\d\d \d\d:\d\d UTC", "2026-12-01 12:00 UTC"),
    (r"(it expires on|Timestamp:) \d{4}-\d\d-\d\d\S*", r"\1 2027-03-01"),
    (r"\d{4}-\d\d-\d\dT[\d:.]+\d(Z|\+00:00)?", "2026-12-01T12:00:00Z"),
    (
        r"(correlation_id|request_id|Correlation ID:|Trace ID:) [0-9a-f-]{36}",
        r"\1 01234567-89ab-cdef-0123-456789abcdef",
    ),
    (r"type the code \w+", "type the code A1B2C3D4E"),
    (r"in \d+\.\d s$", "in 1.0 s"),
)


def normal(text: str, home: Path) -> str:
    """The text as the page shows it."""
    text = text.replace(str(home / "rclone.conf"), "/home/anna/.config/rclone/rclone.conf")
    for pattern, shown in VARIABLE:
        text = re.sub(pattern, shown, text, flags=re.MULTILINE)
    return text


@pytest.fixture
def screen(
    cloud: Emulator, home: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Screen:
    """`screen("pluton-rclone ls Work:", "ls", "Work:")`: the command line as shown, and its
    output."""
    monkeypatch.setenv("PLUTON_ONEDRIVE_CLIENT_ID", PUBLIC_CLIENT_ID)
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setattr(progress, "PLAIN_SECONDS", PATIENCE)  # none of these transfers is long

    def shown(line: str, *arguments: str) -> str:
        capfd.readouterr()
        monkeypatch.setattr(sys, "stderr", sys.stdout)  # as on a terminal: in order
        run(arguments)
        return normal(f"$ {line}\n{capfd.readouterr().out}", home)

    return shown
