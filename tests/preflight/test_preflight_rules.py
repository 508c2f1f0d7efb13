"""The table of rules, compared with the collected facts and the emulated OneDrive."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pluton_rclone.emulator.drives import drive as emulated_drive
from pluton_rclone.emulator.drives import names as emulated_names
from pluton_rclone.emulator.faults import GraphFault
from pluton_rclone.preflight import RULES, Severity, library_prefix
from pluton_rclone.preflight import rules as table
from pluton_rclone.preflight.rules import not_translated, refused_name
from pluton_rclone.values.encoding import ONEDRIVE_ENCODING, standard_name, to_onedrive

FACTS: dict[str, Any] = json.loads(
    Path(__file__)
    .parent.parent.joinpath("data", "preflight", "limits.json")
    .read_text(encoding="utf-8")
)
KINDS = ["personal", "business", "documentLibrary"]


def test_the_numbers_are_those_of_the_facts() -> None:
    assert f"{table.MAX_FILE_SIZE:,} bytes" in FACTS["file"]["max_file_size"]["code_against"]
    assert f"{table.MAX_PATH} minus" in FACTS["path"]["max_total_length"]["code_against"]
    assert FACTS["path"]["max_total_length"]["value"] == table.MAX_PATH + 1
    assert FACTS["path"]["max_segment_length"]["value"] == table.MAX_NAME
    assert f"{table.TOO_MANY_ENTRIES:,}" in FACTS["counts"]["items_per_folder"]["value"]
    assert f"at least {table.MANY_ENTRIES:,} fine" in FACTS["counts"]["items_per_folder"]["note"]


def test_the_names_are_those_of_the_facts() -> None:
    names = FACTS["names"]
    assert {name.lower() for name in names["forbidden_names"]["value"]} == table.FORBIDDEN_NAMES
    assert names["forbidden_anywhere"]["value"] == [table.FORBIDDEN_ANYWHERE]
    assert names["forbidden_prefixes"]["value"] == [table.FORBIDDEN_START]
    assert f"'{table.FORBIDDEN_AT_ROOT}'" in names["forms_at_library_root"]["value"]
    assert names["what_rclone_does"]["note"].endswith(ONEDRIVE_ENCODING)
    for character in names["forbidden_characters"]["value"]:
        assert not_translated(f"a{character}b", drive_type="personal", folder=False)


def test_every_rule_says_what_happens_what_to_do_and_who_says_so() -> None:
    for name, rule in RULES.items():
        assert rule.name == name
        assert rule.happens.endswith(".")
        assert rule.advice.endswith(".")
        assert (
            "20" in rule.source
            or "issue" in rule.source
            or "1.75.2" in rule.source
            or "stored" in rule.source
        )
    assert {rule.severity for rule in RULES.values()} == set(Severity)


def test_the_emulated_onedrive_has_the_same_limits_from_its_own_reading() -> None:
    assert emulated_drive.MAX_FILE == table.MAX_FILE_SIZE
    assert emulated_names.MAX_PATH == table.MAX_PATH + 1
    assert emulated_names.MAX_NAME == table.MAX_NAME
    assert emulated_names.FORBIDDEN_NAMES == table.FORBIDDEN_NAMES


# names close to a forbidden one, and whether they are forbidden
tricky = st.one_of(
    st.sampled_from(
        [*table.FORBIDDEN_NAMES, "forms", "_vti_", "~$", "~", " ", ".", "com10", "con.txt", "x"]
    ),
    st.text(st.sampled_from("aCo1~$_vtiN .:K\u212a#"), min_size=1, max_size=6),
)
tricky_names = (
    st.lists(tricky, min_size=1, max_size=3)
    .map("".join)
    .flatmap(lambda name: st.sampled_from([name, name.upper(), name.title()]))
)


@given(name=tricky_names, kind=st.sampled_from(KINDS), folder=st.booleans(), at_root=st.booleans())
def test_translated_or_not_a_name_is_refused_exactly_where_the_emulated_onedrive_refuses_it(
    name: str, kind: str, folder: bool, at_root: bool
) -> None:
    for arriving in (name, to_onedrive().from_standard(standard_name(name))):
        ours = refused_name(
            arriving, drive_type=kind, at_root=at_root
        ) is not None or not_translated(arriving, drive_type=kind, folder=folder)
        try:
            emulated_names.check_name(arriving, kind=kind, folder=folder, at_root=at_root)
        except GraphFault:
            assert ours
        else:
            assert not ours


def test_after_rclones_own_translation_no_character_is_left_that_onedrive_refuses() -> None:
    for code in range(1, 128):
        for name in (f"a{chr(code)}b", f"{chr(code)}b", f"a{chr(code)}"):
            if "/" not in name:
                assert not not_translated(
                    to_onedrive().from_standard(standard_name(name)),
                    drive_type="business",
                    folder=True,
                )


@pytest.mark.parametrize(
    ("name", "drive_type", "folder", "refused"),
    [
        ("~a", "business", True, True),
        ("~a", "documentLibrary", True, True),
        ("~a", "business", False, False),
        ("~a", "personal", True, False),
        ("~a:", "personal", True, True),
        ("~$a", "personal", False, True),
        ("a/b", "personal", False, True),
    ],
)
def test_a_tilde_in_front_is_refused_of_folders_at_work_alone(
    name: str, drive_type: str, folder: bool, refused: bool
) -> None:
    assert not_translated(name, drive_type=drive_type, folder=folder) is refused


@pytest.mark.parametrize(
    ("web_url", "prefix"),
    [
        (
            "https://contoso.sharepoint.com/sites/Backups/Shared%20Documents",
            "sites/Backups/Shared Documents",
        ),
        (
            "https://contoso-my.sharepoint.com/personal/bert_contoso_com/Documents/",
            "personal/bert_contoso_com/Documents",
        ),
        ("https://onedrive.live.com/?cid=0123456789abcdef", ""),
        ("", ""),
    ],
)
def test_the_prefix_that_counts_in_paths(web_url: str, prefix: str) -> None:
    assert library_prefix(web_url) == prefix
