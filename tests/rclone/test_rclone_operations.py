"""The engine's operations, in every place that rclone supports."""

from __future__ import annotations

import os
from datetime import timezone
from pathlib import Path

import pytest

from pluton_rclone.errors import (
    Cancelled,
    NothingFound,
    RcloneError,
    StorageNotFound,
    TransferFailed,
)
from pluton_rclone.rclone.binary import Binary
from pluton_rclone.rclone.engine import Rclone
from pluton_rclone.rclone.results import TransferResult

from .places import DISK, led_to_the_emulator, make_place

# The newest rclone on an emulated drive, an old one on a disk. The engine does not depend on the
# kind of drive: tests/walk and emulator/graph/test_graph_rclone.py cover all kinds.
WAYS = ["personal", f"Debian's rclone, {DISK}"]


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def kind(way: str) -> str:
    return way.removeprefix("Debian's rclone, ")


@pytest.fixture
def place(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """The configuration of the place."""
    return make_place(kind, tmp_path, request)


@pytest.fixture
def engine(way: str, place: Path, request: pytest.FixtureRequest) -> Rclone:
    binary: Binary = request.getfixturevalue("old_binary" if way.startswith("Debian") else "binary")
    return Rclone(binary, config=place)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A folder with a few files."""
    folder = tmp_path / "source"
    (folder / "sub" / "empty").mkdir(parents=True)
    (folder / "a.txt").write_bytes(b"hello")
    (folder / "empty.bin").write_bytes(b"")
    (folder / "sub" / "räksmörgås 100% #1.bin").write_bytes(os.urandom(700_000))
    for path in (folder / "a.txt", folder / "empty.bin"):
        os.utime(path, (1_767_323_045, 1_767_323_045))
    return folder


@pytest.fixture(scope="module")
def filled_places() -> dict[str, Path]:
    """The configurations of `filled`, by kind of place."""
    return {}


@pytest.fixture
def filled(
    way: str,
    kind: str,
    filled_places: dict[str, Path],
    tmp_path_factory: pytest.TempPathFactory,
    source: Path,
    request: pytest.FixtureRequest,
) -> Rclone:
    """A place with the files in `place:base`, for all tests that only read them."""
    binary: Binary = request.getfixturevalue("old_binary" if way.startswith("Debian") else "binary")
    if way in filled_places:
        led_to_the_emulator(request)
        return Rclone(binary, config=filled_places[way])
    config = make_place(kind, tmp_path_factory.mktemp("filled"), request)
    engine = Rclone(binary, config=config)
    engine.copy(source, "place:base").result()
    filled_places[way] = config
    return engine


@pytest.fixture
def filled_engine(engine: Rclone, source: Path) -> Rclone:
    engine.copy(source, "place:base").result()
    return engine


def test_copy_there_and_back_with_progress_that_ends_with_everything(
    engine: Rclone, source: Path, tmp_path: Path
) -> None:
    with engine.copy(source, "place:base") as transfer:
        *_, last = transfer
        result = transfer.result()
    assert (result.ended, result.transfers, result.bytes, result.failed) == ("done", 3, 700_005, ())
    assert (last.bytes, last.total_bytes, last.transfers, last.fraction) == (
        700_005,
        700_005,
        3,
        1.0,
    )
    assert last.in_flight == ()
    again = engine.copy(source, "place:base").result()
    assert (again.transfers, again.checks) == (0, 3)
    engine.copy("place:base", tmp_path / "back").result()
    for path in ("a.txt", "empty.bin", "sub/räksmörgås 100% #1.bin"):
        assert (tmp_path / "back" / path).read_bytes() == (source / path).read_bytes()


def test_list(filled: Rclone) -> None:
    entries = {entry.name: entry for entry in filled.list("place:base")}
    assert set(entries) == {"a.txt", "empty.bin", "sub"}
    file, folder = entries["a.txt"], entries["sub"]
    assert (file.path, file.size, file.is_dir) == ("a.txt", 5, False)
    assert file.modified is not None
    assert file.modified.tzinfo is timezone.utc
    assert file.modified.timestamp() == 1_767_323_045
    assert (folder.path, folder.is_dir) == ("sub", True)


def test_list_files_or_folders_only(filled: Rclone) -> None:
    assert {entry.name for entry in filled.list("place:base", files_only=True)} == {
        "a.txt",
        "empty.bin",
    }
    assert {entry.name for entry in filled.list("place:base", dirs_only=True)} == {"sub"}


def test_list_of_a_file_is_the_file(filled: Rclone) -> None:
    assert [(entry.path, entry.size) for entry in filled.list("place:base/a.txt")] == [("a.txt", 5)]


def test_list_with_hashes(filled: Rclone, kind: str) -> None:
    name = "md5" if kind == DISK else "quickxor"
    [entry] = [entry for entry in filled.list("place:base", hashes=[name]) if entry.name == "a.txt"]
    hello = {
        "md5": "5d41402abc4b2a76b9719d911017c592",
        "quickxor": "6828031bd8f00600000000000500000000000000",
    }
    assert entry.hashes is not None
    assert entry.hashes[name] == hello[name]


def test_walk(filled: Rclone) -> None:
    paths = {entry.path: entry.is_dir for entry in filled.walk("place:base")}
    expected = {
        "a.txt": False,
        "empty.bin": False,
        "sub": True,
        "sub/räksmörgås 100% #1.bin": False,
    }
    assert {path: is_dir for path, is_dir in paths.items() if path != "sub/empty"} == expected


def test_walk_to_a_depth(filled: Rclone) -> None:
    assert {entry.path for entry in filled.walk("place:base", max_depth=1)} == {
        "a.txt",
        "empty.bin",
        "sub",
    }


def test_stat(filled: Rclone) -> None:
    file, folder = filled.stat("place:base/a.txt"), filled.stat("place:base/sub")
    assert file is not None
    assert folder is not None
    assert (file.path, file.name, file.size, file.is_dir) == ("a.txt", "a.txt", 5, False)
    assert (folder.path, folder.name, folder.is_dir, folder.modified) == ("sub", "sub", True, None)
    assert filled.stat("place:base/nothing") is None
    assert filled.stat("place:nowhere/at/all") is None


@pytest.mark.parametrize("flag", ["-v", "--verbose", "-q"])
def test_a_callers_flag_takes_the_place_of_our_log_level(
    flag: str, filled: Rclone, way: str, filled_places: dict[str, Path]
) -> None:
    """rclone refuses the combination."""
    said = Rclone(filled.binary, config=filled_places[way], flags=[flag])
    assert said.list("place:base") == filled.list("place:base") != []
    assert filled.run("lsf", flag, places=["place:base"]).stdout


def test_a_callers_log_level_is_that_of_every_run(
    filled: Rclone, way: str, filled_places: dict[str, Path]
) -> None:
    said = Rclone(filled.binary, config=filled_places[way], flags=["--log-level=INFO"])
    assert b'"level":"debug"' not in said.run("lsf", places=["place:base"]).stderr
    assert b'"level":"debug"' in filled.run("lsf", places=["place:base"]).stderr


def test_about(engine: Rclone) -> None:
    about = engine.about("place:")
    assert about.total is not None
    assert about.free is not None
    assert about.total >= about.free > 0


def test_size(filled: Rclone) -> None:
    total = filled.size("place:base")
    assert (total.count, total.bytes) == (3, 700_005)


def test_folders_come_and_go(engine: Rclone) -> None:
    engine.mkdir("place:one/two")
    found = engine.stat("place:one/two")
    assert found is not None
    assert found.is_dir
    engine.run("rmdir", places=["place:one/two"])
    assert engine.stat("place:one/two") is None


def test_copy_and_delete_one_file(engine: Rclone, source: Path, tmp_path: Path) -> None:
    engine.copyto(source / "a.txt", "place:x/b.txt").result()
    engine.copyto("place:x/b.txt", tmp_path / "c.txt").result()
    assert (tmp_path / "c.txt").read_bytes() == b"hello"
    assert engine.deletefile("place:x/b.txt").result().deletes == 1
    assert engine.stat("place:x/b.txt") is None


def test_sync_deletes_what_is_not_in_the_source_and_purge_all(
    filled_engine: Rclone, source: Path
) -> None:
    (source / "a.txt").unlink()
    result: TransferResult = filled_engine.sync(source, "place:base").result()
    assert result.deletes == 1
    assert filled_engine.stat("place:base/a.txt") is None
    filled_engine.purge("place:base").result()
    assert filled_engine.stat("place:base") is None


def test_move_leaves_nothing_behind(engine: Rclone, source: Path) -> None:
    engine.move(source, "place:base").result()
    assert not (source / "a.txt").exists()
    found = engine.stat("place:base/a.txt")
    assert found is not None
    assert found.size == 5


def test_filters(engine: Rclone, source: Path) -> None:
    engine.copy(source, "place:base", filters=["+ *.txt", "- *"]).result()
    assert [entry.name for entry in engine.list("place:base", files_only=True)] == ["a.txt"]


def test_what_is_not_there(engine: Rclone, tmp_path: Path) -> None:
    with pytest.raises(NothingFound):
        engine.list("place:nothing")
    with pytest.raises(NothingFound):
        engine.deletefile("place:nothing.txt").result()
    with pytest.raises(NothingFound) as caught:
        engine.copy(tmp_path / "nothing", "place:x").result()
    assert isinstance(caught.value.result, TransferResult)
    with pytest.raises(NothingFound):
        engine.copyto("place:nothing.txt", "place:else.txt").result()
    with pytest.raises(StorageNotFound):
        engine.list("nosuchremote:")


def test_a_file_that_cannot_be_written_is_named(
    engine: Rclone, source: Path, tmp_path: Path
) -> None:
    """A folder is in the place of the file."""
    blocked = tmp_path / "blocked"
    (blocked / "a.txt" / "x").mkdir(parents=True)
    with pytest.raises(TransferFailed) as caught:
        engine.copy(source, blocked).result()
    result = caught.value.result
    assert [file.path for file in result.failed] == ["a.txt"]
    assert result.transfers == 2
    assert result.ended == "failed"


def test_what_a_disk_refuses_is_no_fault_of_the_command(engine: Rclone) -> None:
    """Linux refuses to read the speed of the loopback interface: EINVAL, as FAT does for a name."""
    with pytest.raises(TransferFailed) as caught:
        engine.copy(Path("/sys/class/net/lo/speed"), "place:x", retries=1).result()
    (failed,) = caught.value.result.failed
    assert type(failed.error) is RcloneError
    assert "disk does not allow" in str(failed.error)


def test_what_a_name_says_is_not_what_is_wrong(
    engine: Rclone, source: Path, tmp_path: Path
) -> None:
    with pytest.raises(NothingFound):
        engine.deletefile("place:OneDrive licenses").result()
    (tmp_path / "OneDrive licenses").touch()
    with pytest.raises(TransferFailed) as caught:
        engine.copy(source, tmp_path / "OneDrive licenses" / "x").result()
    assert {type(file.error) for file in caught.value.result.failed} == {RcloneError}


def test_cancel_gives_the_partial_result_and_the_next_run_completes(
    engine: Rclone, place: Path, source: Path, tmp_path: Path
) -> None:
    (source / "big.bin").write_bytes(os.urandom(9_000_000))
    target = tmp_path / "target"
    slow = Rclone(engine.binary, config=place, flags=["--bwlimit=100k"])
    transfer = slow.copy(source, target)
    for progress in transfer:
        if progress.bytes > 100_000:
            break
    result = transfer.cancel()
    assert result.ended == "cancelled"
    assert isinstance(result.error, Cancelled)
    assert 0 < result.bytes < 9_000_000
    assert engine.copy(source, target).result().ok
    assert (target / "big.bin").read_bytes() == (source / "big.bin").read_bytes()
