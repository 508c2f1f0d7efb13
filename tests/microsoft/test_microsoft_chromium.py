"""A real browser signs in through the loopback way: through consent, and through refusal."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pluton_rclone import errors
from pluton_rclone.emulator import PUBLIC_CLIENT_ID, Consent, Emulator, browser
from pluton_rclone.microsoft.entra.app import AppRegistration
from pluton_rclone.microsoft.entra.browser import sign_in_with_browser
from pluton_rclone.microsoft.entra.scopes import least, missing
from pluton_rclone.microsoft.entra.sign_in import SignIn
from pluton_rclone.microsoft.graph.graph import Graph
from tests.chromium import Chromium, find_chromium

APP = AppRegistration(PUBLIC_CLIENT_ID)
BERT = "bert@contoso.onmicrosoft.com"


@pytest.fixture(scope="session")
def program() -> Path:
    """Found, or installed, before any emulator sets its proxy."""
    return find_chromium()


@pytest.fixture
def chromium(program: Path, cloud: Emulator, home: Path) -> Iterator[Chromium]:
    browser.trust(cloud, home)
    with Chromium(program, home, browser.arguments(cloud)) as running:
        yield running


class Outcome:
    """A sign-in that runs in a thread of its own while the test plays the person."""

    def __init__(self, chromium: Chromium, scopes: tuple[str, ...]) -> None:
        self._ready = threading.Event()
        self._address = ""
        self.result: SignIn | errors.PlutonRcloneError | None = None
        self._thread = threading.Thread(target=self._run, args=(scopes,))
        self._thread.start()
        assert self._ready.wait(120)
        chromium.open(self._address)

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
def signing_in(chromium: Chromium) -> Callable[[tuple[str, ...]], Outcome]:
    return lambda scopes: Outcome(chromium, scopes)


def test_through_consent(
    chromium: Chromium, signing_in: Callable[[tuple[str, ...]], Outcome]
) -> None:
    outcome = signing_in(least())

    chromium.enter("#username", BERT)
    chromium.press("#next")
    assert "Have full access to your files" in chromium.read("This app would like to")
    chromium.press("#accept")
    assert "Signed in as Bert Jansen" in chromium.read("You are signed in")

    result = outcome.wait()
    assert isinstance(result, SignIn)
    assert result.account.username == BERT
    assert chromium.address.startswith("http://localhost:")
    assert "code=" not in chromium.address  # posted, not in the address
    with Graph(APP.cloud, result.token) as graph:
        assert graph.drives()[0].type == "business"


def test_through_refusal(
    chromium: Chromium, signing_in: Callable[[tuple[str, ...]], Outcome]
) -> None:
    outcome = signing_in(least())

    chromium.enter("#username", BERT)
    chromium.press("#next")
    chromium.read("This app would like to")
    chromium.press("#cancel")
    page = chromium.read("The sign-in did not work")

    assert isinstance(outcome.wait(), errors.SignInDeclined)
    assert "You can close this window." in page


def test_the_second_time_the_browser_knows_the_person(
    chromium: Chromium, signing_in: Callable[[tuple[str, ...]], Outcome]
) -> None:
    first = signing_in(least())
    chromium.enter("#username", BERT)
    chromium.press("#next")
    chromium.press("#accept")
    chromium.read("You are signed in")
    assert isinstance(first.wait(), SignIn)

    second = signing_in(least("sharepoint"))
    chromium.press(f'[id="account-{BERT}"]')
    chromium.press("#accept")
    result = second.wait()

    assert isinstance(result, SignIn)
    assert missing(result.scopes, least("sharepoint")) == ()


def test_where_only_an_administrator_may_agree(
    cloud: Emulator, chromium: Chromium, signing_in: Callable[[tuple[str, ...]], Outcome]
) -> None:
    cloud.world.tenant("contoso.onmicrosoft.com").policies.user_consent = Consent.MANAGED
    outcome = signing_in(least("sharepoint"))

    chromium.enter("#username", BERT)
    chromium.press("#next")
    chromium.press("#return")
    result = outcome.wait()

    assert isinstance(result, errors.AdminConsentRequired)
    assert "adminconsent" in str(result.link)
