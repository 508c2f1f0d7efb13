"""File names on which a shell or a careless parser would act: they are copied unchanged, and
nothing runs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pluton_rclone import Storage
from pluton_rclone.emulator import Emulator
from tests.connected import connected, emulated_drive

NAMES = [
    b"$(touch PWNED).txt",
    b"`touch PWNED`.txt",
    b"; touch PWNED; .txt",
    b"-rf",
    b"--config=x",
    b"line\nbreak.txt",
    b'double "quotes".txt',
    b"single 'quotes'.txt",
    b"invalid UTF-8 \xff\xfe.txt",
    b"work-files:x",
    b"a:b*c?.txt",
    "emoji 🦊.txt".encode(),
]


@pytest.fixture
def storage(cloud: Emulator) -> Storage:
    return connected(cloud, name="Work files")


def test_they_arrive_and_come_back_byte_for_byte(
    storage: Storage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, restored = os.fsencode(tmp_path / "source"), os.fsencode(tmp_path / "restored")
    os.mkdir(source)
    for name in NAMES:
        with open(os.path.join(source, name), "wb") as file:
            file.write(name)
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)

    storage.upload(source, "backup").result()
    storage.download("backup", restored).result()

    assert sorted(os.listdir(restored)) == sorted(NAMES)
    for name in NAMES:
        with open(os.path.join(restored, name), "rb") as file:
            assert file.read() == name
    assert storage.check(source, "backup").same
    assert not list(tmp_path.rglob("PWNED"))


@pytest.mark.parametrize("name", NAMES)
def test_each_alone_is_a_source_and_a_destination_folder(
    cloud: Emulator,
    storage: Storage,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: bytes,
) -> None:
    folder = os.path.join(os.fsencode(tmp_path), name)
    os.mkdir(folder)
    with open(os.path.join(folder, b"file.txt"), "wb") as file:
        file.write(b"content")
    monkeypatch.chdir(tmp_path)

    storage.upload(name, "inside").result()
    assert emulated_drive(cloud, "personal").read("inside/file.txt") == b"content"
    storage.download("inside", name + b" back").result()

    with open(os.path.join(os.fsencode(tmp_path), name + b" back", b"file.txt"), "rb") as file:
        assert file.read() == b"content"
    assert not list(tmp_path.rglob("PWNED"))
