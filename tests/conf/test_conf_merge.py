"""What is taken from a change of another program, and which of ours is made again."""

from __future__ import annotations

import json

import pytest

from pluton_rclone.conf.ini import Document
from pluton_rclone.conf.merge import adopted, repaired_section


def token(year: int) -> str:
    record = {"access_token": f"a{year}", "refresh_token": f"r{year}", "token_type": "Bearer"}
    return json.dumps({**record, "expiry": f"{year}-01-01T00:00:00Z"})


def document(**sections: dict[str, str]) -> Document:
    made = Document()
    for name, section in sections.items():
        made = made.with_section(name, section)
    return made


OLD = {"type": "onedrive", "drive_id": "b!1", "chunk_size": "10Mi", "token": token(2030)}


@pytest.mark.parametrize(
    ("mine", "theirs", "expected"),
    [
        ({}, {"chunk_size": "20Mi"}, {"chunk_size": "20Mi"}),
        ({"chunk_size": "5Mi"}, {"chunk_size": "20Mi"}, {"chunk_size": "5Mi"}),
        ({"region": "us"}, {"hard_delete": "true"}, {"region": "us", "hard_delete": "true"}),
        ({}, {"token": token(2031)}, {"token": token(2031)}),
        ({}, {"token": token(2029)}, {}),
        ({"token": token(2032)}, {"token": token(2031)}, {"token": token(2032)}),
    ],
    ids=["theirs", "ours first", "both", "a later token", "an earlier token", "ours is later"],
)
def test_another_programs_changes_are_adopted_where_we_made_none(
    mine: dict[str, str], theirs: dict[str, str], expected: dict[str, str]
) -> None:
    found = adopted(
        document(work={**OLD, **mine}),
        ancestor=document(work=OLD),
        theirs=document(work={**OLD, **theirs}),
    )
    assert found.sections == {"work": {**OLD, **expected}}


def test_a_section_of_theirs_is_added_and_none_is_taken_away() -> None:
    found = adopted(
        document(work=OLD, ours={"type": "alias"}),
        ancestor=document(work=OLD, removed=OLD),
        theirs=document(new={"type": "sftp", "host": "h"}, empty={}, removed=OLD),
    )
    assert found.sections == {
        "work": OLD,
        "ours": {"type": "alias"},
        "new": {"type": "sftp", "host": "h"},
    }


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        ({}, {"chunk_size": "20Mi"}),
        ({"chunk_size": "20Mi"}, {"chunk_size": "20Mi"}),
        ({"chunk_size": "5Mi"}, {"chunk_size": "5Mi"}),
        ({"region": "us"}, {"region": "us", "chunk_size": "20Mi"}),
        ({"token": token(2031)}, {"token": token(2031), "chunk_size": "20Mi"}),
    ],
    ids=["it fell back", "it stands", "a third value", "another key", "a later token"],
)
def test_our_change_is_made_again_where_it_fell_back(
    now: dict[str, str], expected: dict[str, str]
) -> None:
    found = repaired_section(
        document(work={**OLD, **now}),
        "work",
        before=document(work=OLD),
        after=document(work={**OLD, "chunk_size": "20Mi"}),
    )
    assert found.sections == {"work": {**OLD, **expected}}


def test_an_addition_and_a_removal_are_made_again_unless_the_section_was_changed() -> None:
    nothing, there, changed = document(), document(work=OLD), document(work={**OLD, "region": "us"})
    renewed = document(work={**OLD, "token": token(2031)})

    assert repaired_section(nothing, "work", before=nothing, after=there).sections == {"work": OLD}
    assert not repaired_section(there, "work", before=there, after=nothing).sections
    assert not repaired_section(renewed, "work", before=there, after=nothing).sections
    assert repaired_section(changed, "work", before=there, after=nothing) == changed
    assert repaired_section(nothing, "work", before=there, after=changed) == nothing
