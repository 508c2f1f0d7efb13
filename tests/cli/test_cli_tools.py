"""Tools around the main commands: restic, the page, --preflight, --verbose, hints for names,
completion."""

from __future__ import annotations

import json
import os
import shlex
import signal
import sys
from pathlib import Path

import pytest
import requests

from pluton_rclone import Storages
from pluton_rclone.emulator import Emulator
from tests.cli.conftest import Command
from tests.connected import emulated_drive
from tests.forked import Forks
from tests.terminal import PATIENCE, Terminal


@pytest.fixture
def restic(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A restic that prints its arguments, repository and configuration."""
    path = tmp_path / "restic"
    program = path.with_suffix(".py")
    program.write_text(
        "import json, os, sys\n"
        "print(json.dumps([sys.argv[1:], os.environ['RESTIC_REPOSITORY'], "
        "open(os.environ['RCLONE_CONFIG']).read()]))\n"
        "sys.exit(3)\n"
    )
    line = shlex.join(["exec", sys.executable, str(program)])
    path.write_text(f'#!/bin/sh\n{line} "$@"\n')
    path.chmod(0o755)
    monkeypatch.setenv("PLUTON_RESTIC_BINARY", str(path))


@pytest.mark.usefixtures("restic")
def test_restic_runs_in_a_private_configuration_and_its_exit_code_is_ours(
    connected: Command, home: Path
) -> None:
    ran = connected("restic", "Work files", "--path", "laptop", "--", "snapshots", "--json", "-v")
    argv, repository, configuration = ran.json

    assert ran.code == 3, ran.err
    assert argv[-3:] == ["snapshots", "--json", "-v"]
    assert repository == "rclone:work-files:laptop"
    assert "[work-files]" in configuration
    assert not any("refresh_token" in argument for argument in argv)


@pytest.mark.usefixtures("restic")
def test_a_token_that_is_refused_while_restic_runs_is_renewed_and_said(
    connected: Command, cloud: Emulator
) -> None:
    before = Storages()["Work files"].remote.token
    drive = emulated_drive(cloud, "personal")
    cloud.faults.refuse(401, where=f"/drives/{drive.id}?", skip=1, times=1)
    ran = connected("restic", "Work files", "--", "snapshots")
    assert (ran.code, "run the same command again" in ran.err) == (3, True)
    assert Storages()["Work files"].remote.token != before
    assert "again" not in connected("restic", "Work files", "--", "snapshots").err


def test_the_variables_for_restic_by_hand_hold_no_secret(connected: Command, home: Path) -> None:
    variables = connected("restic", "Work files", "--environment", "--json").json
    shell = connected("restic", "Work files", "--environment").out

    assert variables["RESTIC_REPOSITORY"] == "rclone:work-files:restic"
    assert variables["RCLONE_CONFIG"] == str(home / "rclone.conf")
    assert "export RESTIC_REPOSITORY=rclone:work-files:restic" in shell.splitlines()
    assert "refresh_token" not in shell
    assert connected("restic", "Work files").code == 2


def test_the_page_is_served_until_ctrl_c(connected: Command, forks: Forks) -> None:
    with forks.started("web", "--json", "--no-browser") as (child, said):
        address = json.loads(said.readline())["address"]
        page = requests.get(address, timeout=PATIENCE)
        again = requests.get(address, timeout=PATIENCE)
        child.send_signal(signal.SIGINT)
        assert child.wait(PATIENCE) == 130

    assert page.status_code == 200
    assert "Work files" in page.text
    assert again.status_code == 403  # it works only once


@pytest.fixture
def doubtful(tmp_path: Path) -> str:
    """A folder with a name that OneDrive refuses."""
    folder = tmp_path / "source"
    folder.mkdir()
    (folder / "CON").write_text("x")
    (folder / "fine.txt").write_text("x")
    return str(folder)


@pytest.mark.parametrize("word", [("copy",), ("sync", "--yes")])
def test_a_preflight_that_finds_something_stops_the_transfer(
    connected: Command, doubtful: str, word: tuple[str, ...]
) -> None:
    refused = connected(*word, "--preflight", doubtful, "Work files:x")
    there = connected("ls", "Work files:", "--json")
    anyway = connected(*word, "--preflight", "--anyway", doubtful, "Work files:x")

    assert refused.code == 4
    assert "CON" in refused.out
    assert there.out == ""
    assert "fine.txt" in connected("ls", "Work files:x").out
    assert "CON" in anyway.out


def test_a_clean_preflight_goes_on_to_the_transfer(connected: Command, tmp_path: Path) -> None:
    (tmp_path / "clean").mkdir()
    (tmp_path / "clean" / "fine.txt").write_text("x")
    ran = connected("copy", "--preflight", str(tmp_path / "clean"), "Work files:x", "--json")

    assert ran.code == 0
    assert ran.lines[0]["summary"]["clean"] is True
    assert ran.lines[-1]["result"]["transfers"] == 1


def test_a_preflight_leaves_out_what_the_transfer_leaves_out(
    connected: Command, doubtful: str
) -> None:
    ran = connected("copy", "--preflight", "--exclude", "/CON", doubtful, "Work files:x", "--json")

    assert (ran.code, ran.lines[0]["summary"]["by_rule"]) == (0, {})
    assert ran.lines[-1]["result"]["failed"] == []


def test_a_backup_that_is_repeated_needs_room_for_what_is_new_alone(
    connected: Command, cloud: Emulator, tmp_path: Path
) -> None:
    source = tmp_path / "backup"
    source.mkdir()
    (source / "old").write_bytes(b"x" * 600)
    quota = emulated_drive(cloud, "personal").quota
    quota.total = 1000
    command = ("copy", "--preflight", str(source), "Work files:x")
    assert connected(*command).code == 0
    assert connected(*command).code == 0
    (source / "new").write_bytes(b"y" * 400)
    quota.total = 999
    refused = connected(*command)
    assert (refused.code, "400 B to send, 399 B free" in refused.out) == (4, True)
    quota.total = 1000
    assert connected(*command).code == 0


def test_verbose_says_what_is_done_and_no_secret(
    connected: Command, cloud: Emulator, home: Path, forks: Forks
) -> None:
    done = forks.run("test", "Work files", "-v")
    said = done.stderr.decode()

    assert done.returncode == 0
    assert "process: started" in said
    token = json.loads(
        next(
            line
            for line in (home / "rclone.conf").read_text().splitlines()
            if line.startswith("token =")
        )[8:]
    )
    assert token["refresh_token"] not in said
    assert token["access_token"] not in said
    assert b"process: started" not in forks.run("about", "Work files").stderr


def test_verbose_is_for_one_command(connected: Command) -> None:
    assert "process: started" in connected("about", "Work files", "-v").err
    assert connected("about", "Work files").err == ""


@pytest.mark.parametrize(
    "arguments", [("ls", "Wrok files:x"), ("show", "work-file"), ("ls", "work-flies:")]
)
def test_a_storage_that_was_nearly_named_is_proposed(
    connected: Command, arguments: tuple[str, ...]
) -> None:
    ran = connected(*arguments)

    assert ran.code == 5
    assert "Did you mean 'Work files'?" in ran.err or "Did you mean 'work-files'?" in ran.err


def test_tab_completes_commands_and_storages(connected: Command, forks: Forks) -> None:
    def completed(*words: str) -> list[str]:
        line = " ".join(["pluton-rclone", *words])
        variables = {
            "_PLUTON_RCLONE_COMPLETE": "bash_complete",
            "COMP_LINE": line,
        }
        done = forks.run(env={**os.environ, **variables})
        return done.stdout.decode().split()

    assert completed("sto") == ["plain,storages"]
    assert completed("show", "wo") == ["plain,work-files"]
    assert "plain,--exclude" in completed("copy", "--ex")


@pytest.mark.parametrize("variable", ["1", ""])
def test_no_color_is_heeded(connected: Command, variable: str, forks: Forks) -> None:
    environment = {**os.environ, "NO_COLOR": variable, "TERM": "xterm"}
    with Terminal(["show", "nobody"], env=environment, forks=forks) as terminal:
        assert terminal.end() == 5
    assert ("\x1b[31m" in terminal.heard) is (variable == "")


def test_a_terminal_that_knows_no_colors_gets_none(connected: Command, forks: Forks) -> None:
    environment = {**os.environ, "TERM": "dumb"}  # such as a shell in Emacs
    with Terminal(["show", "nobody"], env=environment, forks=forks) as terminal:
        assert terminal.end() == 5
    assert "\x1b[" not in terminal.heard
