"""Names of remotes: what each rclone accepts, and how a friendly name becomes one."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pluton_rclone.errors import OptionInvalid
from pluton_rclone.remote.names import check_name, derive_name, name_fault
from tests.conf.real_rclone import RCLONE, run
from tests.rclone.debian import debian_rclone

OLD, MIDDLE, NEW = (1, 60, 1), (1, 61, 0), (1, 75, 2)
NAMES = {
    "anna": (True, True, True),
    "anna bert": (True, True, True),
    "a.b_c-d": (True, True, True),
    "anna@home+1": (False, False, True),
    "zoë": (False, True, True),
    "漢字": (False, True, True),
    "a:b": (False, False, False),
    "a/b": (False, False, False),
    "a'b": (False, False, False),
    "": (False, False, False),
    "-x": (False, False, False),
    " x": (False, False, False),
    "x ": (False, False, False),
    "x-": (False, False, False),
    "a b-": (True, True, True),
    "x--": (True, True, True),
    "DEFAULT": (False, False, False),
}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("version", "column"), [(OLD, 0), (MIDDLE, 1), (NEW, 2)])
def test_each_version_takes_its_own_names(
    name: str, version: tuple[int, int, int], column: int
) -> None:
    assert (name_fault(name, version) is None) == NAMES[name][column]


@pytest.mark.parametrize("name", [name for name in NAMES if name not in ("", "DEFAULT")])
def test_the_real_rclones_agree(name: str, tmp_path: Path) -> None:
    """`config create` checks the name; 1.60.1 accepts spaces and hyphens at the edges, which we do
    not."""
    config = tmp_path / "rclone.conf"
    for binary, column in ((RCLONE, 2), (debian_rclone(), 0)):
        done = run(config, "config", "create", "--", name, "memory", binary=binary)
        if column == 2 or name.strip(" -") == name:
            assert (done.returncode == 0) == NAMES[name][column], done.stderr.decode()


@pytest.mark.parametrize(
    ("friendly", "name"),
    [
        ("Anna's OneDrive (Work)", "annas-onedrive-work"),
        ("OneDrive Personal Backups", "onedrive-personal-backups"),
        ("-rf *", "rf"),
        ("Müller & Söhne", "müller-söhne"),
        ("漢字", "漢字"),
        ("a.b", "a-b"),
        ("😀", "onedrive"),
        ("", "onedrive"),
        ("x" * 200, "x" * 60),
    ],
)
def test_a_friendly_name_becomes_a_name_that_needs_no_quotes(friendly: str, name: str) -> None:
    assert derive_name(friendly) == name


def test_an_old_rclone_gets_ascii() -> None:
    assert derive_name("Zoë", (), OLD) == "zoe"


def test_a_taken_name_gets_a_number() -> None:
    assert derive_name("Anna", {"anna", "anna-2"}) == "anna-3"


@given(st.text(max_size=40), st.sampled_from([OLD, MIDDLE, NEW]))
@settings(database=None)
def test_whatever_the_friendly_name_the_derived_one_is_taken(
    friendly: str, version: tuple[int, int, int]
) -> None:
    name = derive_name(friendly, (), version)
    assert name_fault(name, version) is None
    assert " " not in name
    assert "." not in name


def test_the_refusal_names_the_character_and_the_version() -> None:
    with pytest.raises(OptionInvalid, match=r"'@', which rclone accepts only since 1\.62"):
        check_name("a@b", MIDDLE)


def test_a_name_that_would_share_options_with_another_one_is_not_derived() -> None:
    assert derive_name("Work", {"work.archive"}) == "work-2"
    assert derive_name("Work", {"works.archive", "work.archive.old"}) == "work"
