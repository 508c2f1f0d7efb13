"""Other people's folders that the browser shows in the drive but Microsoft hides from rclone: the
page reports them, with enough information to connect them."""

from __future__ import annotations

import html
import re
from pathlib import Path

from pluton_rclone import Storages
from pluton_rclone.emulator import Emulator
from tests.connected import BERT, emulated_drive

from .client import Person, at_the_page, until_over


def saved(page: Person, cloud: Emulator, name: str, kind: str, step: str, **form: str) -> str:
    """The walk as Bert; returns the page with the result of its test."""
    draft = page.begin(name)
    page.sign_in(cloud, draft, BERT)
    page.post(f"{draft}/type", {"kind": kind})
    if kind == "sharepoint":  # it needs another permission
        page.sign_in(cloud, draft, BERT)
    options = page.post(f"{draft}/{step}", form).text
    (folder,) = re.findall('name="base_folder"[^>]* value="([^"]*)"', options)
    page.post(f"{draft}/options", {"base_folder": html.unescape(folder)})
    page.post(f"{draft}/test")
    until_over(page)
    tested = page.get(f"{draft}/save").text
    page.post(f"{draft}/save")
    until_over(page)
    return tested


def test_the_page_names_them_and_takes_the_address_that_it_gives(
    cloud: Emulator, home: Path
) -> None:
    drive, library = cloud.files.drive_of(BERT), emulated_drive(cloud, "sharepoint")
    library.write("Team & we/plan.txt", b"a library's")
    drive.add_shortcut(library, library.folder("Team & we"), "Our team")
    cloud.quirks.shortcuts_on_request(drive)
    with at_the_page() as page:
        tested = saved(page, cloud, "Work", "business", "location", drive=drive.id)
        for text in (tested, page.get("/storages/work/health").text):
            (address,) = re.findall("<li>/Our team: <code>(.*)</code>", text)
        saved(page, cloud, "Team", "sharepoint", "address", address=html.unescape(address))
        assert "plan.txt" in page.get("/storages/team/files").text
    assert Storages()["team"].remote.drive_id == library.id
