"""The folder for files that must not outlive the session."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

import pytest

from pluton_rclone.process import folders
from pluton_rclone.process.folders import (
    is_ours_alone,
    runtime_folder,
    runtime_folders,
    usable_folders,
)


@pytest.fixture(autouse=True)
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for this test's private files."""
    folder = tmp_path / "runtime"
    folder.mkdir(mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder))
    return folder


pytestmark = pytest.mark.usefixtures("runtime")


def test_it_is_in_the_sessions_own_folder_and_for_this_user_alone(runtime: Path) -> None:
    folder = runtime_folder()
    assert folder.parent == runtime
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert runtime_folder() == folder == runtime_folders()[0]


def test_without_a_login_session_it_is_in_memory_or_else_in_the_temporary_folder(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    usual = [Path(f"/run/user/{os.getuid()}"), Path("/dev/shm"), Path(tempfile.gettempdir())]
    found: list[Path] = []
    with pytest.raises(OSError, match="no folder"):
        found.extend(folder.parent for folder in usable_folders())
    assert found == [place for place in usual if place.is_dir()]


@pytest.fixture
def one_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with only this place for private files."""
    monkeypatch.setattr(folders, "_places", lambda: [tmp_path])
    return tmp_path


def test_a_squatted_folder_is_stepped_around_and_every_process_finds_the_same_one_beside_it(
    one_place: Path,
) -> None:
    squatted = one_place / f"pluton-rclone-{os.getuid()}"
    squatted.mkdir(mode=0o777)
    squatted.chmod(0o777)
    folder = runtime_folder()
    assert folder.parent == one_place
    assert folder != squatted
    assert is_ours_alone(folder)
    assert runtime_folder() == folder
    assert runtime_folders() == [folder]


def test_a_link_to_nothing_in_its_place_is_stepped_around_and_the_same_one_is_found_again(
    one_place: Path,
) -> None:
    """Formerly, each process made another one, and no process came back for a token in the last."""
    (one_place / f"pluton-rclone-{os.getuid()}").symlink_to(one_place / "nothing")
    folder = runtime_folder()
    assert runtime_folder() == folder
    assert runtime_folders() == [folder]


def test_a_place_that_cannot_be_looked_into_has_no_folder_of_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as another user's XDG_RUNTIME_DIR, which sudo may keep."""
    closed = Path("/", "x" * 300)
    with pytest.raises(OSError, match="too long"):
        (closed / "pluton-rclone").stat()
    monkeypatch.setattr(folders, "_places", lambda: [closed, tmp_path])
    assert runtime_folders() == []
    assert runtime_folder().parent == tmp_path


def test_where_no_folder_can_be_made_an_oserror_says_so(
    one_place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folders, "_places", lambda: [one_place / "nothing"])
    with pytest.raises(OSError, match="nothing"):
        runtime_folder()


def test_a_folder_that_another_process_removes_meanwhile_is_gone_and_that_is_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`resolve` looks at each part twice, and the folder may disappear in between."""

    def gone(path: Path) -> Path:
        raise FileNotFoundError(path)

    monkeypatch.setattr(Path, "resolve", gone)
    folders.remove(tmp_path / "gone")
    assert not (tmp_path / "gone").exists()


def test_the_word_that_is_left_is_found_where_another_user_took_the_usual_name(
    runtime: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = tmp_path / "usual"
    (usual / f"pluton-rclone-{os.getuid()}").mkdir(parents=True)  # which everyone can enter
    monkeypatch.setattr(folders, "_usual_places", lambda: [usual])
    loan = runtime_folder() / "loan"
    loan.mkdir()
    folders.leave_word(loan)
    (beside,) = (place for place in runtime_folders() if runtime not in place.parents)
    assert (beside / "loan").resolve() == loan
    folders.remove(loan)
    assert list(beside.iterdir()) == []


def test_a_folder_goes_with_all_that_is_in_it(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    (folder / "deep").mkdir(parents=True)
    for file in (folder / "rclone.conf", folder / "deep" / "file"):
        file.write_text("secret")
    folders.remove(folder)
    assert not folder.exists()
