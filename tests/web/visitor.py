"""A person at the page in a real browser: the steps of the guide, with a look at every page."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page

ANNA, BERT, ADMIN = (
    "anna@outlook.com",
    "bert@contoso.onmicrosoft.com",
    "admin@contoso.onmicrosoft.com",
)


class Visitor:
    """One person with one browser. `look(page, name)` is called on every page, for axe or for a
    picture."""

    def __init__(
        self,
        context: BrowserContext,
        address: str,
        look: Callable[[Page, str], None] = lambda page, name: None,
    ) -> None:
        self.context = context
        self.look = look
        self.page = context.new_page()
        self.complaints: list[
            str
        ] = []  # the browser's console messages, except those about refusing answers
        context.on(
            "console", lambda message: self._hear(message.type, message.text, message.location)
        )
        self.page.goto(address)

    def _hear(self, kind: str, text: str, location: object) -> None:
        refused = "the server responded with a status of 4" in text and "/static/" not in str(
            location
        )
        if kind in ("error", "warning") and "localhost" in str(location) and not refused:
            self.complaints.append(f"{text} ({location})")

    def seen(self, name: str) -> None:
        # with its style sheet, without which every button is too small to touch
        self.page.wait_for_load_state()
        self.look(self.page, name)

    def press(self, name: str) -> None:
        """Press a button once its page's script has run: before that, a click has its default
        effect and opens no window."""
        button = self.page.get_by_role("button", name=name, exact=True)
        button.wait_for()
        self.page.wait_for_load_state()
        button.click()

    def heading(self, text: str) -> None:
        """Wait for a page with this heading, until its script has run."""
        from playwright.sync_api import TimeoutError as NotThere

        try:
            self.page.get_by_role("heading", level=1, name=re.compile(text)).wait_for()
        except NotThere as error:
            shown = self.page.locator("main").inner_text()
            raise AssertionError(
                f"no heading {text!r} on {self.page.url}, which says: {shown}"
            ) from error
        self.page.wait_for_load_state()

    # ---- the seven steps -------------------------------------------------------------------------

    def add(self, name: str) -> None:
        """Steps 1 and 2."""
        self.page.get_by_role("link", name="Add storage").first.click()
        self.heading("Add storage")
        self.seen("1-add")
        self.page.get_by_role("button", name="Microsoft OneDrive").click()
        self.heading("friendly name")
        self.page.get_by_label("Storage name").fill(name)
        self.seen("2-name")
        self.press("Continue")
        self.heading("Authorize with OneDrive")

    def authorize(self, person: str, *answers: str) -> None:
        """Step 3, in the window that opens. `answers` are the buttons pressed there after choosing
        the account."""
        window = self.open_window()
        at_microsoft(window, person, *answers)
        closes(window)

    def open_window(self) -> Page:
        """The window that the button opens."""
        with self.context.expect_page() as opened:
            self.press("Authorize with OneDrive")
        return opened.value

    def choose_type(self, label: str) -> None:
        """Step 4."""
        self.heading("Which OneDrive")
        self.page.get_by_role("radio", name=label).check()
        self.seen("4-type")
        self.press("Continue")

    def options(self) -> None:
        """Step 6, with the defaults."""
        self.heading("Advanced options")
        self.seen("6-options")
        self.press("Continue")

    def test(self) -> None:
        """Step 7, the first half: until the test has ended."""
        self.heading("Test the connection")
        self.seen("7-before")
        self.press("Test connection")
        self.page.get_by_role("button", name="Test again", exact=True).wait_for()

    def save(self, name: str) -> None:
        """Step 7, the second half."""
        self.seen("7-tested")
        self.press("Save")
        self.heading(re.escape(name))
        self.page.get_by_text("ready for use").wait_for()
        self.page.get_by_text("used (").wait_for()
        self.seen("8-ready")


def at_microsoft(window: Page, person: str, *answers: str) -> None:
    """Answer the emulated sign-in pages: the account, then buttons by their ids (accept, cancel,
    return)."""
    window.locator(f'[id="account-{person}"]').click()
    for answer in answers:
        window.locator(f"#{answer}").click()


def closes(window: Page) -> None:
    """Wait until a sign-in window has closed itself."""
    if not window.is_closed():
        window.wait_for_event("close")
