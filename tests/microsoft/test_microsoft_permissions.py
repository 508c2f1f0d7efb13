"""Least permission, more only when it is needed, and what to do when an administrator must
agree."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from pluton_rclone import errors
from pluton_rclone.emulator import PUBLIC_CLIENT_ID, Consent, Emulator
from pluton_rclone.microsoft.entra.app import AppRegistration
from pluton_rclone.microsoft.entra.browser import sign_in_with_browser
from pluton_rclone.microsoft.entra.redirect import begin_redirect, finish_redirect
from pluton_rclone.microsoft.entra.scopes import admin_consent_url, least, missing, remote_options
from pluton_rclone.microsoft.entra.sign_in import SignIn
from pluton_rclone.microsoft.graph.graph import Graph

APP = AppRegistration(PUBLIC_CLIENT_ID)
BERT = "bert@contoso.onmicrosoft.com"
ADMIN = "admin@contoso.onmicrosoft.com"
Browser = Callable[..., Callable[[str], bool]]


def signed_in(
    cloud: Emulator, username: str, scopes: tuple[str, ...], **more: Any
) -> tuple[SignIn, tuple[str, ...]]:
    """The sign-in, and the permissions that the consent page showed."""
    flow = begin_redirect(APP, scopes, "http://localhost", **more)
    visit = cloud.person(username).visit(
        flow.url.replace("response_mode=form_post", "response_mode=query")
    )
    return finish_redirect(APP, flow, dict(visit.answer)), visit.permissions


@pytest.fixture(autouse=True)
def nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody listens at http://localhost itself: a visit that leads there ends with the answer."""
    monkeypatch.setattr(
        "pluton_rclone.emulator.person.reachable",
        lambda address: urlsplit(address).netloc != "localhost",
    )


def test_sharepoint_is_a_second_consent_of_the_same_person(cloud: Emulator) -> None:
    first, shown_first = signed_in(cloud, BERT, least())
    assert missing(first.scopes, least("sharepoint")) == ("Files.ReadWrite.All", "Sites.Read.All")
    with Graph(APP.cloud, first.token) as graph, pytest.raises(errors.SitesPermissionMissing):
        graph.sites()

    second, shown_second = signed_in(cloud, BERT, least("sharepoint"), account=first.account)

    assert second.account.same_as(first.account)
    assert missing(second.scopes, least("sharepoint")) == ()
    with Graph(APP.cloud, second.token) as graph:
        assert graph.sites()
    assert "Files.ReadWrite" in shown_first
    assert "Sites.Read.All" not in shown_first
    assert "Sites.Read.All" in shown_second


def test_what_was_granted_is_what_the_remote_says(cloud: Emulator) -> None:
    first, _ = signed_in(cloud, BERT, least())
    second, _ = signed_in(cloud, BERT, least("sharepoint"), account=first.account)

    assert remote_options(first.scopes)["disable_site_permission"] is True
    assert "Files.ReadWrite " in remote_options(first.scopes)["access_scopes"]
    assert remote_options(second.scopes)["disable_site_permission"] is False


def test_a_storage_that_is_only_read_from_asks_for_reading(cloud: Emulator) -> None:
    reading, shown = signed_in(cloud, BERT, least(access="read"))

    assert "Files.Read" in reading.scopes
    assert "Files.ReadWrite" not in {*reading.scopes, *shown}


@pytest.mark.parametrize(
    ("rule", "code"),
    [
        (Consent.MANAGED, "AADSTS90094"),
        (Consent.FORBIDDEN, "AADSTS90094"),
        (Consent.WORKFLOW, "AADSTS90095"),
    ],
)
def test_who_may_not_agree_gets_the_address_for_an_administrator(
    cloud: Emulator, browser_of: Browser, rule: Consent, code: str
) -> None:
    cloud.world.tenant("contoso.onmicrosoft.com").policies.user_consent = rule

    with pytest.raises(errors.AdminConsentRequired) as refusal:
        sign_in_with_browser(APP, least("sharepoint"), open_browser=browser_of(BERT))

    assert refusal.value.details["aadsts"] == code
    assert refusal.value.who is errors.Who.ADMINISTRATOR
    address = refusal.value.details["admin_consent_url"]
    assert refusal.value.link == address
    assert address.startswith("https://login.microsoftonline.com/organizations/v2.0/adminconsent?")
    assert "Sites.Read.All" in parse_qs(urlsplit(address).query)["scope"][0]


def test_under_microsofts_policy_the_first_sign_in_needs_no_administrator(
    cloud: Emulator, browser_of: Browser
) -> None:
    cloud.world.tenant("contoso.onmicrosoft.com").policies.user_consent = Consent.MANAGED

    assert (
        sign_in_with_browser(APP, least(), open_browser=browser_of(BERT)).account.username == BERT
    )


def test_after_the_administrator_agreed_the_person_can_go_on(
    cloud: Emulator, browser_of: Browser
) -> None:
    cloud.world.tenant("contoso.onmicrosoft.com").policies.user_consent = Consent.FORBIDDEN
    address = admin_consent_url(APP, least("sharepoint"), tenant="contoso.onmicrosoft.com")

    cloud.person(ADMIN).visit(address)
    granted = sign_in_with_browser(APP, least("sharepoint"), open_browser=browser_of(BERT))

    assert missing(granted.scopes, least("sharepoint")) == ()


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("AADSTS53000", errors.SignInBlocked),
        ("AADSTS53003", errors.SignInBlocked),
        ("AADSTS530035", errors.SignInBlocked),
    ],
)
def test_conditional_access_is_for_the_administrator(
    cloud: Emulator, browser_of: Browser, code: str, kind: type[errors.SignInError]
) -> None:
    cloud.world.tenant("contoso.onmicrosoft.com").policies.conditional_access = code

    with pytest.raises(kind) as refusal:
        sign_in_with_browser(APP, least(), open_browser=browser_of(BERT), timeout=300)

    assert refusal.value.details["aadsts"] == code
    assert refusal.value.details["correlation_id"]
