"""Every example in every `--help` runs as written, in a shell on a terminal; only the folders
differ."""

from __future__ import annotations

import os
import re
import shlex
import socket
import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import click
import pytest
from pydantic import SecretStr

from pluton_rclone.cli.app import COMMANDS, application
from pluton_rclone.emulator import PUBLIC_CLIENT_ID, WEB_CLIENT_ID, WEB_CLIENT_SECRET, Emulator
from pluton_rclone.emulator.command import browser
from pluton_rclone.rclone.binary import find_binary
from pluton_rclone.storages.storage import Storages
from tests.command_line import run_here
from tests.connected import ANNA, BERT, connected, remote_of
from tests.forked import Forks
from tests.terminal import Terminal

PYTHON = shlex.quote(sys.executable)
PROGRAM = f'exec {PYTHON} -m pluton_rclone "$@"'
STAND_INS = {
    "restic": "exit 0",
    "pass": "echo secret",
    "ssh": "exec cat rclone.conf",  # the output of `export` on the other machine
    "less": "exec cat",
    "jq": f"exec {PYTHON} -c 'import json, sys; json.load(sys.stdin)'",
}
ANSWERS = {
    "[y/N]: ": "y",
    "[Y/n]: ": "",
    "Storage name [OneDrive Backups]: ": "",
    "Drive type [1]: ": "",
    "Drive type [2]: ": "",
    "Return: done): ": "",
    "Client secret: ": WEB_CLIENT_SECRET,
}


def examples() -> list[str]:
    """The lines after \\b in each command's help."""
    found = []
    for name in COMMANDS:
        command = application.get_command(click.Context(application), name)
        assert command is not None
        _, _, block = (command.help or "").partition("\b\n")
        lines = re.sub(r"\\\n *", "", block).splitlines()
        found += [line.strip() for line in lines if "pluton-rclone" in line]
    return found


ON_A_SERVER = "PREFECT_API_URL="  # tests/flows runs such a server, in soak
EXAMPLES = [each for each in examples() if not each.startswith(ON_A_SERVER)]
PLAN = """
name = "nightly"
[[storages]]
names = ["work"]
[[steps]]
do = "upload"
local = "{data}"
folder = "{storage}/data"
"""
RCLONES = ("pluton-rclone mount", "pluton-rclone serve")
SERVING = (*RCLONES, "pluton-rclone web", "pluton-rclone demo --web")  # until Ctrl-C
AT_THE_TERMINAL = (*SERVING, "pluton-rclone emulator", "pluton-rclone demo")  # also as its shell
WORK = ("connect team --site", "connect work --type business", "client-secret-file")


@pytest.fixture
def shell(tmp_path: Path, cloud: Emulator, home: Path, forks: Forks, example: str) -> Path:
    """The programs in the examples, first on PATH, and the folders and files that they use."""
    programs = tmp_path / "bin"
    programs.mkdir()
    program = PROGRAM if example.startswith(AT_THE_TERMINAL) else forks.line
    for name, line in {**STAND_INS, "pluton-rclone": program}.items():
        (programs / name).write_text(f"#!/bin/sh\n{line}\n")
        (programs / name).chmod(0o755)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.txt").write_text("a")
    (tmp_path / "nightly.toml").write_text(PLAN.replace("{data}", str(tmp_path / "data")))
    (home / ".config" / "fish" / "completions").mkdir(parents=True)
    cloud.files.drive_of(ANNA).write("laptop/data/a.txt", b"a")
    for path in (
        "backup/notes.txt",
        "laptop/data/old/b.txt",
        "old-backups/c.txt",
        "TeamFolder/d.txt",
    ):
        cloud.files.drive_of(BERT).write(path, b"content")
    return programs


def free_port() -> int:
    """A port below those that Linux hands out (ip_local_port_range(7)), so that it stays free until
    it is used; different in each test process."""
    for port in range(10_000 + os.getpid() % 20_000, 32_768):
        with socket.socket() as asked, suppress(OSError):
            asked.bind(("127.0.0.1", port))
            return port
    raise AssertionError("no port is free")


def here(example: str, folder: Path) -> str:
    """The example with folders of this test and a real rclone instead of those that it names."""
    example = re.sub(r"^0 4 \* \* 0 +", "", example)  # a crontab's time
    example = re.sub("(history|again) 12", r"\1 1", example)
    rclone = shlex.quote(str(find_binary().path))
    for theirs, ours in (
        ("/srv/data", folder / "data"),
        ("/mnt/work", folder / "mounted"),
        ("localhost:8080", "localhost:0"),
        ("/restore", folder / "restored"),
        ("/var/lib/node_exporter", folder),
        ("/usr/bin/rclone", rclone),
        ("/opt/rclone-1.75/rclone", rclone),
        ("--port 8080", f"--port {free_port()}"),
    ):
        example = example.replace(theirs, str(ours))
    return example


@pytest.mark.parametrize("example", EXAMPLES)
def test_the_example_works(
    example: str, shell: Path, cloud: Emulator, tmp_path: Path, forks: Forks
) -> None:
    if "pluton-rclone import" in example:
        section = remote_of(cloud, "business").to_section()
        lines = ["[old]", *(f"{key} = {value}" for key, value in section.items())]
        (tmp_path / "rclone.conf").write_text("\n".join(lines))
    elif "pluton-rclone connect" not in example:
        scopes = ("Files.ReadWrite.All", "Sites.Read.All")
        secret = {"client_id": WEB_CLIENT_ID, "client_secret": SecretStr(WEB_CLIENT_SECRET)}
        own = secret if "secret" in example else {}
        web = cloud.world.registrations[WEB_CLIENT_ID]
        redirects = (*web.web_redirects, "http://localhost")
        cloud.world.registrations[WEB_CLIENT_ID] = replace(web, web_redirects=redirects)
        connected(cloud, "business", name="work", granted_scopes=scopes, **own)
        (tmp_path / "new.txt").write_text(WEB_CLIENT_SECRET)
        for name in ("OneDrive Personal Backups", "OneDrive", "old-work"):
            if name in example:
                connected(cloud, name=name)
        (tmp_path / "s3/bucket/data/old").mkdir(parents=True)
        (tmp_path / "s3/bucket/data/old/b.txt").write_text("content")
        Storages().conf.add("s3", {"type": "alias", "remote": str(tmp_path / "s3")})
        (tmp_path / "mounted").mkdir()
        if re.search("(history|again) 12", example):
            assert run_here("copy", tmp_path / "data", "work:copied").returncode == 0  # run 1
    serving = example.startswith(SERVING)
    environment = {
        **os.environ,
        **browser(BERT if any(word in example for word in WORK) else ANNA),
        "PATH": f"{shell}{os.pathsep}{os.environ['PATH']}",
        "PLUTON_ONEDRIVE_CLIENT_ID": PUBLIC_CLIENT_ID,
        "BROWSER": "true" if serving else forks.browser,
        "SHELL": "/bin/true",  # the demo starts it
        **({"PYTHON_KEYRING_BACKEND": "tests.keyrings.Kept"} if "--keyring" in example else {}),
    }
    script = f"set -o pipefail; {here(example, tmp_path)}"
    with Terminal(
        ["bash", "-c", script], env=environment, cwd=tmp_path, size=(50, 200)
    ) as terminal:
        if serving:
            terminal.expect("Press Ctrl-C to stop.")
            terminal.press_ctrl_c()
            code = terminal.end()
            assert code == 130 or example.startswith(RCLONES)  # these have rclone's own exit code
        else:
            if "--method device" in example:
                terminal.expect("and type the code ")
                terminal.expect("\n")
                code = re.findall(r"type the code (\S+)", terminal.heard)[0]
                assert cloud.person(ANNA).enter_device_code(code).error is None
            assert terminal.answer_all(ANSWERS) == 0, terminal.heard
    assert "Traceback" not in terminal.heard, terminal.heard


def test_every_command_has_an_example() -> None:
    without = [
        name
        for name in COMMANDS
        if not any(f"pluton-rclone {name}" in example for example in EXAMPLES)
    ]
    assert without == []
