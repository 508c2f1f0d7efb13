"""The position of a storage's path in its drive."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pluton_rclone.errors import UsageError
from pluton_rclone.values.paths import holds_all, in_drive

names = st.text(
    st.characters(exclude_characters="/\0", exclude_categories=()), min_size=1, max_size=8
).filter(lambda name: name not in {".", ".."})
trees = st.lists(names, max_size=5).map("/".join)
steps = st.lists(st.one_of(names, st.sampled_from(["..", ".", ""])), max_size=8).map("/".join)


@pytest.mark.parametrize(
    ("path", "base", "lies_at"),
    [
        ("photos/2024", "Backups/laptop", "Backups/laptop/photos/2024"),
        ("photos/2024", "", "photos/2024"),
        ("", "Backups", "Backups"),
        (".", "Backups", "Backups"),
        ("photos/", "/Backups/", "Backups/photos"),
        ("/TeamFolder/path", "Backups", "TeamFolder/path"),
        ("/", "Backups", ""),
        ("//TeamFolder//path/", "Backups", "TeamFolder/path"),
        ("photos/../music", "Backups", "Backups/music"),
        ("/a/../b", "Backups", "b"),
        ("C:\\data", "Backups", "Backups/C:\\data"),
        ("name:with/colon", "", "name:with/colon"),
        ("...", "Backups", "Backups/..."),
        (" . /x", "Backups", "Backups/ . /x"),
    ],
)
def test_a_path_lies_below_the_base_folder_or_with_a_leading_slash_below_the_root(
    path: str, base: str, lies_at: str
) -> None:
    assert in_drive(path, base) == lies_at


@pytest.mark.parametrize(
    "path", ["..", "../Backups", "a/../..", "a/../../Backups/x", "/..", "/a/../../b", "./.."]
)
def test_climbing_out_is_refused_and_not_cut_off(path: str) -> None:
    with pytest.raises(UsageError, match="leads above"):
        in_drive(path, "Backups")


def test_a_base_folder_cannot_climb_out_of_the_drive() -> None:
    assert in_drive("/Backups//laptop/") == "Backups/laptop"
    with pytest.raises(UsageError):
        in_drive("Backups/../..")


def test_a_nul_character_is_refused() -> None:
    with pytest.raises(UsageError, match="NUL"):
        in_drive("a\0b")


@given(path=steps, base=trees)
def test_a_relative_path_never_leaves_the_in_drive(path: str, base: str) -> None:
    try:
        lies_at = in_drive(path if not path.startswith("/") else "." + path, base)
    except UsageError:
        assert ".." in path.split("/")
        return
    start = in_drive(base)
    assert not start or lies_at == start or lies_at.startswith(start + "/")
    assert not {"", ".", ".."} & set(lies_at.split("/")) or lies_at == ""


@pytest.mark.parametrize(
    "path", ["", ".", "x/..", "/", "/Backups", "/backups/LAPTOP", "/Backups/./laptop/"]
)
def test_the_base_folder_and_those_above_it_hold_the_whole_storage(path: str) -> None:
    assert holds_all(path, "Backups/laptop")


@pytest.mark.parametrize("path", ["x", "Backups", "/Backups/lap", "/Backups/laptop/x", "/other"])
def test_other_folders_do_not_hold_the_whole_storage(path: str) -> None:
    assert not holds_all(path, "Backups/laptop")
