"""Our sign-in with a third-party OpenID provider at Microsoft's address."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit

import pytest

from pluton_rclone import errors
from pluton_rclone.emulator import PUBLIC_CLIENT_ID, Emulator
from pluton_rclone.emulator.person import Browser
from pluton_rclone.microsoft.entra.app import AppRegistration
from pluton_rclone.microsoft.entra.browser import sign_in_with_browser
from pluton_rclone.microsoft.entra.redirect import begin_redirect, finish_redirect
from pluton_rclone.microsoft.entra.scopes import least
from pluton_rclone.microsoft.entra.sign_in import SignIn, refresh
from tests.oidc.provider import prepare, third_party_provider

APP = AppRegistration(PUBLIC_CLIENT_ID)


@pytest.fixture(scope="session")
def node() -> str:
    """Fetched before an emulator sets its proxy."""
    return prepare()


@pytest.fixture(scope="session")
def provider(node: str) -> Iterator[int]:
    """The port of the third party's sign-in service."""
    with third_party_provider(node, PUBLIC_CLIENT_ID) as port:
        yield port


@pytest.fixture
def third_party(provider: int, cloud: Emulator) -> Emulator:
    """The emulated world with that service in it."""
    cloud.route("login.microsoftonline.com", provider, path="/common/v2.0")
    return cloud


class _Page(HTMLParser):
    """The first form of a page: its action and its fields."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.action: str | None = None
        self.fields: dict[str, str] = {}
        self.cancel: str | None = None
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        known = {name: value or "" for name, value in attributes}
        if tag == "form" and self.action is None:
            self.action = known["action"]
        elif tag == "input" and known.get("name"):
            self.fields[known["name"]] = known.get("value", "")
        elif tag == "a" and known.get("href", "").endswith("/abort"):
            self.cancel = known["href"]


def walk(cloud: Emulator, address: str, *, accept: bool = True) -> str:
    """Walk through the provider's own pages as a person; return the last address or page."""
    browser = Browser(proxy_url=cloud.proxy_url, ca_file=str(cloud.ca_file))
    # Only then does it issue a refresh token.
    page = browser.open(address.replace("prompt=select_account", "prompt=consent"))
    for _ in range(20):
        if page.location is not None:
            address = urljoin(page.address, page.location)
            if urlsplit(address).hostname == "localhost" and urlsplit(address).port is None:
                return address
            page = browser.open(address)
            continue
        form = _Page(page.text)
        if form.action is None:
            return page.text
        if form.cancel is not None and not accept:
            page = browser.open(urljoin(page.address, form.cancel))
            continue
        for name in ("login", "password"):
            if name in form.fields:
                form.fields[name] = "theodora"
        page = browser.open(urljoin(page.address, form.action), form.fields)
    raise AssertionError("the provider's pages have no end")


def test_code_with_pkce_and_renewal(third_party: Emulator) -> None:
    flow = begin_redirect(APP, least(), "http://localhost")

    signed_in = finish_redirect(APP, flow, walk(third_party, flow.url))

    assert signed_in.account.id == "theodora"
    assert signed_in.scopes == ("Files.ReadWrite",)
    renewed = refresh(APP, signed_in.token)
    assert renewed.access_token != signed_in.token.access_token
    assert renewed.refresh_token != signed_in.token.refresh_token  # it rotates them
    assert refresh(APP, renewed).access_token


def test_the_loopback_way_with_a_posted_form(third_party: Emulator) -> None:
    pages: list[str] = []
    visits: list[threading.Thread] = []

    def open_browser(address: str) -> bool:
        visits.append(threading.Thread(target=lambda: pages.append(walk(third_party, address))))
        visits[0].start()
        return True

    signed_in = sign_in_with_browser(APP, least(), open_browser=open_browser, timeout=300)
    visits[0].join()

    assert isinstance(signed_in, SignIn)
    assert "You are signed in" in pages[0]


def test_a_refusal(third_party: Emulator) -> None:
    flow = begin_redirect(APP, least(), "http://localhost")

    with pytest.raises(errors.SignInDeclined) as refusal:
        finish_redirect(APP, flow, walk(third_party, flow.url, accept=False))

    assert refusal.value.details["error"] == "access_denied"


def test_a_code_that_is_used_twice_is_refused_there_too(third_party: Emulator) -> None:
    flow = begin_redirect(APP, least(), "http://localhost")
    answer = walk(third_party, flow.url)
    finish_redirect(APP, flow, answer)

    with pytest.raises(errors.AuthorizationFailed) as refusal:
        finish_redirect(APP, flow, answer)

    assert refusal.value.details["error"] == "invalid_grant"


def test_another_verifier_is_refused_there_too(third_party: Emulator) -> None:
    mine = begin_redirect(APP, least(), "http://localhost")
    theirs = begin_redirect(APP, least(), "http://localhost")
    code = walk(third_party, theirs.url).partition("code=")[2].partition("&")[0]

    with pytest.raises(errors.AuthorizationFailed):
        finish_redirect(APP, mine, {"code": code, "state": mine.state})
