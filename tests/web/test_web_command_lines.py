"""While a browser is opened, other users of the machine read the arguments of every process."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from pluton_rclone.emulator import PUBLIC_CLIENT_ID, Emulator

PATIENCE = 120.0  # seconds for a program to end


@pytest.fixture
def program(home: Path, tmp_path: Path) -> Iterator[list[subprocess.Popen[bytes]]]:
    """The programs that this test started, which end with it."""
    started: list[subprocess.Popen[bytes]] = []
    yield started
    for one in started:
        one.kill()
        one.wait(PATIENCE)
        for pipe in (one.stdout, one.stderr):
            assert pipe is not None
            pipe.close()


def run(
    program: list[subprocess.Popen[bytes]], tmp_path: Path, *arguments: str
) -> tuple[subprocess.Popen[bytes], str]:
    """Run a command whose browser prints its arguments and stays; yields both."""
    told = tmp_path / "told"
    os.mkfifo(told)
    browser = tmp_path / "browser.sh"
    browser.write_text(f'#!/bin/sh\nprintf %s "$1" > {shlex.quote(str(told))}\nread forever\n')
    browser.chmod(0o700)
    one = subprocess.Popen(
        [sys.executable, "-m", "pluton_rclone", *arguments, "--json"],
        env={
            **os.environ,
            "BROWSER": f"{browser} %s &",
            "PLUTON_ONEDRIVE_CLIENT_ID": PUBLIC_CLIENT_ID,
        },
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    program.append(one)

    def ended() -> None:  # a command that ends before it opens a browser must not be waited for
        one.wait()
        with suppress(OSError):
            os.close(os.open(told, os.O_WRONLY | os.O_NONBLOCK))

    threading.Thread(target=ended, daemon=True).start()
    return one, told.read_text()


def command_lines() -> list[bytes]:
    """The command lines of all processes, as any user sees them."""
    found = []
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            try:
                found.append((process / "cmdline").read_bytes())
            except OSError:
                continue
    return found


def first_line(one: subprocess.Popen[bytes]) -> dict[str, str]:
    assert one.stdout is not None
    record: dict[str, str] = json.loads(one.stdout.readline())
    return record


def test_the_one_time_address_is_in_no_command_line(
    program: list[subprocess.Popen[bytes]], tmp_path: Path
) -> None:
    one, told = run(program, tmp_path, "web")
    secret = first_line(one)["address"].rpartition("/")[2].encode()
    assert len(secret) > 40
    lines = command_lines()
    assert any(told.encode() in line for line in lines) or told.startswith("file:")
    assert not [line for line in lines if secret in line]
    one.send_signal(signal.SIGTERM)
    one.wait(PATIENCE)
    assert not Path(told.removeprefix("file://")).exists()


@pytest.mark.parametrize("method", ["browser", "rclone"])
def test_the_sign_in_address_is_in_no_command_line(
    cloud: Emulator, program: list[subprocess.Popen[bytes]], tmp_path: Path, method: str
) -> None:
    from tests.rclone_port import rclone_port

    with rclone_port():
        one, told = run(program, tmp_path, "connect", "mine", "--method", method)
        state = first_line(one)["sign_in_address"].partition("state=")[2].partition("&")[0].encode()
        assert len(state) >= 16
        assert told.startswith("file:")
        assert not [line for line in command_lines() if state in line]
        one.send_signal(signal.SIGINT)
        one.wait(PATIENCE)
    assert not Path(told.removeprefix("file://")).exists()
