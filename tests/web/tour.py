"""A tour through every page of the application, with one look at each: for axe and for the
pictures."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.error import URLError

from pluton_rclone.emulator import Consent

from .visitor import ADMIN, ANNA, BERT, Visitor, at_microsoft, closes

if TYPE_CHECKING:
    from pluton_rclone.emulator import Emulator

NAME = "OneDrive Personal Backups"


def tour(visitor: Visitor, cloud: Emulator, home: Path) -> None:
    """Personal and everything that follows, then Business, then SharePoint, where the permission is
    refused first.

    `home` is the folder that copies may use.
    """
    page = visitor.page
    visitor.seen("0-empty")
    personal(visitor)
    afterwards(visitor, home)
    business(visitor)
    sharepoint(visitor, cloud)
    page.get_by_role("link", name="Storages", exact=True).first.click()
    page.get_by_text("Works").nth(2).wait_for()
    visitor.seen("9-storages")
    expired(visitor, cloud)
    unfinished(visitor)
    visitor.press("Let another browser in")
    visitor.heading("another browser")
    visitor.seen("18-invite")
    visitor.press("Leave")
    visitor.heading("You have left")
    visitor.seen("19-left")


def personal(visitor: Visitor) -> None:
    page = visitor.page
    visitor.add(NAME)
    visitor.seen("3-authorize")
    visitor.press("Sign in on another device")
    page.get_by_label("The code").wait_for()
    visitor.seen("3-code")
    page.get_by_role("link", name="Sign in another way").click()
    visitor.authorize(ANNA, "cancel")
    page.get_by_role("alert").first.wait_for()
    visitor.seen("3-declined")
    visitor.authorize(ANNA, "accept")
    visitor.choose_type("OneDrive Personal")
    visitor.heading("Advanced options")
    page.get_by_text("All other options").click()
    chunk = page.get_by_label("Chunk size")
    chunk.fill("7Mi")
    chunk.press("Tab")
    page.get_by_text("not a multiple of").wait_for()
    visitor.seen("6-fault")
    chunk.fill("10Mi")
    chunk.press("Tab")
    page.get_by_text("not a multiple of").wait_for(state="detached")
    visitor.options()
    visitor.test()
    visitor.save(NAME)


def afterwards(visitor: Visitor, home: Path) -> None:
    page = visitor.page
    source = home / "photos"
    source.mkdir()
    for number in range(3):
        (source / f"holiday {number}.jpg").write_bytes(content(number))
    page.get_by_role("link", name="Copy to it").click()
    visitor.heading("Copy files")
    page.get_by_label("Folder or file on this machine").fill(str(source))
    page.get_by_label("Into the folder in the storage").fill("photos/2026")
    visitor.seen("10-copy")
    visitor.press("Start the copy")
    visitor.heading("Copied")
    visitor.seen("11-copied")
    page.get_by_role("link", name="Back to the storage").click()
    page.get_by_role("link", name="Browse folders").click()
    page.get_by_role("link", name="photos").click()
    page.get_by_role("link", name="2026").click()
    page.get_by_text("holiday 0.jpg").wait_for()
    visitor.seen("12-files")
    page.get_by_role("link", name=NAME).click()
    page.get_by_role("link", name="Edit name and options").click()
    visitor.heading("Edit name and options")
    visitor.seen("13-edit")
    page.get_by_role("link", name="Cancel", exact=True).click()
    page.get_by_role("link", name="Remove", exact=True).click()
    visitor.heading("^Remove")
    visitor.seen("14-remove")
    page.get_by_role("link", name="Transfers").click()
    visitor.heading("^Transfers")
    visitor.seen("15-transfers")
    page.get_by_role("link", name="Storages", exact=True).first.click()


def content(number: int) -> bytes:
    """The content of a small file, different for each number."""
    return bytes([number]) * 50_000


def business(visitor: Visitor) -> None:
    visitor.add("Work")
    visitor.authorize(BERT, "accept")
    visitor.choose_type("OneDrive for Business")
    visitor.heading("Which drive")
    visitor.seen("5-business")
    visitor.page.get_by_text("Paste an address instead").click()
    visitor.page.get_by_label("Address of a site").fill("https://example.org/elsewhere")
    visitor.press("Use this address")
    visitor.page.get_by_role("alert").wait_for()
    visitor.seen("5-address")
    visitor.page.get_by_role("radio").first.wait_for()
    visitor.press("Continue")
    visitor.options()
    visitor.test()
    visitor.save("Work")
    visitor.page.get_by_role("link", name="Storages", exact=True).first.click()


def sharepoint(visitor: Visitor, cloud: Emulator) -> None:
    """An organisation where Sites.Read.All needs the administrator, who consents after the first
    refusal."""
    page = visitor.page
    cloud.world.tenant("contoso.onmicrosoft.com").policies.user_consent = Consent.MANAGED
    visitor.add("Team library")
    visitor.authorize(BERT)
    visitor.choose_type("SharePoint document library")
    visitor.heading("one more permission")
    visitor.seen("3-sharepoint")
    window = visitor.open_window()
    window.locator("#return").click()
    closes(window)
    for_administrator = page.get_by_label("Address for your administrator")
    for_administrator.wait_for()
    visitor.seen("3-administrator")
    with contextlib.suppress(URLError):  # it ends at http://localhost, where no one listens
        cloud.person(ADMIN).visit(for_administrator.input_value())
    closes(visitor.open_window())
    visitor.heading("Which SharePoint site")
    page.get_by_label("Search sites").press_sequentially("Back")
    page.get_by_text("Communication site").wait_for(state="detached")
    visitor.seen("5-sites")
    page.get_by_role("link", name="Backups", exact=False).click()
    visitor.heading("Which library")
    visitor.seen("5-libraries")
    visitor.press("Continue")
    visitor.options()
    visitor.test()
    visitor.save("Team library")


def unfinished(visitor: Visitor) -> None:
    """A name that is taken; a setup that is interrupted and then discarded; a page that does not
    exist."""
    page = visitor.page
    page.get_by_role("link", name="Add storage").first.click()
    page.get_by_role("button", name="Microsoft OneDrive").click()
    visitor.heading("friendly name")
    page.get_by_label("Storage name").fill("Work")
    visitor.press("Continue")
    page.get_by_role("alert").wait_for()
    visitor.seen("2-taken")
    page.get_by_role("link", name="Storages", exact=True).first.click()
    page.get_by_text("Not finished yet").wait_for()
    page.get_by_text("Works").nth(2).wait_for()
    visitor.seen("9-unfinished")
    page.get_by_role("link", name="A storage without a name").click()
    visitor.press("Cancel and go back to the storages")
    visitor.heading("Storages")
    page.goto(f"{page.url}nowhere")
    visitor.seen("20-nowhere")
    page.get_by_role("link", name="Storages", exact=True).first.click()


def expired(visitor: Visitor, cloud: Emulator) -> None:
    """The sign-in expires; the storage says so; the same person signs in again."""
    page = visitor.page
    cloud.world.revoke_tokens(cloud.world.person(ANNA))
    page.get_by_role("link", name=NAME, exact=True).click()
    visitor.press("Test connection")
    page.get_by_text("The test found a problem").wait_for()
    page.get_by_text("Does not work").wait_for()
    visitor.seen("16-expired")
    page.get_by_role("button", name="Re-authorize", exact=True).first.click()
    visitor.heading("Re-authorize")
    visitor.seen("16-reauthorize")
    window = visitor.open_window()
    if not window.is_closed():
        at_microsoft(window, ANNA)
        closes(window)
    visitor.heading("Test and save")
    visitor.seen("17-again")
    visitor.press("Test and save")
    page.get_by_text("ready for use").wait_for()
    page.get_by_text("used (").wait_for()
    visitor.seen("17-works")
    page.get_by_role("link", name="Storages", exact=True).first.click()
