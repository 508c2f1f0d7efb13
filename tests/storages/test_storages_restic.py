"""restic, as packaged by Debian, on the emulator's three kinds of drive, with faults in the middle
of a backup."""

from __future__ import annotations

import json
import os
import random
import shlex
import subprocess
import time
from pathlib import Path

import pytest

from pluton_rclone import Storage, process
from pluton_rclone.emulator import Emulator
from pluton_rclone.emulator.drives.drive import Drive
from pluton_rclone.errors import (
    AccessDenied,
    RcloneUsage,
    ResticNotFound,
    TransferFailed,
    UsageError,
    Who,
)
from pluton_rclone.process import Completed
from pluton_rclone.saved import lent
from pluton_rclone.setup.connect import DriveKind
from pluton_rclone.storages.restic import Restic, as_shell, find_restic
from tests.connected import ANNA, BERT, KINDS, connected, connected_as_app, emulated_drive
from tests.rclone.debian import Unavailable
from tests.restic_repository import write_repository
from tests.terminal import PATIENCE

from .debian_restic import debian_restic

PASSWORD = {"RESTIC_PASSWORD": "planted~restic~password"}


@pytest.fixture(scope="session")
def restic() -> Path:
    try:
        return debian_restic()
    except Unavailable as error:
        pytest.fail(str(error))


def make_files(folder: Path, count: int, seed: int = 6) -> None:
    """Make files of 1 B to 16 KiB in a few folders; the same for a seed."""
    source = random.Random(seed)
    for number in range(count):
        path = folder / f"folder {number % 23}" / f"file {number:05}.bin"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(source.randbytes(source.randint(1, 16_384)))


def content(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def good(done: Completed) -> str:
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


def there_and_back(
    storage: Storage, drive: Drive, binary: Path, source: Path, restored: Path
) -> None:
    """Back up, check --read-data, restore, compare."""
    write_repository(drive, "repository", PASSWORD["RESTIC_PASSWORD"])
    with storage.restic("repository", binary=binary, environment=PASSWORD) as restic:
        good(restic.run("--no-cache", "backup", "--quiet", str(source), timeout=1200))
        assert "no errors were found" in good(
            restic.run("--no-cache", "check", "--read-data", timeout=1200)
        )
        good(restic.run("--no-cache", "restore", "latest", "--target", str(restored), timeout=1200))
    assert content(restored / source.relative_to("/")) == content(source)


@pytest.mark.soak
@pytest.mark.parametrize("kind", KINDS)
def test_backup_of_two_thousand_files_with_throttling_in_the_middle(
    cloud: Emulator, restic: Path, tmp_path: Path, kind: DriveKind
) -> None:
    make_files(tmp_path / "source", 2000)
    rule = cloud.faults.throttle("1", times=3, where="createUploadSession", skip=2)
    drive = emulated_drive(cloud, kind)
    storage = connected(cloud, kind)
    there_and_back(storage, drive, restic, tmp_path / "source", tmp_path / "restored")
    assert rule.met == 3


def test_backup_check_and_restore_with_429_in_the_middle(
    cloud: Emulator, restic: Path, tmp_path: Path
) -> None:
    """On a library; on the other kinds of drive with other faults, below."""
    make_files(tmp_path / "source", 60)
    rule = cloud.faults.throttle("1", times=2, where="createUploadSession", skip=4)
    storage, drive = connected(cloud, "sharepoint"), emulated_drive(cloud, "sharepoint")
    there_and_back(storage, drive, restic, tmp_path / "source", tmp_path / "restored")
    assert rule.met == 2


TWO_THOUSAND = [pytest.param(kind, 2000, marks=pytest.mark.soak) for kind in KINDS]


@pytest.mark.parametrize(("kind", "files"), [("personal", 60), *TWO_THOUSAND])
def test_a_token_that_ends_in_the_middle_is_renewed_and_comes_home(
    cloud: Emulator, restic: Path, tmp_path: Path, kind: DriveKind, files: int
) -> None:
    make_files(tmp_path / "source", files)
    cloud.world.lifetimes.access_token = 11  # rclone treats it as expired ten seconds early
    # A used refresh token is revoked, so losing its replacement would show.
    cloud.world.lifetimes.rotated_refresh_token = 0
    cloud.faults.latency = 0.02
    storage = connected(cloud, kind, seconds=11)
    before, drive = storage.remote.token, emulated_drive(cloud, kind)
    there_and_back(storage, drive, restic, tmp_path / "source", tmp_path / "restored")
    assert storage.remote.token != before
    refreshes = [
        request
        for request in cloud.requests
        if request.path.endswith("/token") and request.status == 200
    ]
    assert len(refreshes) >= 2
    cloud.world.advance(20)
    assert storage.check_health().ok


def test_a_token_that_microsoft_refuses_in_the_middle_is_replaced_and_restic_goes_on(
    cloud: Emulator, restic: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lent, "ASKED_AGAIN", 12.0)  # rclone asks again after two
    make_files(tmp_path / "source", 60)
    cloud.faults.latency = 0.1
    storage, drive = connected(cloud, "business"), emulated_drive(cloud, "business")
    write_repository(drive, "restic", PASSWORD["RESTIC_PASSWORD"])
    with storage.restic(binary=restic, environment=PASSWORD) as opened:
        before = len(uploads(cloud))
        with opened.start("--no-cache", "backup", str(tmp_path / "source")) as child:
            while len(uploads(cloud)) == before and child.returncode is None:
                time.sleep(0.01)
            cloud.quirks.access_token_refused(BERT)
            assert child.wait(timeout=300) == 0, child.stderr_tail
    assert [request.status for request in cloud.requests if request.path.endswith("/token")] == [
        200
    ]


def uploads(cloud: Emulator) -> list[str]:
    return [each.path for each in cloud.requests if "createUploadSession" in each.path]


def test_nothing_secret_is_an_argument_and_what_is_needed_is_in_the_environment(
    cloud: Emulator, restic: Path
) -> None:
    storage = connected(cloud, "business", base_folder="laptop")
    with storage.restic(binary=restic, environment=PASSWORD) as opened:
        argv, environment = opened.argv("snapshots"), opened.environment
        config = Path(environment["RCLONE_CONFIG"])
        assert config.stat().st_mode & 0o077 == 0
        token = json.loads(storage.section_with_secrets()["token"])
        assert token["access_token"] in config.read_text()
        assert token["refresh_token"] not in config.read_text()
    assert not config.exists()
    secrets = (token["access_token"], *PASSWORD.values())
    assert not any(secret in word for word in argv for secret in secrets)
    assert environment["RESTIC_REPOSITORY"] == "rclone:business:restic"
    assert argv[0] == str(restic)
    with pytest.raises(UsageError, match="not open"):
        assert opened.environment


def test_a_repository_that_the_caller_has_elsewhere_is_not_meant(
    cloud: Emulator, restic: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").write_text("/nowhere")
    monkeypatch.setenv("RESTIC_REPOSITORY_FILE", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("RESTIC_REPOSITORY", "/nowhere")
    write_repository(emulated_drive(cloud, "personal"), "restic", PASSWORD["RESTIC_PASSWORD"])
    with connected(cloud).restic(binary=restic, environment=PASSWORD) as opened:
        listed = opened.run("snapshots", "--json")
    assert (listed.returncode, json.loads(listed.stdout)) == (0, []), listed.stderr


def test_people_get_an_environment_that_works_in_a_shell(cloud: Emulator, restic: Path) -> None:
    storage = connected(cloud, name="Anna's backups")
    text = as_shell(storage.restic().environment_for_people())
    argv = [
        "sh",
        "-c",
        f"{text}\n{shlex.quote(str(restic))} init && {shlex.quote(str(restic))} snapshots",
    ]
    done = subprocess.run(
        argv, env={**os.environ, **PASSWORD}, capture_output=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "token" not in text


def test_a_restic_that_is_not_there_says_how_to_get_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PLUTON_RESTIC_BINARY", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ResticNotFound, match="on PATH") as caught:
        find_restic()
    assert "PLUTON_RESTIC_BINARY" in caught.value.advice
    with pytest.raises(ResticNotFound, match=r"nowhere'\.$"):
        find_restic(tmp_path / "nowhere")
    monkeypatch.setenv("PLUTON_RESTIC_BINARY", "nowhere")
    with pytest.raises(ResticNotFound, match=r"'nowhere' \(from PLUTON_RESTIC_BINARY\)"):
        find_restic()


def test_a_restic_that_had_done_its_work_when_it_was_stopped_is_recorded_as_done(
    cloud: Emulator, tmp_path: Path
) -> None:
    script, storage = tmp_path / "restic", connected(cloud)
    script.touch(mode=0o755)
    with storage.restic(binary=script) as restic:
        for code, ended in ((0, "done"), (130, "cancelled")):
            busy = "echo\nwhile :; do sleep 0.01; done"
            script.write_text(f"#!/bin/sh\ntrap 'exit {code}' INT\n{busy}\n")
            with restic.start("snapshots") as child:
                assert next(child.stdout) == b""
                process.stop_all()
                assert child.wait(PATIENCE) == code
            assert storage.storages.runs.last()[0].ended == ended


def test_a_restic_in_the_foreground_is_ended_in_the_way_in_which_it_removes_its_lock(
    cloud: Emulator, tmp_path: Path
) -> None:
    script = tmp_path / "restic"
    script.write_text(
        "#!/bin/sh\ntrap 'exit 130' INT\nkill -TERM $PPID\nwhile :; do sleep 0.01; done\n"
    )
    script.chmod(0o755)
    with connected(cloud).restic(binary=script) as opened:
        assert opened.foreground("backup") == 130


@pytest.mark.parametrize(
    ("last", "recorded"),
    [
        ("exit 130", ("cancelled", 130)),
        ("kill -KILL $$", ("failed", 137)),
        ("exit 3", ("failed", 3)),
    ],
)
def test_a_restic_in_the_foreground_is_recorded_as_it_ended(
    cloud: Emulator, tmp_path: Path, last: str, recorded: tuple[str, int]
) -> None:
    script, storage = tmp_path / "restic", connected(cloud)
    script.write_text(f"#!/bin/sh\n{last}\n")
    script.chmod(0o755)
    with storage.restic(binary=script) as opened:
        opened.foreground("backup")
    (record,) = storage.storages.runs.last()
    assert (record.ended, record.exit_code) == recorded


NO_CERTIFICATES = {**PASSWORD, "RCLONE_CA_CERT": "/nowhere/ca.pem"}


def test_a_restic_whose_rclone_cannot_start_is_not_told_that_there_is_nothing(
    cloud: Emulator, restic: Path
) -> None:
    with connected(cloud).restic(binary=restic, environment=NO_CERTIFICATES) as opened:
        assert type(opened.fault(opened.run("snapshots").stderr)) is RcloneUsage


def test_what_rclone_said_is_found_where_restic_closed_its_ears_too_early(cloud: Emulator) -> None:
    """restic 0.14, in Debian 12, sometimes loses its rclone's last messages."""
    said = (
        b"Fatal: unable to open repository at rclone:personal:restic: error talking HTTP to rclone:"
        b" context canceled\n"
    )
    storage = connected(cloud)
    with storage.restic(environment=NO_CERTIFICATES) as opened:
        for before in (b"", b"rclone: 2026/11/30 00:00:00 NOTICE: a notice\n"):
            assert type(opened.fault(before + said)) is RcloneUsage
        assert "wrong password" in str(opened.fault(b"Fatal: wrong password or no key found\n"))
    with storage.restic() as opened:
        heard = opened.fault(said)
        assert (type(heard), heard.details["retry"]) == (TransferFailed, True)


def refused(words: str) -> bytes:
    return f"rclone: 2026/11/30 00:00:00 ERROR : listing failed: {words}\n".encode()


def test_what_restic_was_refused_is_told_to_whose_account_it_is(cloud: Emulator) -> None:
    with connected(cloud).restic() as opened:
        of_a_person = opened.fault(refused("accessDenied: Access denied"))
    with connected_as_app(cloud).restic() as opened:
        of_an_application = opened.fault(refused("accessDenied: The policy needs more claims"))

    assert (type(of_a_person), of_a_person.who) == (AccessDenied, Who.YOU)
    assert of_an_application.who is Who.ADMINISTRATOR
    assert of_an_application.next_step is None


def test_a_repository_is_opened_once(cloud: Emulator) -> None:
    with connected(cloud).restic() as opened:
        assert isinstance(opened, Restic)
        with pytest.raises(UsageError, match="open already"):
            opened.__enter__()


def test_a_token_that_is_refused_meanwhile_is_renewed_for_the_next_restic_which_says_its_name(
    cloud: Emulator, restic: Path
) -> None:
    with connected(cloud).restic(binary=restic, environment=PASSWORD) as opened:
        assert not opened.refused()
        cloud.quirks.access_token_refused(ANNA)
        assert opened.refused()
        config = Path(opened.environment["RCLONE_CONFIG"])
        good(opened.run("init", timeout=300))
    assert not config.parent.exists()
    agents = {request.user_agent for request in cloud.requests if request.method == "PUT"}
    assert all(agent.startswith("ISV|Pluton|pluton-rclone/") for agent in agents)
    assert agents
