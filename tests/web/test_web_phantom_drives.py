"""Drives that are no place for a backup are not offered on the page."""

from __future__ import annotations

import html
from pathlib import Path

from pluton_rclone import Storages
from pluton_rclone.emulator import Emulator
from tests.connected import ANNA, BERT

from .client import Person, at_the_page, until_over


def finish(page: Person, draft: str) -> None:
    page.post(f"{draft}/options")
    page.post(f"{draft}/test")
    until_over(page)
    page.post(f"{draft}/save")


def test_a_work_account_is_offered_its_onedrive_alone(cloud: Emulator, home: Path) -> None:
    cloud.quirks.cache_library(BERT, first=True)
    cloud.quirks.organization_logos(BERT)
    own = cloud.files.drive_of(BERT).id
    with at_the_page() as page:
        draft = page.begin("Work")
        page.sign_in(cloud, draft, BERT)
        offered = html.unescape(page.post(f"{draft}/type", {"kind": "business"}).text)
        assert own in offered
        assert "PersonalCacheLibrary" not in offered
        assert "Organization Logos" not in offered
        page.post(f"{draft}/location", {"drive": own})
        finish(page, draft)
    assert Storages()["work"].remote.drive_id == own


def test_a_personal_account_needs_no_choice(cloud: Emulator, home: Path) -> None:
    cloud.quirks.bundles(ANNA, first=True)
    cloud.quirks.unreadable_drive(ANNA, first=True)
    with at_the_page() as page:
        draft = page.begin("Mine")
        page.sign_in(cloud, draft, ANNA)
        assert page.post(f"{draft}/type", {"kind": "personal"}).url.path.endswith("/options")
        finish(page, draft)
    assert Storages()["mine"].remote.drive_id == cloud.files.drive_of(ANNA).id.lower()
