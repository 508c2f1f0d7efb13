"""Screens of the terminal for Microsoft's real answers: the real rclone against one quirk of the
emulator each, compared with the page as in `test_docs_screens`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pluton_rclone.emulator import PUBLIC_CLIENT_ID, Emulator
from pluton_rclone.emulator.drives.drive import Drive, Site
from tests.connected import ANNA, BERT, connected

from .conftest import Screen
from .test_docs_screens import ran, same_as_page

ADMIN = "admin@contoso.onmicrosoft.com"
SITE = "https://contoso.sharepoint.com/sites/Backups"


def drive_of(cloud: Emulator) -> Drive:
    drive = cloud.files.drive_of(ANNA)
    drive.write("folder/a.txt", b"a")
    return drive


def backups(cloud: Emulator) -> Site:
    site = cloud.files.site_at("contoso.sharepoint.com", "/sites/Backups")
    assert site is not None
    return site


def revoked(cloud: Emulator) -> None:
    cloud.quirks.access_token_refused(ANNA)
    cloud.world.revoke_tokens(cloud.world.person(ANNA))


SAVED: dict[str, tuple[str, Callable[[Emulator], object], str]] = {
    "busy": (
        "pluton-rclone ls Work:",
        lambda cloud: cloud.quirks.bare_answer(503, times=None),
        "try again later",
    ),
    "no-license": (
        "pluton-rclone ls Work:",
        lambda cloud: cloud.quirks.no_license(ANNA),
        "OneDrive licence",
    ),
    "read-only-store": (
        "pluton-rclone ls Work:",
        lambda cloud: cloud.quirks.service_read_only(ANNA),
        "made it read-only",
    ),
    "vault": (
        "pluton-rclone ls Work:folder",
        lambda cloud: cloud.quirks.handle_invalid(drive_of(cloud), "folder"),
        "Personal Vault",
    ),
    "open-elsewhere": (
        "pluton-rclone copy folder Work:folder",
        lambda cloud: cloud.quirks.open_elsewhere(drive_of(cloud), "folder/a.txt"),
        "open",
    ),
    "hard-delete": (
        "pluton-rclone delete Work:folder/a.txt --yes",
        lambda cloud: cloud.quirks.permanent_delete_unsupported(drive_of(cloud)),
        "hard_delete",
    ),
    "revoked": ("pluton-rclone ls Work:", revoked, "reauthorize"),
}


@pytest.mark.parametrize("name", SAVED)
def test_a_storage_that_works_otherwise(
    screen: Screen,
    cloud: Emulator,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    line, play, words = SAVED[name]
    connected(cloud, name="Work", hard_delete=True)
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "a.txt").write_text("changed")
    monkeypatch.chdir(tmp_path)
    play(cloud)
    text = ran(screen, line)
    assert words in text
    same_as_page(name, "troubleshooting.md", text)


def test_a_site_that_this_person_may_not_open(
    screen: Screen, cloud: Emulator, browser: Callable[..., None]
) -> None:
    browser(ADMIN)
    cloud.quirks.site_forbidden(backups(cloud), ADMIN)
    text = ran(screen, f"pluton-rclone connect Team --site {SITE}")
    assert "no access to this site" in text
    same_as_page("no-member", "troubleshooting.md", text)


def test_a_registration_for_personal_accounts_alone(screen: Screen, cloud: Emulator) -> None:
    cloud.quirks.personal_accounts_only(PUBLIC_CLIENT_ID)
    text = ran(screen, "pluton-rclone connect Home --method device")
    assert "consumers" in text
    same_as_page("consumers", "troubleshooting.md", text)


def test_shortcuts_that_rclone_is_not_shown(screen: Screen, cloud: Emulator) -> None:
    drive, library = cloud.files.drive_of(BERT), backups(cloud).libraries[0]
    drive.add_shortcut(library, library.folder("Team"), "TeamFolder")
    cloud.quirks.shortcuts_on_request(drive)
    connected(cloud, "business", name="Work")
    text = ran(screen, "pluton-rclone test Work")
    assert "TeamFolder" in text
    same_as_page("shortcuts", "troubleshooting.md", text)


def test_a_remote_whose_drive_is_one_of_those_that_microsoft_lists_beside_it(
    screen: Screen, cloud: Emulator
) -> None:
    storage = connected(cloud, name="Work")
    storage.storages.conf.update("work", {"drive_id": "b!ZzCndpMgSEqYqLSx"})
    cloud.quirks.bundles(ANNA, first=True)
    text = ran(screen, "pluton-rclone ls Work:") + ran(screen, "pluton-rclone repair Work")
    assert "is repaired" in text
    same_as_page("repair", "troubleshooting.md", text)
