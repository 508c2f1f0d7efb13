"""A real browser signs in through the loopback address: with consent, and with refusal."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest

from pluton_rclone import errors
from pluton_rclone.emulator import PUBLIC_CLIENT_ID, Consent, Emulator
from pluton_rclone.microsoft.entra.app import AppRegistration
from pluton_rclone.microsoft.entra.browser import sign_in_with_browser
from pluton_rclone.microsoft.entra.scopes import least, missing
from pluton_rclone.microsoft.entra.sign_in import SignIn
from pluton_rclone.microsoft.graph.graph import Graph
from tests.chromium import Chromium

if TYPE_CHECKING:
    from playwright.sync_api import Page

APP = AppRegistration(PUBLIC_CLIENT_ID)
BERT = "bert@contoso.onmicrosoft.com"
pytestmark = pytest.mark.long  # all in one worker, with one browser


@pytest.fixture
def page(chromium: Chromium, cloud: Emulator) -> Iterator[Page]:
    """A browser window in which Microsoft knows no account."""
    with chromium.person(cloud) as context:
        yield context.new_page()


class Outcome:
    """A sign-in in a separate thread while the test acts as the person."""

    def __init__(self, page: Page, scopes: tuple[str, ...]) -> None:
        self._ready = threading.Event()
        self._address = ""
        self.result: SignIn | errors.PlutonRcloneError | None = None
        self._thread = threading.Thread(target=self._run, args=(scopes,))
        self._thread.start()
        assert self._ready.wait(120)
        page.goto(self._address)

    def _open(self, address: str) -> bool:
        self._address = address
        self._ready.set()
        return True

    def _run(self, scopes: tuple[str, ...]) -> None:
        try:
            self.result = sign_in_with_browser(APP, scopes, open_browser=self._open, timeout=300)
        except errors.PlutonRcloneError as problem:
            self.result = problem

    def wait(self) -> SignIn | errors.PlutonRcloneError | None:
        self._thread.join()
        return self.result


@pytest.fixture
def signing_in(page: Page) -> Callable[[tuple[str, ...]], Outcome]:
    return lambda scopes: Outcome(page, scopes)


def read(page: Page, words: str) -> str:
    """The page's text, once it contains these words."""
    page.get_by_text(words).first.wait_for()
    return page.locator("body").inner_text()


def test_through_consent_and_the_second_time_the_browser_knows_the_person(
    page: Page, signing_in: Callable[[tuple[str, ...]], Outcome]
) -> None:
    outcome = signing_in(least())

    page.locator("#username").fill(BERT)
    page.locator("#next").click()
    assert "Have full access to your files" in read(page, "This app would like to")
    page.locator("#accept").click()
    assert "Signed in as Bert Jansen" in read(page, "You are signed in")

    result = outcome.wait()
    assert isinstance(result, SignIn)
    assert result.account.username == BERT
    assert page.url.startswith("http://localhost:")
    assert "code=" not in page.url  # posted, not in the address
    with Graph(APP.cloud, result.token) as graph:
        assert graph.drives()[0].type == "business"

    second = signing_in(least("sharepoint"))
    page.locator(f'[id="account-{BERT}"]').click()
    page.locator("#accept").click()
    result = second.wait()

    assert isinstance(result, SignIn)
    assert missing(result.scopes, least("sharepoint")) == ()


def test_through_refusal(page: Page, signing_in: Callable[[tuple[str, ...]], Outcome]) -> None:
    outcome = signing_in(least())

    page.locator("#username").fill(BERT)
    page.locator("#next").click()
    read(page, "This app would like to")
    page.locator("#cancel").click()

    assert "You can close this window." in read(page, "The sign-in did not work")
    assert isinstance(outcome.wait(), errors.SignInDeclined)


def test_where_only_an_administrator_may_agree(
    cloud: Emulator, page: Page, signing_in: Callable[[tuple[str, ...]], Outcome]
) -> None:
    cloud.world.tenant("contoso.onmicrosoft.com").policies.user_consent = Consent.MANAGED
    outcome = signing_in(least("sharepoint"))

    page.locator("#username").fill(BERT)
    page.locator("#next").click()
    page.locator("#return").click()
    result = outcome.wait()

    assert isinstance(result, errors.AdminConsentRequired)
    assert "adminconsent" in str(result.link)
