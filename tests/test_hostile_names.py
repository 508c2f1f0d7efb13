"""File names that a shell or a careless parser would act on: they are copied as they are, and
nothing runs."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from pluton_rclone import Storages, StorageSetup
from pluton_rclone.emulator import PUBLIC_CLIENT_ID, Emulator
from pluton_rclone.microsoft.entra.app import AppRegistration

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
def storages(cloud: Emulator, browser: Callable[..., None]) -> Storages:
    browser("anna@outlook.com")
    setup = StorageSetup(AppRegistration(PUBLIC_CLIENT_ID))
    setup.sign_in_with_browser()
    storages = Storages()
    storages.add("Work files", setup.remote(setup.drives()[0]))
    return storages


def test_they_arrive_and_come_back_byte_for_byte(
    storages: Storages, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, restored = os.fsencode(tmp_path / "source"), os.fsencode(tmp_path / "restored")
    os.mkdir(source)
    for name in NAMES:
        with open(os.path.join(source, name), "wb") as file:
            file.write(name)
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    storage = storages["Work files"]

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
    storages: Storages, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: bytes
) -> None:
    folder = os.path.join(os.fsencode(tmp_path), name)
    os.mkdir(folder)
    with open(os.path.join(folder, b"file.txt"), "wb") as file:
        file.write(b"content")
    monkeypatch.chdir(tmp_path)
    storage = storages["Work files"]

    storage.upload(name, "inside").result()
    assert [entry.name for entry in storage.list("inside")] == ["file.txt"]
    storage.download("inside", name + b" back").result()

    with open(os.path.join(os.fsencode(tmp_path), name + b" back", b"file.txt"), "rb") as file:
        assert file.read() == b"content"
    assert not list(tmp_path.rglob("PWNED"))
