"""Admin consent: the address that a person sends to the administrator."""

from __future__ import annotations

import pytest
import requests

from pluton_rclone.emulator import (
    DAEMON_CLIENT_ID,
    DAEMON_CLIENT_SECRET,
    WEB_CLIENT_ID,
    WEB_REDIRECT_URI,
    Consent,
    Emulator,
    client_id,
)
from pluton_rclone.emulator.hosts import CLOUDS

ADMIN = "admin@contoso.onmicrosoft.com"
BERT = "bert@contoso.onmicrosoft.com"
TENANT = "contoso.onmicrosoft.com"
LOGIN = "https://login.microsoftonline.com"
SCOPES = (
    "https://graph.microsoft.com/Files.ReadWrite.All https://graph.microsoft.com/Sites.Read.All"
)


def address(tenant: str = TENANT, login: str = LOGIN, **changes: str | None) -> str:
    parameters: dict[str, str | None] = {
        "client_id": WEB_CLIENT_ID,
        "scope": SCOPES,
        "redirect_uri": WEB_REDIRECT_URI,
        "state": "12345",
        **changes,
    }
    return str(
        requests.Request("GET", f"{login}/{tenant}/v2.0/adminconsent", params=parameters)
        .prepare()
        .url
    )


def sign_in_address() -> str:
    parameters = {
        "client_id": WEB_CLIENT_ID,
        "response_type": "code",
        "redirect_uri": WEB_REDIRECT_URI,
        "scope": "Files.ReadWrite.All Sites.Read.All",
    }
    request = requests.Request("GET", f"{LOGIN}/common/oauth2/v2.0/authorize", params=parameters)
    return str(request.prepare().url)


def test_an_administrator_agrees_for_everybody(cloud: Emulator) -> None:
    contoso = cloud.world.tenant(TENANT)
    contoso.policies.user_consent = Consent.MANAGED
    assert "error" in cloud.person(BERT).visit(sign_in_address()).answer
    visit = cloud.person(ADMIN).visit(address())
    assert visit.address.startswith(WEB_REDIRECT_URI)
    assert visit.answer["admin_consent"] == "True"
    assert visit.answer["tenant"] == contoso.id
    assert visit.answer["state"] == "12345"
    assert "Files.ReadWrite.All" in visit.answer["scope"]
    assert "code" in cloud.person(BERT).visit(sign_in_address()).answer


def test_declining_says_so_beside_admin_consent_true(cloud: Emulator) -> None:
    answer = cloud.person(ADMIN).visit(address(), accept=False).answer
    assert answer["admin_consent"] == "True"
    assert answer["error"] == "consent_required"
    assert answer["error_description"].startswith("AADSTS65004:")


def test_only_an_administrator_can_agree(cloud: Emulator) -> None:
    answer = cloud.person(BERT).visit(address()).answer
    assert answer["error_description"].startswith("AADSTS90094:")


def test_default_grants_the_applications_own_permissions(cloud: Emulator) -> None:
    contoso = cloud.world.tenant(TENANT)
    daemon = cloud.world.registrations[DAEMON_CLIENT_ID]
    daemon.granted_roles.clear()

    def roles() -> frozenset[str]:
        form = {
            "grant_type": "client_credentials",
            "client_id": DAEMON_CLIENT_ID,
            "client_secret": DAEMON_CLIENT_SECRET,
            "scope": ".default",
        }
        answer = requests.post(f"{LOGIN}/{contoso.id}/oauth2/v2.0/token", data=form).json()
        return cloud.world.authenticate(f"Bearer {answer['access_token']}", "global").scopes

    assert roles() == frozenset()
    visit = cloud.person(ADMIN).visit(
        address(
            client_id=DAEMON_CLIENT_ID,
            redirect_uri=None,
            scope="https://graph.microsoft.com/.default",
        )
    )
    assert "may be used in Contoso now" in visit.text
    assert roles() == {"Files.ReadWrite.All", "Sites.Read.All"}


@pytest.mark.parametrize("tenant", ["common", "consumers"])
def test_a_tenant_is_needed(cloud: Emulator, tenant: str) -> None:
    visit = cloud.person(ADMIN).visit(address(tenant))
    assert "AADSTS90002" in (visit.error or "")


def test_organizations_will_do(cloud: Emulator) -> None:
    assert cloud.person(ADMIN).visit(address("organizations")).answer["admin_consent"] == "True"


def test_the_redirect_address_has_to_be_registered(cloud: Emulator) -> None:
    visit = cloud.person(ADMIN).visit(address(redirect_uri="https://pluton.example/other"))
    assert "AADSTS50011" in (visit.error or "")


@pytest.mark.parametrize("name", list(CLOUDS))
def test_every_cloud_has_the_page(cloud: Emulator, name: str) -> None:
    hosts = CLOUDS[name]
    (tenant,) = cloud.world.tenants_of(name)
    where = address(
        tenant.id,
        f"https://{hosts.login}",
        client_id=client_id(WEB_CLIENT_ID, name),
        scope=f"https://{hosts.graph}/Files.ReadWrite.All",
    )
    answer = cloud.person(f"admin@{tenant.domain}").visit(where).answer
    assert answer["tenant"] == tenant.id
