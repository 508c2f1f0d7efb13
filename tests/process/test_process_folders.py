"""The folder for what must not outlive the session, and the note of who changed what last."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

import pytest

from pluton_rclone.conf import recent
from pluton_rclone.conf.recent import note_change, still_last
from pluton_rclone.process import folders as runtime_module
from pluton_rclone.process.folders import is_ours_alone, runtime_folder, runtime_folders

pytestmark = pytest.mark.usefixtures("runtime")


def test_it_is_in_the_sessions_own_folder_and_for_this_user_alone(runtime: Path) -> None:
    folder = runtime_folder()
    assert folder.parent == runtime
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert runtime_folder() == folder == runtime_folders()[0]


def test_without_a_session_it_is_in_memory_or_else_in_the_temporary_folder(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    places = [folder.parent for folder in runtime_folders()]
    assert places == [place for place in (Path("/dev/shm"), Path(tempfile.gettempdir())) if place.is_dir()]


def test_a_folder_that_is_open_or_a_link_is_not_ours_alone(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir(mode=0o700)
    link = tmp_path / "link"
    link.symlink_to(folder)
    assert is_ours_alone(folder)
    assert not is_ours_alone(link)
    assert not is_ours_alone(tmp_path / "nothing")
    folder.chmod(0o710)
    assert not is_ours_alone(folder)


def test_where_none_can_be_used_one_temporary_folder_serves_the_whole_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runtime_module, "is_ours_alone", lambda _folder: False)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    runtime_module._fallback.cache_clear()
    try:
        folder = runtime_folder()
        assert folder == runtime_folder()
        assert folder.parent == tmp_path
    finally:
        runtime_module._fallback.cache_clear()


def test_only_the_last_change_of_a_remote_counts(tmp_path: Path) -> None:
    path = tmp_path / "rclone.conf"
    first = note_change(path, ["anna", "bert"])
    second = note_change(path, ["bert"])
    assert still_last(path, first, ["anna", "bert"]) == ["anna"]
    assert still_last(path, second, ["anna", "bert"]) == ["bert"]
    assert still_last(tmp_path / "other.conf", first, ["anna"]) == ["anna"]


def test_a_note_that_cannot_be_read_makes_every_change_the_last(tmp_path: Path, runtime: Path) -> None:
    path = tmp_path / "rclone.conf"
    change = note_change(path, ["anna"])
    (note,) = runtime_folder().iterdir()
    note.write_text("{")
    assert still_last(path, change, ["anna"]) == ["anna"]


def test_old_notes_go(tmp_path: Path) -> None:
    note_change(tmp_path / "one.conf", ["anna"])
    (note,) = runtime_folder().iterdir()
    os.utime(note, (0, 0))
    note_change(tmp_path / "two.conf", ["anna"])
    assert not note.exists()
    assert [file.name for file in runtime_folder().iterdir()] == [
        f"recent-{recent.mark(tmp_path / 'two.conf')}"
    ]
