"""Sections that people have: how `repair` changes them, at the terminal and on the page."""

from __future__ import annotations

import html
import json
import re
from pathlib import Path
from typing import Any

import pytest

from pluton_rclone import Storage, Storages
from pluton_rclone.emulator import Emulator
from pluton_rclone.emulator.faults import GraphFault
from pluton_rclone.errors import (
    AccessDenied,
    DriveNotFound,
    NextStep,
    OptionInvalid,
    Throttled,
    TokenExpired,
)
from tests.connected import ANNA, BERT, by_tenant_url, connected, emulated_drive
from tests.web.client import at_the_page, until_over
from tests.web.visitor import ADMIN

from .conftest import Command

PHANTOM = "b!ZzCndpMgSEqYqLSx"
SECTIONS: dict[str, dict[str, str | None]] = {
    "no drive": {"drive_id": None, "drive_type": None},
    "no type": {"drive_type": None},
    "the id of a phantom": {"drive_id": PHANTOM},
    "an encoding in small letters": {"encoding": "slash,ltgt,doublequote,colon,backslash,dot"},
    "all of it": {"drive_id": None, "drive_type": None, "encoding": "slash,dot"},
}


def spoiled(cloud: Emulator, changes: dict[str, str | None], **options: Any) -> Storage:
    storage = connected(cloud, "personal", name="Work files", chunk_size="5Mi", **options)
    storage.storages.conf.update(storage.remote_name, changes)
    return storage


def whole(cloud: Emulator, storage: Storage, before: dict[str, str]) -> None:
    remote, after = storage.remote, storage.section_with_secrets()
    assert remote.drive_id == cloud.files.drive_of(ANNA).id.lower()
    assert remote.drive_type == "personal"
    assert str(after["chunk_size"]) == before["chunk_size"]
    assert after["pluton_sign_in"] == before["pluton_sign_in"]
    refresh = [json.loads(one["token"])["refresh_token"] for one in (before, after)]
    assert all(refresh)
    storage.list()


def test_without_drive_and_token_there_is_nothing_to_repair(command: Command) -> None:
    """As after an aborted `rclone config`: repair advised reauthorize, and that, repair."""
    Storages().conf.add("work", {"type": "onedrive"})
    for word in ("test", "reauthorize"):
        ran = command(word, "work")
        assert "Connect it again: pluton-rclone remove work" in ran.err
    assert "The command is: pluton-rclone reauthorize work" in command("repair", "work").err


@pytest.mark.parametrize("name", SECTIONS)
def test_at_the_terminal_it_says_repair_and_repair_makes_it_work(
    command: Command, cloud: Emulator, name: str
) -> None:
    storage = spoiled(cloud, SECTIONS[name])
    before = storage.section_with_secrets()
    assert command("ls", "Work files:").code != 0
    found = command("inspect", "Work files")
    assert "Repair it" in found.out + found.err
    ran = command("repair", "Work files")
    assert ran.code == 0, ran.err
    whole(cloud, storage, before)
    assert "Repair it" not in command("inspect", "Work files").out


def test_on_the_page_a_button_finds_the_drive(cloud: Emulator) -> None:
    storage = spoiled(cloud, SECTIONS["all of it"])
    before, at = storage.section_with_secrets(), f"/storages/{storage.remote_name}"
    with at_the_page() as page:
        assert "Find its drive" in page.get(at).text
        page.post(f"{at}/repair")
        until_over(page)
        assert "Find its drive" not in page.get(at).text
    whole(cloud, storage, before)


DOORS = (
    ("ls", "Work files:"),
    ("ls", "-R", "Work files:"),
    ("cat", "Work files:a"),
    ("copy", "{here}", "Work files:x"),
    ("sync", "--yes", "{here}", "Work files:x"),
    ("check", "{here}", "Work files:x"),
    ("size", "Work files:"),
    ("health", "Work files"),
    ("test", "Work files"),
)


@pytest.mark.parametrize("door", DOORS, ids=" ".join)
def test_a_drive_that_is_not_there_can_be_repaired_says_every_door(
    command: Command, cloud: Emulator, tmp_path: Path, door: tuple[str, ...]
) -> None:
    spoiled(cloud, {"drive_id": "0123456789abcdef"})
    (tmp_path / "a").write_text("a")
    ran = command(*(word.format(here=tmp_path) for word in door))
    assert ran.code == 4
    assert "Look up its drive again" in ran.err
    assert "pluton-rclone repair 'Work files'" in ran.err


def test_a_drive_that_is_not_there_can_be_repaired_says_the_page(cloud: Emulator) -> None:
    storage = spoiled(cloud, {"drive_id": "0123456789abcdef"})
    before, at = storage.section_with_secrets(), f"/storages/{storage.remote_name}"
    with at_the_page() as page:
        health = page.get(f"{at}/health").text
        assert "Look up its drive again" in health
        assert "Find its drive" in health
        assert "Look up its drive again" in page.get(f"{at}/files").text
        page.post(f"{at}/repair")
        until_over(page)
    whole(cloud, storage, before)


def test_a_drive_of_another_type_can_be_repaired_says_the_test(
    command: Command, cloud: Emulator
) -> None:
    """Formerly, the advice was to set drive_type, which `set` refuses."""
    storage = connected(cloud, "sharepoint", name="work")
    storage.storages.conf.update("work", {"drive_type": "business"})
    for door in (("test", "work"), ("health", "work"), ("set", "work", "chunk_size=5Mi")):
        ran = command(*door)
        assert ran.code == 4
        assert "pluton-rclone repair work" in ran.err
    with at_the_page() as page:
        assert "Find its drive" in page.get("/storages/work/health").text
    assert command("repair", "work").code == 0
    assert storage.remote.drive_type == "documentLibrary"
    assert command("test", "work").code == 0


def test_a_wrong_id_at_connect_says_to_check_it(command: Command, cloud: Emulator) -> None:
    ran = command("connect", "New", "--type", "personal", "--drive", "0123456789abcdef")
    assert "Check the drive's id" in ran.err
    assert "repair" not in ran.err


def test_what_is_missing_names_the_command(command: Command, cloud: Emulator) -> None:
    spoiled(cloud, SECTIONS["no drive"])
    assert "pluton-rclone repair 'Work files'" in command("test", "Work files").err


def test_the_drive_is_found_with_a_token_that_has_expired(cloud: Emulator) -> None:
    storage = spoiled(cloud, SECTIONS["no drive"], seconds=-10.0)
    storage.repair()
    assert storage.remote.drive_id == cloud.files.drive_of(ANNA).id.lower()


def test_a_token_that_cannot_be_renewed_is_the_reason_and_nothing_changes(cloud: Emulator) -> None:
    storage = spoiled(cloud, SECTIONS["no drive"], seconds=-10.0)
    cloud.world.revoke_tokens(cloud.world.person(ANNA))
    before = storage.section_with_secrets()
    with pytest.raises(TokenExpired) as refusal:
        storage.repair()
    assert refusal.value.next_step is NextStep.REAUTHORIZE
    assert storage.section_with_secrets() == before


def test_a_phantom_that_microsoft_lists_is_not_taken_for_the_drive(cloud: Emulator) -> None:
    cloud.quirks.bundles(ANNA, first=True)
    cloud.quirks.unreadable_drive(ANNA, first=True)
    storage = spoiled(cloud, SECTIONS["no drive"])
    storage.repair()
    assert storage.remote.drive_id == cloud.files.drive_of(ANNA).id.lower()


@pytest.mark.parametrize("status", [503, 403, 404])
def test_no_other_drive_is_taken_for_one_that_cannot_be_opened(
    cloud: Emulator, status: int
) -> None:
    """A drive that the administrator shares: formerly, Bert's own was filled in instead."""
    theirs, own = cloud.files.drive_of(ADMIN), cloud.files.drive_of(BERT)
    theirs.share(theirs.root, BERT)
    wide = ("Files.ReadWrite.All",)
    storage = connected(cloud, "business", drive_id=theirs.id, granted_scopes=wide)
    before = storage.section_with_secrets()
    code = {503: "serviceNotAvailable", 403: "accessDenied", 404: "itemNotFound"}[status]
    root = f"{re.escape(theirs.id[2:])}/root$"
    cloud.faults.arm(GraphFault(status, code, "No."), times=None, where=root)
    with pytest.raises((Throttled, AccessDenied, DriveNotFound)) as refusal:
        storage.repair()
    assert refusal.value.code == {503: "throttled", 403: "access_denied"}.get(
        status, "drive_not_found"
    )
    assert (own.id in str(refusal.value)) is (status == 404)  # if that could be the intended one
    assert storage.section_with_secrets() == before
    storage.repair(drive_id=own.id)
    assert storage.remote.drive_id == own.id


def test_a_library_is_named_by_its_id(cloud: Emulator) -> None:
    storage = connected(cloud, "sharepoint", name="team")
    storage.storages.conf.update("team", {"drive_id": None})
    with pytest.raises(DriveNotFound, match="documentLibrary") as refusal:
        storage.repair()
    assert "Give the id" in refusal.value.advice
    library = emulated_drive(cloud, "sharepoint").id
    storage.repair(drive_id=library)
    assert storage.remote.drive_id == library


def test_a_form_may_write_an_encoding_in_small_letters(cloud: Emulator) -> None:
    storage = connected(cloud)
    storage.update(encoding="slash,ltgt,doublequote")
    assert storage.section_with_secrets()["encoding"] == "Slash,LtGt,DoubleQuote"
    storage.list()
    with pytest.raises(OptionInvalid, match="encoding"):
        storage.update(encoding="slash,nonsense")


def test_rclones_way_without_an_administrator_is_taken_by_test_too(
    command: Command, cloud: Emulator
) -> None:
    by_tenant_url(cloud, "t")
    cloud.files.drive_of(BERT).write("a.txt", b"a")
    for call in (("ls", "t:"), ("repair", "t"), ("about", "t"), ("test", "t")):
        ran = command(*call)
        assert ran.code == 0, (call, ran.err)
    assert "reached through https://contoso-my.sharepoint.com" in html.unescape(ran.err)


def test_several_drives_are_named_with_their_ids(command: Command, cloud: Emulator) -> None:
    storage = connected(cloud, "business", name="work")
    files = cloud.files
    beside = files.add(files.beside(BERT, "Archive", kind="business"))
    files.list_too(BERT, beside)
    storage.storages.conf.update("work", {"drive_id": None, "drive_type": None})
    ran = command("repair", "work")
    assert ran.code == 2
    assert beside.id in ran.err
    assert command("repair", "work", "--drive", beside.id).code == 0
    assert Storages()["work"].remote.drive_id == beside.id
