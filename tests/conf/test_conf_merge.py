"""What is taken from another program's change, and which of our changes are repeated."""

from __future__ import annotations

import json

import pytest

from pluton_rclone.conf.ini import Document
from pluton_rclone.conf.merge import adopted, later_token, repaired_section, with_later_tokens
from pluton_rclone.values.token_text import token_digest


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


BROKEN = json.dumps({"access_token": "", "refresh_token": "r", "expiry": "2040-01-01T00:00:00Z"})


@pytest.mark.parametrize(
    ("present", "candidate", "base", "taken"),
    [
        (None, token(2031), None, True),
        (token(2030), token(2031), None, True),
        (token(2031), token(2030), None, False),
        (token(2031), token(2030), token(2031), True),
        (token(2030), token(2031), token(2031), False),
        (token(2030), BROKEN, token(2030), False),
        (BROKEN, token(2031), None, True),
    ],
    ids=[
        "there is none",
        "it expires later",
        "it expires earlier",
        "it came for the present one",
        "it was lent, and did not change",
        "rclone could not use it",
        "rclone could not use the present one",
    ],
)
def test_of_two_tokens_the_one_that_came_last_counts(
    present: str | None, candidate: str, base: str | None, taken: bool
) -> None:
    """The lifetime is random, so a token can expire before the one that it replaced."""
    current = {"type": "onedrive"} if present is None else {**OLD, "token": present}
    theirs = {**current, "token": candidate}
    digest = base and token_digest(base)
    assert later_token(current, theirs, base=digest) == (candidate if taken else None)
    found = with_later_tokens(
        document(work=current), document(work=theirs), bases={"work": digest} if digest else None
    )
    assert found.sections["work"].get("token") == (candidate if taken else present)


@pytest.mark.parametrize(
    "key", ["type", "client_id", "tenant", "region", "drive_id", "token_url", "pluton_sign_in"]
)
def test_a_token_of_another_sign_in_is_not_taken(key: str) -> None:
    theirs = {**OLD, key: "another", "token": token(2031)}
    assert later_token(OLD, theirs) is None
    assert later_token(theirs, {**OLD, "token": token(2032)}) is None


def test_the_token_of_a_remote_that_was_renamed_meanwhile_finds_it() -> None:
    by_sign_in = {**OLD, "pluton_sign_in": "1"}
    theirs = {**by_sign_in, "token": token(2031)}
    known = document(moved=by_sign_in, other={**OLD, "pluton_sign_in": "2"}, third=OLD)
    found = with_later_tokens(known, document(work=theirs))
    assert found.sections == {**known.sections, "moved": theirs}

    without = {**OLD, "token": token(2031)}  # no sign-in: the token could belong to anyone
    assert with_later_tokens(known, document(work=without)) == known

    drive = {**OLD, "pluton_alias": "work:Backups:old", "token": token(2031)}  # no longer a pair
    found = with_later_tokens(document(work=OLD), document(**{"work-drive": drive}))
    assert found.sections == {"work": {**OLD, "token": token(2031)}}


def test_a_token_that_came_with_our_change_is_made_again_with_it() -> None:
    before, after = {**OLD, "region": "us"}, {**OLD, "region": "us", "token": token(2031)}
    found = repaired_section(
        document(work=before), "work", before=document(work=before), after=document(work=after)
    )
    assert found.sections == {"work": after}


def test_another_sign_in_is_made_again_whole_also_if_its_token_expires_earlier() -> None:
    before, after = document(work=OLD), {**OLD, "pluton_sign_in": "2", "token": token(2001)}
    found = repaired_section(before, "work", before=before, after=document(work=after))
    assert found.sections == {"work": after}


def test_what_moved_to_the_other_section_of_a_pair_leaves_the_first_whole() -> None:
    alias = {"type": "alias", "remote": "work-drive:Backups"}
    found = repaired_section(
        document(work=OLD), "work", before=document(work=OLD), after=document(work=alias)
    )
    assert found.sections == {"work": alias}
