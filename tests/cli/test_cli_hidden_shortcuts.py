"""Other people's folders that the browser shows in the drive but Microsoft hides from rclone:
reported at the terminal, with the command to type."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable

import pytest

from pluton_rclone import Storages
from pluton_rclone.emulator import Emulator
from pluton_rclone.emulator.drives.drive import Drive
from pluton_rclone.emulator.faults import GraphFault
from pluton_rclone.setup.connect import DriveKind
from tests.connected import ANNA, BERT, connected, emulated_drive

from .conftest import Command

ADMIN = "admin@contoso.onmicrosoft.com"


def shared_with_bert(cloud: Emulator) -> tuple[Drive, Drive]:
    """Bert's OneDrive; shortcuts to folders of a site's library and of a colleague's drive."""
    drive, library = cloud.files.drive_of(BERT), emulated_drive(cloud, "sharepoint")
    theirs = cloud.files.drive_of(ADMIN)
    library.write("Team/plan.txt", b"a library's")
    theirs.write("Drafts/one.txt", b"a colleague's")
    theirs.share(theirs.folder("Drafts"), BERT)
    drive.add_shortcut(library, library.folder("Team"), "Our team")
    drive.add_shortcut(theirs, theirs.folder("Drafts"), "Drafts", drive.folder("Backups"))
    return drive, library


def test_connecting_names_them_and_what_is_printed_connects_them(
    command: Command, cloud: Emulator, browser: Callable[..., None]
) -> None:
    drive, _ = shared_with_bert(cloud)
    cloud.quirks.shortcuts_on_request(drive)
    browser(BERT)
    ran = command("connect", "Work", "--type", "business", "--base-folder", "Backups")
    assert ran.code == 0, ran.err
    assert "without 2 shortcuts hidden from rclone" in ran.err
    assert "/Backups/Drafts, a folder of " in ran.err
    assert "Our team" not in command("ls", "Work:/").out
    lines = re.findall("pluton-rclone (connect NAME .*)", ran.err)
    for line, name, content in zip(lines, ("team", "drafts"), ("plan", "one"), strict=True):
        ran = command(*shlex.split(line.replace("NAME", name)))
        assert ran.code == 0, ran.err
        assert f"{content}.txt" in command("ls", f"{name}:").out


def test_programs_get_them_as_values(command: Command, cloud: Emulator) -> None:
    drive, library = shared_with_bert(cloud)
    storage = connected(cloud, "business", name="work")
    assert storage.check_health().shortcuts == ()  # this account lists them, so rclone sees them
    with cloud.quirks.shortcuts_on_request(drive):
        (found,) = storage.check_health().shortcuts
        assert (found.path, found.drive_id) == ("/Our team", library.id)
        ran = command("test", "work", "--json")
        (step,) = [one for one in ran.json["steps"] if one["shortcuts"]]
        assert (ran.code, step["name"], step["status"]) == (0, "list", "ok")
        assert step["shortcuts"] == [vars(found)]
    assert Storages()["work"].check_health().shortcuts == ()


@pytest.mark.parametrize("kind", ["personal", "sharepoint"])
def test_who_has_none_is_asked_once_and_a_library_never(cloud: Emulator, kind: DriveKind) -> None:
    storage = connected(cloud, kind)
    assert storage.test().ok
    asked = [request for request in cloud.requests if request.prefer.startswith("Include")]
    assert len(asked) == (kind == "personal")


def test_a_drive_that_cannot_be_asked_is_no_failure(cloud: Emulator) -> None:
    storage = connected(cloud)
    fault = GraphFault(400, "invalidRequest", "Preference not supported")
    cloud.faults.arm(fault, where="/root/children$", username=ANNA)
    report = storage.test()
    (step,) = [step for step in report.steps if step.name == "list"]
    assert report.ok
    assert "could not be listed: invalidRequest" in step.text
