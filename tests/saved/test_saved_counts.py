"""Every number of a result against what the emulator holds, with and without failures, and in dry
runs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pluton_rclone import Storage
from pluton_rclone.emulator import Emulator
from tests.connected import connected, emulated_drive

from .test_saved_complete import command

Count = Callable[[str], int]


@pytest.fixture
def storage(cloud: Emulator) -> Storage:
    return connected(cloud, "personal", name="home")


@pytest.fixture
def there(cloud: Emulator) -> Count:
    """How many files a folder there holds."""
    drive = emulated_drive(cloud, "personal")

    def count(path: str) -> int:
        folder = drive.find(path)
        return 0 if folder is None else sum(item.content is not None for item in drive.walk(folder))

    return count


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    folder.mkdir()
    for number in range(60):
        (folder / f"{number:02}").write_bytes(b"x" * 10_000)
    return folder


def test_a_full_drive(storage: Storage, source: Path, cloud: Emulator, there: Count) -> None:
    emulated_drive(cloud, "personal").quota.total = 285_000
    first = storage.upload(source, "x").wait()
    assert (first.transfers, first.unchanged, there("x")) == (28, 0, 28)
    assert "ended before all was tried" in str(first.error)
    second = storage.upload(source, "x").wait()
    assert (second.transfers, second.unchanged, there("x")) == (0, 28, 28)


def test_what_a_second_round_brings_is_no_failure_and_was_not_there_before(
    storage: Storage, source: Path, cloud: Emulator, there: Count
) -> None:
    cloud.faults.refuse(409, times=5, where="createUploadSession")
    result = storage.upload(source, "x").result()
    assert (result.transfers, result.unchanged, result.failed, there("x")) == (60, 0, (), 60)


@pytest.mark.parametrize(
    "limit", [{"max_transfer": 300_000}, {"max_transfer": 300_000, "cutoff_mode": "soft"}]
)
def test_a_limit(storage: Storage, source: Path, there: Count, limit: dict[str, object]) -> None:
    result = storage.upload(source, "x", transfers=4, **limit).wait()  # type: ignore[arg-type]
    assert result.ended == "failed"
    assert 0 < result.transfers == there("x") < 60


def test_files_that_go_are_not_already_there(storage: Storage, source: Path, there: Count) -> None:
    storage.upload(source, "x").result()
    for number in range(7):
        (source / f"{number:02}").unlink()
    (source / "new").write_text("new")
    _, dry = command("sync", "--dry-run", source, "home:x")
    assert (dry["transfers"], dry["deletes"], dry["unchanged"], there("x")) == (1, 7, 53, 60)
    _, done = command("sync", "--yes", source, "home:x")
    assert (done["transfers"], done["deletes"], done["unchanged"], there("x")) == (1, 7, 53, 54)


def test_what_was_not_deleted_is_not_called_not_transferred(
    storage: Storage, source: Path, cloud: Emulator, there: Count
) -> None:
    storage.upload(source, "x").result()
    for number in range(3):
        (source / f"{number:02}").unlink()
    cloud.faults.refuse(403, times=None, method="DELETE")
    result = storage.rclone.sync(str(source), storage.at("x"), retries=1).wait()
    assert (result.deletes, there("x")) == (0, 60)
    assert str(result.error).startswith("3 files were not deleted")


def test_a_folder_that_is_moved_or_deleted_in_one_go(
    storage: Storage, source: Path, there: Count
) -> None:
    storage.upload(source, "x").result()
    moved = storage.rclone.move(storage.at("x"), storage.at("y")).result()
    assert (moved.folders, moved.transfers, there("x"), there("y")) == (1, 0, 0, 60)
    deleted = storage.delete("y").result()
    assert (deleted.folders, deleted.deletes, there("y")) == (1, 0, 0)
