"""Least permission, more only if needed, and the advice if an administrator must consent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from pluton_rclone import errors
from pluton_rclone.emulator import (
    DAEMON_CLIENT_ID,
    DAEMON_CLIENT_SECRET,
    PUBLIC_CLIENT_ID,
    WEB_CLIENT_ID,
    WEB_CLIENT_SECRET,
    WEB_REDIRECT_URI,
    Consent,
    Emulator,
)
from pluton_rclone.microsoft.entra.app import AppRegistration
from pluton_rclone.microsoft.entra.browser import sign_in_with_browser
from pluton_rclone.microsoft.entra.faults import Asked, sign_in_error
from pluton_rclone.microsoft.entra.redirect import begin_redirect, finish_redirect
from pluton_rclone.microsoft.entra.scopes import admin_consent_url, least, missing, remote_options
from pluton_rclone.microsoft.entra.sign_in import SignIn
from pluton_rclone.microsoft.graph.graph import Graph

APP = AppRegistration(PUBLIC_CLIENT_ID)
WEB = AppRegistration(WEB_CLIENT_ID, client_secret=WEB_CLIENT_SECRET)
CONTOSO = "contoso.onmicrosoft.com"
DAEMON = AppRegistration(DAEMON_CLIENT_ID, CONTOSO, client_secret=DAEMON_CLIENT_SECRET)
BERT = "bert@contoso.onmicrosoft.com"
ADMIN = "admin@contoso.onmicrosoft.com"
Browser = Callable[..., Callable[[str], bool]]


def signed_in(
    cloud: Emulator, username: str, scopes: tuple[str, ...], **more: Any
) -> tuple[SignIn, tuple[str, ...]]:
    """Sign in; return the sign-in and the permissions on the consent page."""
    flow = begin_redirect(APP, scopes, "http://localhost", **more)
    visit = cloud.person(username).visit(
        flow.url.replace("response_mode=form_post", "response_mode=query")
    )
    return finish_redirect(APP, flow, dict(visit.answer)), visit.permissions


@pytest.fixture(autouse=True)
def nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """No one listens at the registered addresses: a visit that leads there ends with the answer."""
    nobody = ("localhost", "localhost:8000", urlsplit(WEB_REDIRECT_URI).netloc)
    monkeypatch.setattr(
        "pluton_rclone.emulator.person.reachable",
        lambda address: urlsplit(address).netloc not in nobody,
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

    assert "Files.ReadWrite " in remote_options(first.scopes)["access_scopes"]
    assert "Sites." not in remote_options(first.scopes)["access_scopes"]
    assert "Sites.Read.All" in remote_options(second.scopes)["access_scopes"]


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
    "redirect_uri", [WEB_REDIRECT_URI, "http://localhost:8000/onedrive/callback"]
)
def test_an_administrator_can_agree_for_a_web_app_at_the_address_of_its_refusal(
    cloud: Emulator, redirect_uri: str
) -> None:
    cloud.world.tenant(CONTOSO).policies.user_consent = Consent.FORBIDDEN

    def sign_in() -> SignIn:
        flow = begin_redirect(WEB, least("sharepoint"), redirect_uri)
        return finish_redirect(WEB, flow, cloud.person(BERT).visit(flow.url).answer)

    with pytest.raises(errors.AdminConsentRequired) as refusal:
        sign_in()
    visit = cloud.person(ADMIN).visit(refusal.value.link or "")

    assert visit.error is None
    assert visit.answer["admin_consent"] == "True"
    assert missing(sign_in().scopes, least("sharepoint")) == ()


def test_what_was_withheld_from_a_web_app_has_an_address_that_works(cloud: Emulator) -> None:
    contoso = cloud.world.tenant(CONTOSO)
    contoso.policies.withheld = frozenset({"Sites.Read.All"})
    flow = begin_redirect(WEB, least("sharepoint"), WEB_REDIRECT_URI)
    answer = cloud.person(BERT).visit(flow.url).answer

    with pytest.raises(errors.ConsentRequired, match="fewer permissions than requested") as refusal:
        finish_redirect(WEB, flow, answer)

    visit = cloud.person(ADMIN).visit(refusal.value.link or "")
    assert visit.answer.get("admin_consent") == "True", visit.error


@pytest.mark.parametrize(("app", "way"), [(DAEMON, "app-only"), (WEB, "refresh")])
def test_an_administrator_can_agree_where_no_redirect_address_is_known(
    cloud: Emulator, app: AppRegistration, way: str
) -> None:
    cloud.world.registrations[DAEMON_CLIENT_ID].granted_roles.clear()
    answer = {"error": "invalid_grant", "error_description": "AADSTS65001: Nobody."}

    visit = cloud.person(ADMIN).visit(sign_in_error(answer, Asked(app, way=way)).link or "")

    assert visit.error is None
    assert "may be used in Contoso now" in visit.text


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
