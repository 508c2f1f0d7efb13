"""Discovery: how a client finds every endpoint, in every cloud, under every alias."""

from __future__ import annotations

import pytest
import requests

from pluton_rclone.emulator import Emulator
from pluton_rclone.emulator.hosts import CLOUDS

LOGIN = "https://login.microsoftonline.com"
HOSTS = [
    (cloud, host) for cloud, hosts in CLOUDS.items() for host in (hosts.login, *hosts.login_aliases)
]


def configuration(host: str, tenant: str = "common") -> requests.Response:
    return requests.get(f"https://{host}/{tenant}/v2.0/.well-known/openid-configuration")


@pytest.mark.parametrize(("name", "host"), HOSTS)
def test_every_login_host_describes_itself(cloud: Emulator, name: str, host: str) -> None:
    answer = configuration(host).json()
    assert answer["token_endpoint"] == f"https://{host}/common/oauth2/v2.0/token"
    assert answer["issuer"] == f"https://{CLOUDS[name].issuer}/{{tenantid}}/v2.0"
    assert answer["msgraph_host"] == CLOUDS[name].graph
    assert requests.get(answer["jwks_uri"]).json()["keys"][0]["kty"] == "RSA"


def test_a_domain_becomes_the_tenants_id(cloud: Emulator) -> None:
    tenant = cloud.world.tenant("contoso.onmicrosoft.com")
    answer = configuration("login.microsoftonline.com", tenant.domain).json()
    assert answer["authorization_endpoint"] == f"{LOGIN}/{tenant.id}/oauth2/v2.0/authorize"
    assert answer["issuer"] == f"{LOGIN}/{tenant.id}/v2.0"


@pytest.mark.parametrize(
    ("host", "tenant", "error", "code"),
    [
        ("login.microsoftonline.com", "nowhere.example", "invalid_tenant", 90002),
        ("login.microsoftonline.com", "fabrikam.onmicrosoft.us", "invalid_request", 90038),
        ("login.microsoftonline.us", "consumers", "invalid_tenant", 90002),
    ],
)
def test_a_tenant_that_is_not_there(
    cloud: Emulator, host: str, tenant: str, error: str, code: int
) -> None:
    answer = configuration(host, tenant)
    assert answer.status_code == 400
    assert (answer.json()["error"], answer.json()["error_codes"]) == (error, [code])


@pytest.mark.parametrize("host", [host for _, host in HOSTS])
def test_instance_discovery_knows_microsofts_hosts(cloud: Emulator, host: str) -> None:
    answer = requests.get(
        f"{LOGIN}/common/discovery/instance",
        params={
            "api-version": "1.1",
            "authorization_endpoint": f"https://{host}/common/oauth2/v2.0/authorize",
        },
    )
    assert answer.json()["tenant_discovery_endpoint"].startswith(f"https://{host}/common/")
    aliases = [alias for entry in answer.json()["metadata"] for alias in entry["aliases"]]
    assert host in aliases


def test_the_older_version_answers_without_the_list(cloud: Emulator) -> None:
    answer = requests.get(
        f"{LOGIN}/common/discovery/instance",
        params={
            "api-version": "1.0",
            "authorization_endpoint": f"{LOGIN}/common/oauth2/v2.0/authorize",
        },
    )
    assert set(answer.json()) == {"tenant_discovery_endpoint", "api-version"}


@pytest.mark.parametrize(
    "endpoint", ["https://login.example.org/common", "https://graph.microsoft.com/common", "x"]
)
def test_instance_discovery_refuses_other_hosts(cloud: Emulator, endpoint: str) -> None:
    answer = requests.get(
        f"{LOGIN}/common/discovery/instance",
        params={
            "api-version": "1.1",
            "authorization_endpoint": f"{endpoint}/oauth2/v2.0/authorize",
        },
    )
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_instance")


@pytest.mark.parametrize(
    ("address", "cloud_name"),
    [
        ("https://microsoft.com/devicelogin", "global"),
        ("https://www.microsoft.com/link", "global"),
        ("https://microsoft.com/deviceloginus", "us"),
        ("https://microsoft.com/deviceloginchina", "cn"),
    ],
)
def test_the_short_addresses_of_the_device_page(
    cloud: Emulator, address: str, cloud_name: str
) -> None:
    answer = requests.get(address)
    assert answer.url == f"https://{CLOUDS[cloud_name].login}/common/oauth2/deviceauth"
    assert 'id="otc"' in answer.text


def test_other_pages_of_microsoft_are_not_here(cloud: Emulator) -> None:
    assert requests.get("https://microsoft.com/windows").status_code == 404


def test_signing_out_ends_on_a_page(cloud: Emulator) -> None:
    assert "signed out" in requests.get(f"{LOGIN}/common/oauth2/v2.0/logout").text
