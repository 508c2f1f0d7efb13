"""The README is true: its Python example runs as printed, its commands exist, its picture names
existing modules."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

from pluton_rclone.cli import run
from pluton_rclone.cli.app import COMMANDS
from pluton_rclone.emulator import PUBLIC_CLIENT_ID, Emulator
from tests.connected import connected

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def code(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def test_the_python_example_runs_as_printed(
    cloud: Emulator,
    browser: Callable[..., None],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    browser("anna@outlook.com")
    source = tmp_path / "data"
    source.mkdir()
    (source / "letter.txt").write_text("Dear reader")
    (example,) = code("python")
    assert PUBLIC_CLIENT_ID in example
    program = example.replace("/srv/data", str(source))
    exec(program.replace("/restore", str(tmp_path / "restore")), {})  # noqa: S102

    assert "1 files, 11 bytes" in capsys.readouterr().out
    assert (tmp_path / "restore" / "letter.txt").read_text() == "Dear reader"


def test_every_command_it_names_exists() -> None:
    text = "\n".join(code("console"))
    named = set(re.findall(r"pluton-rclone (\w+)", text))
    targets = set(re.findall(r"^\$ make (\w+)", text, re.MULTILINE))
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")

    assert named
    assert named <= set(COMMANDS)
    assert targets
    assert all(f"\n{target}:" in makefile for target in targets)


def test_every_module_in_its_picture_exists() -> None:
    picture = next(block for block in README.split("```")[1::2] if "process/" in block)
    names = re.findall(r"([a-z_]+(?:\.py|/))(?=[ \n])", picture)

    assert len(names) > 10
    for name in names:
        assert (ROOT / "pluton_rclone" / name).exists(), name


def test_the_commands_of_its_table_run(
    cloud: Emulator,
    browser: Callable[..., None],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    connected(cloud, name="work")
    browser("anna@outlook.com")
    cloud.files.drive_of("anna@outlook.com").write("laptop/data/letter.txt", b"Dear reader")
    with Path(os.environ["RCLONE_CONFIG"]).open("a") as config:  # stands in for S3
        config.write(f"\n[s3]\ntype = alias\nremote = {tmp_path / 's3'}\n")
    source = tmp_path / "data"
    source.mkdir()
    (source / "letter.txt").write_text("Dear reader")
    restic = tmp_path / "restic"
    restic.write_text("#!/bin/sh\necho created\n")
    restic.chmod(0o755)
    monkeypatch.setenv("PLUTON_RESTIC_BINARY", str(restic))
    lines = re.findall(r"^\| `pluton-rclone ([^`]+)` \|", README, re.MULTILINE)

    assert len(lines) > 8
    for line in lines:
        if line.startswith("mount "):  # it waits for its end and has its own tests
            continue
        words = [os.path.expanduser(word) for word in shlex.split(line)]  # as a shell would
        words = [word.replace("/srv/data", str(source)) for word in words]
        assert run(words) == 0, (line, capsys.readouterr().err)
