"""Mass deletions need confirmation: a sync that would empty its destination stops before the first
deletion."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from pluton_rclone import Storage, Storages
from pluton_rclone.emulator import Emulator
from pluton_rclone.errors import NothingFound, RcloneTooOld, TooManyDeletions, UsageError
from pluton_rclone.rclone.brake import FEW, Brake
from pluton_rclone.rclone.events import Progress
from tests.connected import connected, emulated_drive
from tests.rclone.debian import debian_rclone

from .test_saved_complete import command


@pytest.fixture
def storage(cloud: Emulator) -> Storage:
    return connected(cloud, "personal", name="home")


@pytest.fixture
def there(cloud: Emulator) -> Callable[[], int]:
    """Write x/0 to x/49; return a function that counts those that exist."""
    drive = emulated_drive(cloud, "personal")
    for number in range(50):
        drive.write(f"x/{number}", str(number).encode())

    def count() -> int:
        folder = drive.find("x")
        return sum(item.content is not None for item in drive.walk(folder))

    return count


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    folder.mkdir()
    return folder


def files(folder: Path, numbers: range) -> None:
    for number in numbers:
        (folder / str(number)).write_bytes(str(number).encode())


def test_nothing_goes_because_a_source_is_empty(
    storage: Storage, source: Path, there: Callable[[], int]
) -> None:
    with pytest.raises(TooManyDeletions, match="the source has no files") as caught:
        storage.rclone.sync(str(source), storage.at("x")).result()
    assert there() == 50
    result = caught.value.result
    assert (result.transfers, result.checks, result.deletes, result.failed) == (0, 0, 0, ())
    assert not result.retry_helps
    code, error = command("sync", "--yes", source, "home:x")
    assert (code, error["error"]["error"], there()) == (7, "too_many_deletions", 50)


def test_nothing_goes_because_a_source_is_missing(
    storage: Storage, source: Path, there: Callable[[], int]
) -> None:
    with pytest.raises(NothingFound):
        storage.rclone.sync(str(source / "missing"), storage.at("x")).result()
    assert there() == 50


def test_everything_goes_when_that_is_said(
    storage: Storage, source: Path, there: Callable[[], int]
) -> None:
    code, result = command("sync", "--yes", "--allow-empty-source", source, "home:x")
    assert (code, result["deletes"], there()) == (0, 50, 0)


@pytest.mark.parametrize(("kept", "goes"), [(24, False), (25, True)])
def test_more_than_half_is_too_much(
    storage: Storage, source: Path, there: Callable[[], int], kept: int, goes: bool
) -> None:
    files(source, range(kept))
    files(source, range(100, 140))  # new ones: only those in the destination count
    transfer = storage.rclone.sync(str(source), storage.at("x"))
    if goes:
        assert transfer.result().deletes == 50 - kept
        assert there() == kept + 40
    else:
        with pytest.raises(TooManyDeletions, match=f"would delete {50 - kept} of the 50 files"):
            transfer.result()
        assert there() == 50


def test_ten_files_may_always_go(storage: Storage, source: Path, cloud: Emulator) -> None:
    drive = emulated_drive(cloud, "personal")
    for number in range(11):
        drive.write(f"x/{number}", str(number).encode())
    files(source, range(1))
    assert storage.rclone.sync(str(source), storage.at("x")).result().deletes == 10


@pytest.mark.parametrize(
    ("limit", "goes"),
    [
        (29, False),
        (30, True),
        ("29", False),
        ("30", True),
        ("59%", False),
        ("60%", True),
        (0, False),
    ],
)
def test_a_limit_is_a_number_or_a_share_of_what_is_there(
    storage: Storage, source: Path, there: Callable[[], int], limit: int | str, goes: bool
) -> None:
    files(source, range(20))
    result = storage.rclone.sync(str(source), storage.at("x"), max_delete=limit).wait()
    assert (result.ok, there()) == ((True, 20) if goes else (False, 50))


def test_the_command_line_has_the_limit_too(
    storage: Storage, source: Path, there: Callable[[], int]
) -> None:
    files(source, range(20))
    assert command("sync", "--yes", source, "home:x")[0] == 7
    assert command("sync", "--yes", "--max-delete", "29", source, "home:x")[0] == 7
    assert there() == 50
    code, result = command("sync", "--yes", "--max-delete", "60%", source, "home:x")
    assert (code, result["deletes"], result["unchanged"], there()) == (0, 30, 20, 20)


@pytest.mark.parametrize("limit", ["half", "101%", "-3", "5 %", -1])
def test_what_is_no_limit_is_refused_before_anything(
    storage: Storage, source: Path, limit: int | str
) -> None:
    with pytest.raises(UsageError, match="is not a limit for deletions"):
        storage.rclone.sync(str(source), storage.at("x"), max_delete=limit)


def test_a_folder_that_cannot_be_read_deletes_nothing(
    storage: Storage, source: Path, there: Callable[[], int], cloud: Emulator
) -> None:
    """rclone would list it in the end, and by then more is deleted than the first look showed."""
    files(source, range(45))
    cloud.faults.refuse(403, times=4, where="children")
    result = storage.rclone.sync(str(source), storage.at("x"), retries=1).wait()
    assert not result.ok
    assert (result.deletes, there()) == (0, 50)


def test_what_the_look_could_not_read_puts_deletions_off_and_says_so(
    storage: Storage, source: Path, there: Callable[[], int], cloud: Emulator
) -> None:
    emulated_drive(cloud, "personal").write("x/folder/inside", b"inside")
    (source / "folder").mkdir()
    (source / "folder/inside").write_bytes(b"inside")
    files(source, range(45))
    cloud.faults.refuse(403, times=1, where="children", skip=1)
    result = storage.rclone.sync(str(source), storage.at("x"), retries=1).wait()
    assert (result.deletes, there()) == (0, 51)
    assert str(result.error).startswith("5 files were not deleted")
    assert result.error is not None
    assert "only if it can read everything" in result.error.advice
    assert storage.rclone.sync(str(source), storage.at("x")).result().deletes == 5


def test_what_a_limit_keeps_is_counted_as_not_deleted(
    storage: Storage, source: Path, there: Callable[[], int]
) -> None:
    files(source, range(45))
    rclone, place = storage.rclone, storage.at("x")
    kept = rclone.sync(str(source), place, extra=["--max-delete-size=0"]).wait()
    assert (kept.deletes, there()) == (0, 50)
    assert str(kept.error).startswith("5 files were not deleted")
    some = rclone.delete(place, max_delete=3, checkers=1).wait()
    assert (some.deletes, there()) == (3, 47)


def test_an_rclone_that_would_ignore_hard_delete_deletes_nothing(
    cloud: Emulator, there: Callable[[], int], source: Path
) -> None:
    connected(cloud, "personal", name="home", hard_delete=True)
    old = str(debian_rclone())
    for words in (
        ("delete", "--yes", "home:x"),
        ("delete", "--yes", "home:x/1"),
        ("sync", "--yes", source, "home:x"),
    ):
        code, error = command(words[0], "--rclone", old, *words[1:])
        assert (code, error["error"]) == (6, "rclone_too_old")
        assert "1.60.1 silently ignores hard_delete" in error["what"]
    with pytest.raises(RcloneTooOld):
        Storages(binary=old)["home"].delete("x")
    assert there() == 50


def test_an_rclone_that_cannot_renew_the_token_is_named_by_its_version(
    cloud: Emulator, source: Path
) -> None:
    connected(cloud, "personal", name="home")
    files(source, range(1))
    code, error = command("copy", "--rclone", str(debian_rclone()), source, "home:x")
    assert (code, error["error"]) == (6, "rclone_too_old")
    assert "1.60.1" in error["what"]
    home = Storages(binary=str(debian_rclone()))["home"]
    for call in (home.upload, home.check, lambda there: home.download("x", there)):
        with pytest.raises(RcloneTooOld):
            call(source)


def test_what_the_drive_has_of_a_twin_that_is_left_out_is_not_deleted(
    cloud: Emulator, storage: Storage, source: Path
) -> None:
    drive = emulated_drive(cloud, "personal")
    for name in ("Photos/a", "photos/b"):
        (source / name).parent.mkdir()
        (source / name).write_text("x")
        drive.write(f"x/{name}", b"x")
    drive.write("x/old", b"old")
    result = storage.rclone.sync(str(source), storage.at("x")).wait()
    assert [file.path.lower() for file in result.failed] == ["photos"]
    assert any("Nothing was deleted" in notice for notice in result.notices)
    there = {item.path() for item in drive.walk(drive.find("x")) if item.content is not None}
    assert there == {"x/Photos/a", "x/Photos/b", "x/old"}


def test_a_source_that_vanishes_after_the_look_costs_few_files(
    storage: Storage,
    source: Path,
    there: Callable[[], int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    files(source, range(48))
    judge = Brake.judge

    def then_it_vanishes(brake: Brake, seen: Progress, *, whole: bool) -> int:
        shutil.rmtree(source)
        source.mkdir()
        return judge(brake, seen, whole=whole)

    monkeypatch.setattr(Brake, "judge", then_it_vanishes)
    result = storage.rclone.sync(str(source), storage.at("x")).wait()
    assert (result.ok, there()) == (False, 50 - 2 - FEW)
