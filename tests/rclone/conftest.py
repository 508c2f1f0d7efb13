"""The rclones that the tests run, and the check after each test that no process is left."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pluton_rclone.emulator import Emulator
from pluton_rclone.rclone.binary import Binary, find_binary
from pluton_rclone.rclone.engine import Limits, Rclone
from tests.terminal import PATIENCE

from .debian import Unavailable, debian_rclone

FAKE = Path(__file__).with_name("fake_rclone.py")
MARK = "PLUTON_RCLONE_TEST"


def processes(mark: str) -> list[int]:
    """The ids of the processes started under `mark`, whatever their parent now; zombies, too."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and int(folder.name) != os.getpid():
            try:
                state, parent = (folder / "stat").read_text().rpartition(")")[2].split()[:2]
                # a zombie has none; what Linux answers varies
                environment = b"" if state == "Z" else (folder / "environ").read_bytes()
            except OSError:
                continue
            zombie_of_ours = state == "Z" and parent == str(os.getpid())
            if f"{MARK}={mark}".encode() in environment.split(b"\0") or zombie_of_ours:
                found.append(int(folder.name))
    return found


@pytest.fixture(autouse=True)
def mark(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A mark in the environment of every process that a test starts; none may be left after it."""
    mark = uuid.uuid4().hex
    monkeypatch.setenv(MARK, mark)
    yield mark
    deadline = time.monotonic() + PATIENCE
    while (left := processes(mark)) and time.monotonic() < deadline:
        # Python's webbrowser waits for no browser: one of an earlier test may be a zombie until
        # Python starts another process.
        subprocess._cleanup()  # type: ignore[attr-defined]
        time.sleep(0.02)
    assert left == []


@pytest.fixture(scope="session")
def binary() -> Binary:
    """The rclone of this environment."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("PLUTON_RCLONE_BINARY", raising=False)
        return find_binary()


@pytest.fixture(scope="session")
def old_binary() -> Binary:
    """Debian's."""
    try:
        return Binary(debian_rclone())
    except Unavailable as error:
        pytest.fail(str(error))


@pytest.fixture(scope="session")
def microsoft() -> Iterator[Emulator]:
    """The emulated Microsoft, for all tests of a worker."""
    with Emulator() as cloud:
        yield cloud
        assert cloud.crashes == []


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A configuration with one remote, `disk:`, which is the folder `disk` of this test."""
    (tmp_path / "disk").mkdir()
    path = tmp_path / "rclone.conf"
    path.write_text(f"[disk]\ntype = alias\nremote = {tmp_path / 'disk'}\n")
    return path


@pytest.fixture
def rclone(binary: Binary, config: Path) -> Rclone:
    return Rclone(binary, config=config)


@pytest.fixture(scope="session")
def fake_binary(tmp_path_factory: pytest.TempPathFactory) -> Binary:
    """fake_rclone.py, run by the tests' own Python: the first on PATH may be pyenv's shell script,
    which takes ten times as long to start."""
    program = tmp_path_factory.mktemp("fake") / "rclone"
    line = shlex.join(["exec", sys.executable, "-IS", str(FAKE)])
    program.write_text(f'#!/bin/sh\n{line} "$@"\n')
    program.chmod(0o755)
    return Binary(program)


@pytest.fixture
def fake(fake_binary: Binary) -> Callable[..., Rclone]:
    """An engine with a fake binary of the given behaviour: `fake("flood")`."""

    def make(what: str, limits: Limits = Limits(), **environment: str) -> Rclone:  # noqa: B008
        return Rclone(fake_binary, environment={"FAKE": what, **environment}, limits=limits)

    return make
