"""A storage from variables (`export --as-environment`) works for us as for rclone: it is listed and
used; a change is refused, and the process keeps a renewed token."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pluton_rclone import Storages
from pluton_rclone.conf import variables
from pluton_rclone.conf.export import as_environment
from pluton_rclone.emulator import Emulator
from pluton_rclone.errors import AccessDenied, ConfigNotWritable
from tests.connected import connected, emulated_drive, remote_of, saved


@pytest.fixture
def exported(cloud: Emulator, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Exports a storage into the environment; no rclone.conf has it. Returns the remote's name."""
    monkeypatch.setattr(variables, "_RENEWED", {})

    def export(name: str = "work", seconds: float = 3599.0, **options: Any) -> str:
        remote = remote_of(cloud, seconds=seconds, description="Anna's files", **options)
        section = remote.to_section()
        given = as_environment(name, section)
        for variable, value in given.variables.items():
            monkeypatch.setenv(variable, value)
        return given.name

    return export


def test_it_is_listed_found_by_both_names_and_used_without_an_rclone_conf(
    cloud: Emulator, exported: Callable[..., str], tmp_path: Path
) -> None:
    exported("my work")
    emulated_drive(cloud, "personal").write("a.txt", b"1")
    storages = Storages()

    assert [storage.remote_name for storage in storages.values()] == ["my_work"]
    assert [entry.path for entry in storages["my_work"].list()] == ["a.txt"]
    assert storages["Anna's files"].test().ok
    assert storages["MY_Work"].remote_name == storages.reach("MY_WORK").remote_name == "my_work"
    (tmp_path / "b.txt").write_text("2")
    storages["my_work"].upload(tmp_path / "b.txt", "").result()
    assert sorted(entry.path for entry in storages["my_work"].list()) == ["a.txt", "b.txt"]
    assert not storages.path.exists()


def test_one_that_was_for_reading_only_stays_so(
    exported: Callable[..., str], tmp_path: Path
) -> None:
    """Our own keys are not exported: formerly, the granted permissions were lost with them."""
    name = exported(access_scopes=("Files.Read", "offline_access"))
    with pytest.raises(AccessDenied, match="for reading only"):
        Storages()[name].upload(tmp_path, "x").result()


def test_only_line_breaks_are_taken_out_of_a_variable(
    exported: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    name = exported()
    monkeypatch.setenv(f"RCLONE_CONFIG_{name.upper()}_DESCRIPTION", "one\u2028line\r\nmore\n")
    assert Storages()[name].name == "one\u2028line more"


def test_it_stands_beside_those_of_the_file_and_wins_over_one_of_its_name(
    cloud: Emulator, exported: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    of_file = connected(cloud, "business", name="bert")
    exported("bert")
    exported("bert_two")
    monkeypatch.setenv("RCLONE_CONFIG_BERT_CHUNK_SIZE", "20Mi")
    monkeypatch.setenv("RCLONE_CONFIG_LOCAL_TYPE", "local")
    storages = Storages()

    assert [storage.remote_name for storage in storages.values()] == ["bert", "bert_two"]
    assert storages["bert"].remote.drive_type == "personal"
    assert storages["bert"].section_with_secrets()["chunk_size"] == "20Mi"
    assert "chunk_size" not in storages["bert_two"].section_with_secrets()
    connected(cloud, "sharepoint", name="site")
    assert "chunk_size" not in of_file.storages.path.read_text()
    assert "bert_two" not in of_file.storages.path.read_text()


def test_every_change_is_refused_and_says_that_variables_make_it(
    exported: Callable[..., str], cloud: Emulator
) -> None:
    storage = Storages()[exported()]
    changes: list[Callable[[], object]] = [
        lambda: storage.update(chunk_size="20Mi"),
        lambda: storage.rename("other"),
        lambda: storage.rename_remote("other"),
        storage.remove,
        storage.check_writable,
        lambda: storage.storages.conf.add("work", {"type": "memory"}),
    ]

    for change in changes:
        with pytest.raises(
            ConfigNotWritable, match=r"'work' cannot be changed.*RCLONE_CONFIG_WORK"
        ):
            change()


def test_a_token_that_rclone_renews_is_kept_for_the_process_and_said(
    exported: Callable[..., str],
    cloud: Emulator,
    caplog: pytest.LogCaptureFixture,
) -> None:
    storage = Storages()[exported(seconds=-60)]
    before = json.loads(os.environ["RCLONE_CONFIG_WORK_TOKEN"])
    with caplog.at_level(logging.WARNING):
        storage.list()

    (said,) = [one.getMessage() for one in caplog.records if "renewed" in one.getMessage()]
    assert "RCLONE_CONFIG_WORK_TOKEN" in said
    kept = json.loads(Storages()["work"].section_with_secrets()["token"])
    assert kept["expiry"] > before["expiry"]
    assert kept["access_token"] not in said
    assert json.loads(os.environ["RCLONE_CONFIG_WORK_TOKEN"]) == before
    assert not storage.storages.path.exists()


def test_a_token_that_we_renew_is_kept_likewise_and_the_next_one_follows_it(
    exported: Callable[..., str], cloud: Emulator
) -> None:
    storage = Storages()[exported()]
    tokens = {storage.section_with_secrets()["token"]}
    for _ in range(2):
        cloud.world.advance(10)
        assert saved(storage).renew() == "renewed just now"
        tokens.add(Storages()["work"].section_with_secrets()["token"])

    assert len(tokens) == 3
    assert list(variables._RENEWED) == [os.environ["RCLONE_CONFIG_WORK_TOKEN"]]
