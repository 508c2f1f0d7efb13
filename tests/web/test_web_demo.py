"""`pluton-rclone demo --web` in an ordinary browser, without the emulator's proxy and CA: what a
person clicks there.

PICTURES=docs writes the pictures of docs/try-it.md.
"""

from __future__ import annotations

import os
import re
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pluton_rclone import process
from tests.chromium import Chromium

from .visitor import ADMIN, ANNA, BERT, Visitor, at_microsoft, closes

if TYPE_CHECKING:
    from playwright.sync_api import Page

SHOWN = {"control", "people", "tested", "full"}
ROOT = Path(__file__).parents[2]
COMMAND = 'exec "$0" -m pluton_rclone demo --web --no-browser 2>&1'
DEMO = ["/bin/sh", "-c", COMMAND, sys.executable]


@pytest.fixture
def demo(home: Path) -> Iterator[tuple[str, str, str]]:
    """The page's one-time address, the control page's address, and the folder with files."""
    with process.start(DEMO, env=os.environ | {"PYTHONPATH": str(ROOT)}) as child:
        said = ""
        for line in child.stdout:
            said += line.decode() + "\n"
            if "Press Ctrl-C to stop" in said:
                break
        page = re.search(r"The page is at (\S+)", said)
        control = re.search(r"(http://127\.0\.0\.1:\d+)/", said)
        files = re.search(r"to back up: (\S+)", said)
        assert page, said
        assert control, said
        assert files, said
        yield page[1], control[1], files[1]
        child.signal(signal.SIGINT)
        assert child.wait(300) == 130
    assert not Path(files[1]).exists()


def pictures(demo: tuple[str, str, str]) -> Callable[[Page, str], None]:
    folder = os.environ.get("PICTURES")

    def take(page: Page, name: str) -> None:
        if folder and name in SHOWN:
            page.screenshot(path=ROOT / folder / f"try-{name}.png")

    return take


@pytest.mark.long
def test_a_person_and_an_administrator_click_through_it_with_an_ordinary_browser(
    demo: tuple[str, str, str], chromium: Chromium
) -> None:
    address, door, files = demo
    take = pictures(demo)
    with chromium.person(None, width=760, height=620) as context:
        control = context.new_page()
        control.goto(door)

        def switch(name: str) -> None:
            control.goto(door)
            control.locator(f"#{name}").click()
            control.get_by_role("heading", name="Failures").wait_for()

        visitor = Visitor(context, address)
        page = visitor.page

        # refused, then accepted
        visitor.add("OneDrive Personal Backups")
        switch("switch-consent")
        take(control, "control")
        window = visitor.open_window()
        window.locator(f'[id="account-{ANNA}"]').wait_for()
        assert window.url.startswith(
            f"{door}/login.microsoftonline.com/common/oauth2/v2.0/authorize?"
        )
        window.set_viewport_size({"width": 560, "height": 620})
        take(window, "people")
        at_microsoft(window, ANNA, "return")
        closes(window)
        page.get_by_role("alert").first.wait_for()
        assert "declined" in page.locator("main").inner_text(), page.locator("main").inner_text()
        take(page, "refused")
        switch("switch-consent")
        visitor.authorize(ANNA, "accept")
        visitor.choose_type("OneDrive Personal")
        visitor.options()
        visitor.test()
        take(page, "tested")
        visitor.save("OneDrive Personal Backups")

        # the drive is full
        switch("switch-full")
        page.get_by_role("link", name="Copy to it").click()
        visitor.heading("Copy files")
        page.get_by_label("Folder or file on this machine").fill(f"{files}/photos")
        visitor.press("Start the copy")
        page.get_by_text("is full").first.wait_for()
        take(page, "full")
        switch("switch-full")

        # the sign-in has expired
        switch(f"expire-{ANNA}".replace("@", "\\@").replace(".", "\\."))
        page.get_by_role("link", name="Storages", exact=True).first.click()
        page.get_by_role("link", name="OneDrive Personal Backups", exact=True).click()
        visitor.press("Test connection")
        page.get_by_text("The test found a problem").wait_for()
        page.get_by_text("Does not work").wait_for()
        page.get_by_role("button", name="Re-authorize", exact=True).first.click()
        visitor.heading("Re-authorize")
        closes(visitor.open_window())  # Microsoft recognises her in this browser
        visitor.heading("Test and save")
        page.get_by_role("link", name="Storages", exact=True).first.click()
        assert visitor.complaints == []

        # a device code is typed, and an administrator consents
        visitor.add("Team library")
        visitor.press("Sign in on another device")
        code = page.get_by_label("The code").input_value()
        control.goto(door)
        control.locator("#otc").fill(code)
        control.get_by_role("button", name="Type it").click()
        at_microsoft(control, BERT, "accept")
        control.get_by_text("You have signed in").wait_for()
        visitor.heading("Which OneDrive")
        assert page.get_by_text("Bert Jansen").first.is_visible()

        # Sites.Read.All needs the administrator
        control.goto(door)
        control.locator("#switch-sites-administrator").click()
        visitor.choose_type("SharePoint document library")
        visitor.heading("one more permission")
        window = visitor.open_window()
        window.locator("#return").click()
        closes(window)
        field = page.get_by_label("Address for your administrator")
        field.wait_for()
        take(page, "administrator")
        control.locator("#address").fill(field.input_value())
        control.get_by_role("button", name="Open it here").click()
        at_microsoft(control, ADMIN)
        with control.expect_event("requestfailed"):  # at http://localhost, where no one listens
            control.locator("#accept").click()
        visitor.authorize(BERT)  # in a browser where the administrator is now signed in
        visitor.heading("Which SharePoint site")
