"""A single file in a team folder, which rclone finds only by listing the folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from pluton_rclone import Storage
from pluton_rclone.emulator import Emulator
from pluton_rclone.errors import RcloneError
from tests.connected import BERT, connected, emulated_drive

NAME = "a [1] *.txt"
PATH = f"/Team/sub/{NAME}"


@pytest.fixture
def storage(cloud: Emulator) -> Storage:
    library = emulated_drive(cloud, "sharepoint")
    library.write("Team/sub/a [1] ＊.txt", b"hello")
    library.write("Team/sub/other.txt", b"other")
    cloud.files.drive_of(BERT).add_shortcut(library, library.folder("Team"), "Team")
    return connected(cloud, "business", granted_scopes=("Files.ReadWrite.All",))


def test_its_record_is_found(storage: Storage) -> None:
    entry = storage.stat(PATH)
    assert entry is not None
    assert (entry.name, entry.size, entry.is_dir) == (NAME, 5, False)
    assert storage.stat("/Team/sub/missing.txt") is None


def test_its_content_is_read(storage: Storage) -> None:
    assert storage.rclone.cat(storage.at(PATH)) == b"hello"
    assert storage.rclone.cat(storage.at(PATH), offset=1, count=3) == b"ell"


def test_it_alone_is_copied(storage: Storage, tmp_path: Path) -> None:
    result = storage.download(PATH, tmp_path / "here").result()
    assert [file.name for file in (tmp_path / "here").iterdir()] == [NAME]
    assert (result.transfers, result.failed) == (1, ())


def test_what_rclone_cannot_do_there_is_said(storage: Storage, tmp_path: Path) -> None:
    with pytest.raises(RcloneError, match="in a folder that somebody shared") as refusal:
        storage.rclone.copyto(storage.at(PATH), str(tmp_path / "other name")).result()
    assert "filter" in refusal.value.advice
