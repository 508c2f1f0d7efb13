"""Transfers of a storage on OneDrive: throttling as an event, verified restores, names that differ
only in case."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from pluton_rclone.emulator import Emulator
from pluton_rclone.emulator.drives.content import Damaged
from pluton_rclone.errors import AccessDenied, Corrupted, NameRefused, TransferFailed
from pluton_rclone.rclone.events import Throttled
from pluton_rclone.setup.connect import DriveKind
from tests.conf.mounts import inside_mount
from tests.connected import KINDS, connected, emulated_drive


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    (folder / "deep" / "er").mkdir(parents=True)
    (folder / "letter.txt").write_bytes(b"letter")
    (folder / "deep" / "er" / "photo.jpg").write_bytes(bytes(range(256)) * 64)
    return folder


def test_a_wait_that_microsoft_asks_for_is_an_event_with_its_seconds(
    cloud: Emulator, source: Path
) -> None:
    cloud.faults.throttle("1", where="createUploadSession")
    storage = connected(cloud, "business")
    transfer = storage.upload(source, "x")
    waits = [event.seconds for event in transfer.events() if isinstance(event, Throttled)]
    assert transfer.result().transfers == 2
    assert 1.0 in waits  # rclone reports it more than once
    assert storage.rclone.throttled == 1


def test_a_wait_while_a_move_is_looked_at_first_says_nothing_of_its_files(
    cloud: Emulator, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The look runs at DEBUG, while the move itself was told to log less: formerly, files that its
    log did not name counted as missing."""
    monkeypatch.setattr("pluton_rclone.values.units.WORTH_TELLING", 0.5)
    storage = connected(cloud, "business")
    storage.upload(source, "x").result()
    cloud.faults.throttle("1")
    moved = storage.rclone.move(
        storage.at("x"), str(tmp_path / "back"), files_from=["letter.txt"], log_level="NOTICE"
    )
    assert any(isinstance(event, Throttled) for event in moved.events())
    assert moved.wait().failed == ()
    assert (tmp_path / "back/letter.txt").read_bytes() == b"letter"


@pytest.mark.parametrize(
    ("status", "asked"), [(500, False), (503, True), (None, False)], ids=["500", "503", "reset"]
)
def test_who_does_not_answer_does_not_ask_to_wait(
    cloud: Emulator, source: Path, status: int | None, asked: bool
) -> None:
    """Nor do the names in rclone's log."""
    storage = connected(cloud)
    storage.upload(source, "too many requests/throttled").result()
    quirks = cloud.quirks
    trouble = (
        quirks.bare_answer(status, "empty", times=1, skip=2)
        if status
        else quirks.connection_reset(at="graph", times=3, skip=2)
    )
    with trouble:
        transfer = storage.upload(source, "too many requests/throttled", log_level="DEBUG")
        heard = list(transfer.events())
    assert any("low level retry" in event.text for event in heard)
    assert any(isinstance(event, Throttled) for event in heard) is asked
    assert storage.rclone.throttled == 0


@pytest.mark.parametrize("kind", KINDS)
def test_a_restore_is_verified_by_hash_and_a_damaged_file_is_told(
    cloud: Emulator, source: Path, tmp_path: Path, kind: DriveKind
) -> None:
    storage = connected(cloud, kind)
    storage.upload(source, "x").result()
    storage.download("x", tmp_path / "good").result()
    assert (tmp_path / "good/deep/er/photo.jpg").read_bytes() == bytes(range(256)) * 64

    item = emulated_drive(cloud, kind).find("x/letter.txt")
    assert item is not None
    item.content = Damaged(item.content)  # type: ignore[arg-type]
    with pytest.raises((Corrupted, TransferFailed)) as caught:
        storage.download("x", tmp_path / "bad").result()
    assert [file.path for file in caught.value.result.failed] == ["letter.txt"]
    assert not (tmp_path / "bad/letter.txt").exists()


def test_of_names_that_differ_by_case_one_is_left_out_and_told(
    cloud: Emulator, tmp_path: Path
) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "Read.txt").write_bytes(b"one")
    (source / "read.txt").write_bytes(b"two!")
    storage = connected(cloud, "business")
    with pytest.raises(TransferFailed, match="1 file was not transferred") as caught:
        storage.upload(source, "x").result()
    (left_out,) = caught.value.result.failed
    (kept,) = storage.list("x")
    assert {left_out.path, kept.name} <= {"Read.txt", "read.txt"}
    assert isinstance(left_out.error, NameRefused)
    assert storage.rclone.cat(storage.at(f"x/{kept.name}")) == (source / kept.name).read_bytes()


def test_a_config_that_cannot_be_written_is_told_before_and_after(
    cloud: Emulator, source: Path, home: Path
) -> None:
    """A renewed token could not be saved, but the transfer itself continues. A run of less than
    half a second does not report this."""
    connected(cloud, "business", name="work")
    cloud.faults.latency = 0.5
    rclone_conf = home / "rclone.conf"
    argv = [sys.executable, "-m", "pluton_rclone", "copy", "--json", str(source), "work:x"]
    done = subprocess.run(
        inside_mount(rclone_conf, rclone_conf, argv, options="ro"),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (notice,) = json.loads(done.stdout.splitlines()[-1])["result"]["notices"]
    assert "cannot be written" in notice
    assert "lost when this machine restarts" in notice
    assert "cannot be written" in done.stderr


def test_the_personal_vault_is_named_and_everything_else_comes(
    cloud: Emulator, source: Path, tmp_path: Path
) -> None:
    storage = connected(cloud, "personal")
    storage.upload(source, "x").result()
    drive = emulated_drive(cloud, "personal")
    drive.make_folder(drive.root, "Personal Vault").rarities.vault = True
    with pytest.raises(TransferFailed) as caught:
        storage.download("", tmp_path / "all", retries=1).result()
    (failed,) = caught.value.result.failed
    assert (failed.path, failed.retry_helps) == ("Personal Vault", False)
    assert isinstance(failed.error, AccessDenied)
    assert "Exclude its name" in failed.error.advice
    assert (tmp_path / "all/x/letter.txt").exists()
    left_out = storage.download("", tmp_path / "rest", filters=["- /Personal Vault/**"]).result()
    assert left_out.transfers == 2
