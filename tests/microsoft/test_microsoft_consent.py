"""The address for an administrator."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from pluton_rclone.microsoft.entra.app import AppRegistration
from pluton_rclone.microsoft.entra.scopes import admin_consent_url

CLOUDS = json.loads(
    (Path(__file__).parent.parent / "data" / "clouds.json").read_text(encoding="utf-8")
)["clouds"]


@pytest.mark.parametrize("region", ["global", "us", "cn"])
def test_host_and_scopes_are_those_of_the_cloud(region: str) -> None:
    app = AppRegistration("client", tenant="contoso.example", region=region)

    address = urlsplit(admin_consent_url(app, ["Files.ReadWrite.All", "Sites.Read.All"]))

    expected = urlsplit(CLOUDS[region]["admin_consent_url"])
    assert address.netloc == expected.netloc
    assert address.path == "/contoso.example/v2.0/adminconsent"
    prefix = CLOUDS[region]["scope_prefix"]
    assert parse_qs(address.query) == {
        "client_id": ["client"],
        "scope": [
            f"{prefix}Files.ReadWrite.All {prefix}Sites.Read.All openid profile offline_access"
        ],
        "redirect_uri": ["http://localhost"],
    }


@pytest.mark.parametrize("tenant", ["common", "consumers", "organizations"])
def test_words_for_tenants_become_the_one_that_is_taken_there(tenant: str) -> None:
    address = admin_consent_url(AppRegistration("client", tenant=tenant))

    assert urlsplit(address).path == "/organizations/v2.0/adminconsent"


def test_the_persons_own_organisation_wins() -> None:
    address = admin_consent_url(AppRegistration("client"), tenant="1234")

    assert urlsplit(address).path.startswith("/1234/")


def test_without_scopes_everything_in_the_registration_is_asked_for() -> None:
    query = parse_qs(urlsplit(admin_consent_url(AppRegistration("client"))).query)

    assert query["scope"] == ["https://graph.microsoft.com/.default"]


def test_an_app_without_a_known_redirect_address_names_none() -> None:
    """`grant-admin-consent.md` of Microsoft's entra-docs @23507cb02043."""
    app = AppRegistration("client", tenant="contoso.example", region="cn", client_secret="s")

    assert admin_consent_url(app, ["Files.Read"]) == (
        "https://login.partner.microsoftonline.cn/contoso.example/adminconsent?client_id=client"
    )


def test_the_port_of_a_sign_in_on_this_machine_is_left_out() -> None:
    address = admin_consent_url(AppRegistration("client"), redirect_uri="http://localhost:40123")

    assert parse_qs(urlsplit(address).query)["redirect_uri"] == ["http://localhost"]
