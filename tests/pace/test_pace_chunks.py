"""Chunk size and concurrent files: larger chunks for a single large file, fewer files if memory is
short."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pluton_rclone import Storage
from pluton_rclone.emulator import Emulator
from pluton_rclone.pace import chunks, memory
from pluton_rclone.pace.chunks import (
    IN_FLIGHT,
    LARGEST,
    USUAL,
    Fit,
    fit,
    largest_files,
    need,
    variables,
)
from pluton_rclone.rclone import commands
from pluton_rclone.remote.rules import chunk_size_fault
from pluton_rclone.values.size import MIB, Size
from tests.connected import connected
from tests.terminal import PATIENCE

GIB = 1024 * MIB
PLENTY = 8 * GIB
sizes = st.lists(st.integers(0, 250 * GIB), max_size=40)


@pytest.fixture(autouse=True)
def a_disk_that_is_fast(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine may take longer to scan a few files than the product waits."""
    monkeypatch.setattr(chunks, "_SECONDS", PATIENCE)


# ---- what fits -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("files", "chunk"),
    [
        ([], "10Mi"),
        ([2000] * 16, "10Mi"),
        ([255 * MIB], "10Mi"),
        ([GIB], "50Mi"),
        ([2000] * 15 + [GIB], "50Mi"),
        ([GIB] * 2, "20Mi"),
        ([GIB] * 3, "10Mi"),
        ([GIB] * 16, "10Mi"),
        (None, "10Mi"),
    ],
)
def test_one_large_file_gets_larger_chunks_and_so_do_two(
    files: list[int] | None, chunk: str
) -> None:
    assert fit(files, PLENTY) == Fit(16, Size.parse(chunk))


@pytest.mark.parametrize(
    ("files", "available", "transfers", "chunk"),
    [
        ([GIB], 300 * MIB, 16, "10Mi"),  # a large chunk does not fit
        ([GIB] * 16, 1200 * MIB, 8, "10Mi"),
        ([GIB] * 16, 700 * MIB, 4, "10Mi"),
        ([2000] * 16, 256 * MIB, 16, "10Mi"),  # small files need no memory
        ([GIB] * 16, 256 * MIB, 1, "5Mi"),
        ([GIB] * 16, 0, 1, "2.500Mi"),  # never nothing
        (None, 512 * MIB, 4, "5Mi"),
    ],
)
def test_where_memory_is_short_less_is_held_at_once(
    files: list[int] | None, available: int, transfers: int, chunk: str
) -> None:
    assert fit(files, available) == Fit(transfers, Size.parse(chunk))


def test_however_many_at_once_are_wanted_it_is_reckoned_at_once() -> None:
    assert need(None, Fit(10**30, USUAL)) > 10**30
    assert fit(None, 2**30, transfers=10**30, fewer=False).transfers == 10**30


def test_what_somebody_set_is_not_changed() -> None:
    assert fit([GIB], PLENTY, chunk=Size.parse("20Mi")) == Fit(16, Size.parse("20Mi"))
    assert fit([GIB] * 16, 0, transfers=12, fewer=False, chunk=USUAL) == Fit(12, USUAL)
    assert fit([GIB] * 16, 0, transfers=12, fewer=False) == Fit(12, Size.parse("2.5Mi"))


@given(sizes | st.none(), st.integers(0, PLENTY) | st.none(), st.integers(1, 64))
def test_it_is_always_a_chunk_that_microsoft_takes_and_within_the_bounds(
    files: list[int] | None, available: int | None, transfers: int
) -> None:
    found = fit(files, available, transfers=transfers)
    assert chunk_size_fault(found.chunk) is None
    assert found.chunk <= LARGEST
    assert 1 <= found.transfers <= transfers
    if files is not None and found.chunk > USUAL:
        assert found.chunk * sum(size > USUAL for size in files[: found.transfers]) <= IN_FLIGHT
    if available is not None and found.transfers > (4 if files is None else 1):
        largest = None if files is None else sorted(files, reverse=True)
        assert need(largest, found) <= available // 2


# ---- the files -----------------------------------------------------------------------------------


def test_the_largest_files_of_a_folder(tmp_path: Path) -> None:
    for number in range(5):
        path = tmp_path / f"folder {number}" / "file"
        path.parent.mkdir()
        path.write_bytes(b"x" * number)
    (tmp_path / "link").symlink_to(tmp_path)
    assert largest_files(str(tmp_path), 3) == [4, 3, 2]
    assert largest_files(str(tmp_path / "folder 4" / "file"), 3) == [4]


def test_too_many_files_are_not_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(4):
        (tmp_path / str(number)).touch()
    monkeypatch.setattr(chunks, "_ENTRIES", 3)
    assert largest_files(str(tmp_path), 16) is None


def test_what_is_no_local_path_has_no_sizes() -> None:
    assert largest_files("business:folder", 16) is None
    assert largest_files("/no/such\0thing", 16) is None


# ---- rclone's variables --------------------------------------------------------------------------


@pytest.fixture
def large(tmp_path: Path) -> Path:
    path = tmp_path / "large.bin"
    with path.open("wb") as file:
        file.truncate(GIB)
    return path


UP = {"RCLONE_TRANSFERS": "16"}


def asked(
    source: Path,
    *flags: str,
    destination: dict[str, str] | None = {},  # noqa: B006 - never changed
    environment: dict[str, str] = UP,
) -> dict[str, str]:
    command = commands.transfer("copy", str(source), "business:up", {})
    return variables(command, destination, environment, flags)


def test_they_are_set_only_where_something_is_to_be_changed(large: Path, tmp_path: Path) -> None:
    assert asked(large) == {"RCLONE_ONEDRIVE_CHUNK_SIZE": "50Mi"}
    small = tmp_path / "small"
    small.write_text("x")
    assert asked(small) == {}


def test_a_chunk_that_is_set_stays(large: Path) -> None:
    assert asked(large, destination={"chunk_size": "5Mi"}) == {}
    assert asked(large, "--onedrive-chunk-size=5Mi") == {}
    assert asked(large, environment={**UP, "RCLONE_ONEDRIVE_CHUNK_SIZE": "5Mi"}) == {}


def test_fewer_at_once_unless_the_number_was_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(16):
        with (tmp_path / str(number)).open("wb") as file:
            file.truncate(GIB)
    monkeypatch.setattr(memory, "available", lambda: 700 * MIB)
    assert asked(tmp_path) == {"RCLONE_TRANSFERS": "4"}
    assert asked(tmp_path, "--transfers=12") == {"RCLONE_ONEDRIVE_CHUNK_SIZE": "2.500Mi"}
    monkeypatch.setenv("RCLONE_TRANSFERS", "12")
    assert asked(tmp_path, environment={}) == {"RCLONE_ONEDRIVE_CHUNK_SIZE": "2.500Mi"}


def test_a_restore_holds_no_chunks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert asked(tmp_path / "business:", destination=None) == {}
    monkeypatch.setattr(memory, "available", lambda: 500 * MIB)
    assert asked(tmp_path / "business:", destination=None) == {"RCLONE_TRANSFERS": "8"}


def test_only_transfers_have_them(large: Path) -> None:
    assert variables(commands.remove("delete", "business:up", {}), {}, UP) == {}


@pytest.mark.parametrize("wrong", ["--transfers=many", "--onedrive-chunk-size=huge"])
def test_what_rclone_will_refuse_is_left_to_it(large: Path, wrong: str) -> None:
    assert asked(large, wrong) == {}


# ---- with the real rclone ------------------------------------------------------------------------


def folder_with_a_large_file(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    folder.mkdir()
    (folder / "large.bin").write_bytes(os.urandom(45 * MIB))
    return folder


def fragments(cloud: Emulator) -> int:
    return sum(1 for request in cloud.requests if request.method == "PUT")


@pytest.fixture
def storage(cloud: Emulator) -> Storage:
    return connected(cloud, "business")


def test_a_large_file_goes_in_large_chunks(
    cloud: Emulator, storage: Storage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chunks, "WORTH_IT", 40 * MIB)
    source = folder_with_a_large_file(tmp_path)
    assert storage.upload(source, "up").result().transfers == 1
    assert fragments(cloud) == 1
    assert storage.check(source, "up").same


def test_in_the_chunks_that_the_storage_is_set_to(
    cloud: Emulator, storage: Storage, tmp_path: Path
) -> None:
    storage.storages.conf.update(storage.remote_name, {"chunk_size": "20Mi"})
    assert storage.upload(folder_with_a_large_file(tmp_path), "up").result().transfers == 1
    assert fragments(cloud) == 3
