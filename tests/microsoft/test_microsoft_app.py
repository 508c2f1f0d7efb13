"""The app registration: impossible values are refused early, secrets are never shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from pluton_rclone.errors import OptionInvalid
from pluton_rclone.microsoft.entra.app import AppRegistration, Certificate


def test_the_defaults_are_a_public_client_for_any_account() -> None:
    app = AppRegistration(" 00001111-aaaa-2222-bbbb-3333cccc4444 ")

    assert app.client_id == "00001111-aaaa-2222-bbbb-3333cccc4444"
    assert app.authority == "https://login.microsoftonline.com/common"
    assert not app.confidential


@pytest.mark.parametrize("client_id", ["", "   ", "two words", "line\nbreak"])
def test_a_client_id_that_cannot_be_one_is_refused(client_id: str) -> None:
    with pytest.raises(OptionInvalid) as refusal:
        AppRegistration(client_id)

    assert refusal.value.details["option"] == "client_id"


@pytest.mark.parametrize(
    "tenant",
    ["contoso", "a b", "../common", "common/oauth2", "contoso.onmicrosoft.com/", "?x", "-.-"],
)
def test_a_tenant_that_could_lead_elsewhere_is_refused(tenant: str) -> None:
    with pytest.raises(OptionInvalid) as refusal:
        AppRegistration("id", tenant=tenant)

    assert refusal.value.details["option"] == "tenant"


@pytest.mark.parametrize(
    "tenant",
    [
        "common",
        "Organizations",
        "consumers",
        "contoso.onmicrosoft.com",
        "9188040d-6c67-4c5b-b112-36a304b66dad",
    ],
)
def test_tenants_are_words_ids_and_domains(tenant: str) -> None:
    assert AppRegistration("id", tenant=tenant).authority.endswith(f"/{tenant.lower()}")


def test_a_secret_is_kept_and_not_shown() -> None:
    secret = "planted~secret"
    app = AppRegistration(
        "id", client_secret=secret, certificate=Certificate(Path("x"), password=secret)
    )

    assert app.client_secret == secret
    assert app.confidential
    assert "planted" not in repr(app) + str(app)


def test_the_environment_names_a_registration() -> None:
    app = AppRegistration.from_environment(
        {
            "PLUTON_ONEDRIVE_CLIENT_ID": "id",
            "PLUTON_ONEDRIVE_TENANT": "organizations",
            "PLUTON_ONEDRIVE_REGION": "us",
            "PLUTON_ONEDRIVE_CLIENT_SECRET": "s\n",  # as `echo` made a container's secret
            "PLUTON_ONEDRIVE_CERTIFICATE": "/srv/app.pfx",
            "PLUTON_ONEDRIVE_CERTIFICATE_PASSWORD": "p",
        }
    )

    assert app is not None
    assert (app.tenant, app.region, app.client_secret) == ("organizations", "us", "s")
    assert app.certificate == Certificate(Path("/srv/app.pfx"), "p")


def test_without_a_client_id_there_is_no_registration() -> None:
    assert AppRegistration.from_environment({"PLUTON_ONEDRIVE_TENANT": "common"}) is None


def test_an_unknown_region_is_refused_also_without_a_client_id() -> None:
    with pytest.raises(OptionInvalid, match="mars"):
        AppRegistration.from_environment({"PLUTON_ONEDRIVE_REGION": "mars"})
