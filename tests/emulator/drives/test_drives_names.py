"""The names and paths that the emulated OneDrive refuses: one example of every documented rule."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pluton_rclone.emulator.drives.drive import Drive
from pluton_rclone.emulator.drives.names import (
    FORBIDDEN_CHARACTERS,
    FORBIDDEN_NAMES,
    MAX_NAME,
    MAX_PATH,
)
from pluton_rclone.emulator.faults import GraphFault

from .drive_maker import business, library, personal

REFUSED_EVERYWHERE = [
    *(f"a{character}b" for character in '"*:<>?\\|'),
    "line\nbreak",
    "del\x7f",
    " leading",
    "trailing ",
    "trailing.",
    "CON",
    "con",
    "PRN",
    "aux",
    "NUL",
    "COM0",
    "com9",
    "LPT0",
    "lpt9",
    ".lock",
    ".LOCK",
    "desktop.ini",
    "Desktop.INI",
    "~$budget.docx",
    "a_vti_b",
    "A_VTI_B",
    "..",
    "x" * 256,
]
TAKEN = [
    "CON.txt",
    "lock",
    "a#b%.txt",
    "'",
    "x" * 255,
    ".hidden",
    "a..b",
    "～",
    "ü",
    "😀",
    "~file.txt",
    "COM10",
]


def test_the_rules_are_those_of_the_facts() -> None:
    facts = json.loads(
        (Path(__file__).parents[2] / "data" / "preflight" / "limits.json").read_text()
    )
    assert set(facts["names"]["forbidden_characters"]["value"]) == set(FORBIDDEN_CHARACTERS)
    assert {name.lower() for name in facts["names"]["forbidden_names"]["value"]} == FORBIDDEN_NAMES
    assert facts["path"]["max_total_length"]["value"] == MAX_PATH
    assert facts["path"]["max_segment_length"]["value"] == MAX_NAME


def put(drive: Drive, path: str) -> None:
    drive.write(path, b"x")


@pytest.mark.parametrize("name", REFUSED_EVERYWHERE)
def test_refused_on_every_kind_of_drive(name: str) -> None:
    for drive in (personal(), business(), library()):
        for make in (drive.make_folder, lambda parent, name, drive=drive: put(drive, name)):
            with pytest.raises(GraphFault) as refusal:
                make(drive.root, name)
            assert (refusal.value.status, refusal.value.code) == (400, "invalidRequest")
            assert refusal.value.inner_codes == ("invalidPath",)


@pytest.mark.parametrize("name", TAKEN)
def test_taken_on_every_kind_of_drive(name: str) -> None:
    for drive in (personal(), business(), library()):
        assert drive.write(name, b"x").name == name


def test_a_folder_that_begins_with_a_tilde_is_refused_where_sharepoint_is_behind_it() -> None:
    assert personal().make_folder(personal().root, "~folder").name == "~folder"
    for drive in (business(), library()):
        with pytest.raises(GraphFault):
            drive.make_folder(drive.root, "~folder")


def test_forms_is_refused_at_the_root_of_a_library_only() -> None:
    drive = library()
    with pytest.raises(GraphFault):
        drive.write("Forms", b"x")
    assert drive.write("below/forms", b"x").path() == "below/forms"
    assert personal().write("forms", b"x").name == "forms"


@pytest.mark.parametrize(
    ("drive", "prefix"),
    [
        (personal(), ""),
        (business(), "personal/bert_contoso_onmicrosoft_com/Documents/"),
        (library(), "sites/Backups/Shared Documents/"),
    ],
    ids=["personal", "business", "library"],
)
def test_a_path_has_fewer_than_400_characters_with_site_and_library(
    drive: Drive, prefix: str
) -> None:
    longest = f"{'f' * 180}/".ljust(399 - len(prefix), "n")
    assert drive.write(longest, b"x").path() == longest
    with pytest.raises(GraphFault) as refusal:
        drive.write(longest + "n", b"x")
    assert (refusal.value.status, refusal.value.inner_codes) == (400, ("pathIsTooLong",))


def test_a_moved_folder_takes_the_length_of_what_lies_in_it_along() -> None:
    drive = business()
    moved = drive.folder("short")
    drive.write(f"short/{'n' * 250}/{'n' * 40}", b"x")
    target = drive.folder("t" * 60)
    with pytest.raises(GraphFault) as refusal:
        drive.move(moved, target, "short")
    assert refusal.value.inner_codes == ("pathIsTooLong",)
    assert drive.find("short") is moved


def test_the_limits_can_be_switched_off() -> None:
    drive = business()
    drive.enforce_limits = False
    assert drive.write("CON", b"x").name == "CON"
