"""mount and serve: rclone itself, with a lent configuration for as long as it runs."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from pluton_rclone.emulator import Emulator
from pluton_rclone.storages.storage import Storages
from tests.children import children_of
from tests.cli.conftest import Command
from tests.connected import emulated_drive
from tests.terminal import PATIENCE

PASSWORD = "W_uzGzhuyMOw7EwZhZC6Op9sMgTCBEgKQNU"  # "secret", as rclone obscures it


@contextmanager
def running(*arguments: str, **variables: str) -> Iterator[subprocess.Popen[str]]:
    """The running program, which is always gone at the end."""
    argv = [sys.executable, "-m", "pluton_rclone", *arguments]
    environment = {**os.environ, **variables}
    with subprocess.Popen(argv, stderr=subprocess.PIPE, text=True, env=environment) as program:
        try:
            yield program
        finally:
            program.kill()


def address(program: subprocess.Popen[str]) -> str:
    """The address at which it says it serves."""
    assert program.stderr is not None
    said = []
    for line in program.stderr:
        said.append(line)
        if found := re.search(r"http://127\.0\.0\.1:\d+/", line):
            return found[0]
    raise AssertionError("".join(said))


def until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)


def refresh_token(name: str) -> str:
    return str(json.loads(Storages().conf.section(name)["token"])["refresh_token"])


@pytest.fixture(autouse=True)
def data(connected: Command, cloud: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """A storage with a file and an expired access token, and a crypt over it."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    emulated_drive(cloud, "personal").write("data/letter.txt", b"Dear reader")
    conf = Storages().conf
    token = json.loads(conf.section("work-files")["token"])
    expired = json.dumps({**token, "expiry": "2020-01-01T00:00:00Z"})
    conf.update("work-files", {"token": expired})
    conf.add("safe", {"type": "crypt", "remote": "work-files:vault", "password": PASSWORD})


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_storage_is_served_and_its_renewed_token_is_home_before_the_end(
    number: signal.Signals, runtime: Path
) -> None:
    before = refresh_token("work-files")
    with running("serve", "http", "work-files:data", "--", "--addr=127.0.0.1:0") as program:
        assert requests.get(address(program) + "letter.txt").text == "Dear reader"
        until(lambda: refresh_token("work-files") != before)
        assert program.poll() is None
        program.send_signal(number)
        program.wait(PATIENCE)
    assert list(runtime.rglob("rclone.conf")) == []


def test_a_sign_in_that_was_revoked_is_told_with_the_way_out(cloud: Emulator) -> None:
    """Formerly, there were only rclone's own lines, which name no way out."""
    cloud.world.revoke_tokens(cloud.world.person("anna@outlook.com"))
    with running("serve", "http", "work-files:data", "--", "--addr=127.0.0.1:0") as program:
        assert program.stderr is not None
        said = program.stderr.read()
    assert said.count("Re-authorize the storage") == 1, said


def test_a_crypt_is_served_for_a_user_whose_password_comes_from_the_environment(
    cloud: Emulator,
) -> None:
    flags = ("--", "--addr=127.0.0.1:0")
    secret = {"RCLONE_USER": "me", "RCLONE_PASS": "s3cr3t"}
    with running("serve", "webdav", "safe:", *flags, **secret) as program:
        there = address(program) + "new.txt"
        assert requests.put(there, data=b"Dear crypt").status_code == 401
        assert requests.put(there, data=b"Dear crypt", auth=("me", "s3cr3t")).status_code == 201
        (rclone,) = children_of(program.pid)
        shown = Path(f"/proc/{rclone}/cmdline").read_bytes()
        assert b"webdav" in shown
        assert b"s3cr3t" not in shown
        program.send_signal(signal.SIGTERM)
        program.wait(PATIENCE)
    drive = emulated_drive(cloud, "personal")
    stored = [item for item in drive.walk(drive.folder("vault")) if not item.is_folder]
    assert len(stored) == 1
    assert stored[0].name != "new.txt"


def test_what_was_connected_for_reading_only_is_served_so(cloud: Emulator) -> None:
    Storages().conf.update("work-files", {"pluton_granted_scopes": "Files.Read"})
    with running("serve", "webdav", "work-files:data", "--", "--addr=127.0.0.1:0") as program:
        there = address(program)
        assert requests.get(there + "letter.txt").text == "Dear reader"
        assert requests.put(there + "new.txt", data=b"x").status_code >= 400
        program.send_signal(signal.SIGTERM)
        program.wait(PATIENCE)


def test_a_storage_is_mounted_until_it_is_told_to_end(cloud: Emulator, tmp_path: Path) -> None:
    """If the system does not allow mounts, rclone says so, and nothing is left behind."""
    folder, may = tmp_path / "mounted", os.access("/dev/fuse", os.R_OK | os.W_OK)
    folder.mkdir()
    before = refresh_token("work-files")
    with running("mount", "work-files:data", str(folder)) as program:
        until(lambda: program.poll() is not None or folder.is_mount())
        assert folder.is_mount() or not may
        if folder.is_mount():
            assert (folder / "letter.txt").read_text() == "Dear reader"
            (folder / "new.txt").write_text("Dear mount")
            program.send_signal(signal.SIGTERM)
        program.wait(PATIENCE)
    assert not folder.is_mount()
    assert refresh_token("work-files") != before
    if may:
        assert emulated_drive(cloud, "personal").read("data/new.txt") == b"Dear mount"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("mount", "work-files:", "/mnt", "--", "--daemon"), "outlive"),
        (("serve", "http", "work-files:", "--", "--pass=x"), "list of processes"),
        (("serve", "gopher", "work-files:"), "'gopher' is not one of"),
        (("serve", "http", "/srv"), "is not a place in a storage"),
        (("mount", "nobody:", "/mnt"), "no storage called 'nobody'"),
    ],
)
def test_what_could_not_work_is_refused(connected: Command, words: list[str], said: str) -> None:
    refused = connected(*words)
    assert (refused.code in (2, 5), said in refused.err) == (True, True), refused.err
