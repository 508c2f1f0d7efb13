"""How apps authenticate: public clients, secrets, certificates, and the app's own permission."""

from __future__ import annotations

import base64
from datetime import datetime, timedelta, timezone

import msal
import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from pluton_rclone.emulator import (
    DAEMON_CLIENT_ID,
    DAEMON_CLIENT_SECRET,
    PUBLIC_CLIENT_ID,
    WEB_CLIENT_ID,
    WEB_CLIENT_SECRET,
    Emulator,
    Secret,
    client_id,
)
from pluton_rclone.emulator.hosts import CLOUDS

ANNA = "anna@outlook.com"
BERT = "bert@contoso.onmicrosoft.com"
LOGIN = "https://login.microsoftonline.com"
TENANT = "contoso.onmicrosoft.com"


def post(
    form: dict[str, str], *, tenant: str = "common", basic: tuple[str, str] | None = None
) -> requests.Response:
    return requests.post(f"{LOGIN}/{tenant}/oauth2/v2.0/token", data=form, auth=basic)


def refresh_form(token: str, **more: str) -> dict[str, str]:
    return {"grant_type": "refresh_token", "refresh_token": token, **more}


@pytest.mark.parametrize(("username", "code"), [(ANNA, 90023), (BERT, 700025)])
def test_a_public_client_may_send_no_secret(cloud: Emulator, username: str, code: int) -> None:
    token = cloud.sign_in(username)["refresh_token"]
    answer = post(refresh_form(token, client_id=PUBLIC_CLIENT_ID, client_secret="anything"))
    assert answer.json()["error_codes"] == [code]


@pytest.mark.parametrize("username", [ANNA, BERT])
def test_rclones_first_attempt_with_an_empty_secret_fails_and_its_second_works(
    cloud: Emulator, username: str
) -> None:
    token = cloud.sign_in(username)["refresh_token"]
    assert post(refresh_form(token), basic=(PUBLIC_CLIENT_ID, "")).status_code in (400, 401)
    assert post(refresh_form(token, client_id=PUBLIC_CLIENT_ID)).status_code == 200


@pytest.mark.parametrize("basic", [True, False])
def test_a_confidential_client_sends_its_secret_in_either_way(cloud: Emulator, basic: bool) -> None:
    token = cloud.sign_in(ANNA, client_id=WEB_CLIENT_ID)["refresh_token"]
    if basic:
        answer = post(refresh_form(token), basic=(WEB_CLIENT_ID, WEB_CLIENT_SECRET))
    else:
        answer = post(refresh_form(token, client_id=WEB_CLIENT_ID, client_secret=WEB_CLIENT_SECRET))
    assert answer.status_code == 200


def test_a_confidential_client_without_its_secret_is_refused(cloud: Emulator) -> None:
    token = cloud.sign_in(ANNA, client_id=WEB_CLIENT_ID)["refresh_token"]
    answer = post(refresh_form(token, client_id=WEB_CLIENT_ID))
    assert (answer.status_code, answer.json()["error_codes"]) == (401, [7000218])


def test_a_secret_ends_on_its_day(cloud: Emulator) -> None:
    web = cloud.world.registrations[WEB_CLIENT_ID]
    web.secrets = [Secret.of(WEB_CLIENT_SECRET, expires=cloud.world.now() + 60)]
    token = cloud.sign_in(ANNA, client_id=WEB_CLIENT_ID)["refresh_token"]
    form = refresh_form(token, client_id=WEB_CLIENT_ID, client_secret=WEB_CLIENT_SECRET)
    assert post(form).status_code == 200
    cloud.world.advance(61)
    answer = post(form)
    assert (answer.status_code, answer.json()["error_codes"]) == (401, [7000222])


def test_a_disabled_registration_is_refused(cloud: Emulator) -> None:
    token = cloud.sign_in(ANNA)["refresh_token"]
    cloud.world.registrations[PUBLIC_CLIENT_ID].disabled = True
    answer = post(refresh_form(token, client_id=PUBLIC_CLIENT_ID))
    assert answer.json()["error_codes"] == [7000112]


def test_broken_basic_authentication_is_a_missing_client_id(cloud: Emulator) -> None:
    answer = requests.post(
        f"{LOGIN}/common/oauth2/v2.0/token",
        data=refresh_form("x"),
        headers={"Authorization": "Basic " + base64.b64encode(b"\xff\xfe").decode()},
    )
    assert answer.json()["error_codes"] == [900144]


def test_no_secret_stands_in_the_world(cloud: Emulator) -> None:
    assert WEB_CLIENT_SECRET not in repr(vars(cloud.world))


# ---- the application's own permission ------------------------------------------------------------


@pytest.mark.parametrize("name", list(CLOUDS))
def test_msal_gets_an_app_only_token_with_a_secret(cloud: Emulator, name: str) -> None:
    hosts = CLOUDS[name]
    (tenant,) = cloud.world.tenants_of(name)
    app = msal.ConfidentialClientApplication(
        client_id(DAEMON_CLIENT_ID, name),
        authority=f"https://{hosts.login}/{tenant.id}",
        client_credential=DAEMON_CLIENT_SECRET,
    )
    result = app.acquire_token_for_client([f"https://{hosts.graph}/.default"])
    grant = cloud.world.authenticate(f"Bearer {result['access_token']}", name)
    assert grant.app_only
    assert grant.person is None
    assert grant.scopes == {"Files.ReadWrite.All", "Sites.Read.All"}
    assert "refresh_token" not in result


def test_rclone_asks_with_the_short_scope(cloud: Emulator) -> None:
    answer = post(
        {"grant_type": "client_credentials", "scope": ".default"},
        tenant=TENANT,
        basic=(DAEMON_CLIENT_ID, DAEMON_CLIENT_SECRET),
    )
    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("tenant", "changes", "code"),
    [
        ("common", {}, 50194),
        (TENANT, {"client_secret": "wrong"}, 7000215),
        (TENANT, {"client_secret": ""}, 7000218),
        (TENANT, {"scope": "Files.ReadWrite.All"}, 70011),
        (TENANT, {"scope": ""}, 900144),
        ("nowhere.example", {}, 90002),
        ("fabrikam.onmicrosoft.us", {}, 90038),
    ],
)
def test_app_only_is_refused_with_the_reason(
    cloud: Emulator, tenant: str, changes: dict[str, str], code: int
) -> None:
    form = {
        "grant_type": "client_credentials",
        "client_id": DAEMON_CLIENT_ID,
        "client_secret": DAEMON_CLIENT_SECRET,
        "scope": "https://graph.microsoft.com/.default",
        **changes,
    }
    assert post(form, tenant=tenant).json()["error_codes"] == [code]


@pytest.mark.parametrize("tenant", ["common", "consumers", "organizations"])
def test_app_only_needs_a_tenant(cloud: Emulator, tenant: str) -> None:
    form = {
        "grant_type": "client_credentials",
        "client_id": WEB_CLIENT_ID,
        "client_secret": WEB_CLIENT_SECRET,
        "scope": ".default",
    }
    assert post(form, tenant=tenant).json()["error_codes"] == [9001023]


def test_app_only_without_an_administrators_consent_is_refused(cloud: Emulator) -> None:
    cloud.world.add_tenant("tailwind.onmicrosoft.com", "Tailwind")
    form = {
        "grant_type": "client_credentials",
        "client_id": WEB_CLIENT_ID,
        "client_secret": WEB_CLIENT_SECRET,
        "scope": ".default",
    }
    assert post(form, tenant="tailwind.onmicrosoft.com").json()["error_codes"] == [700016]


def certificate() -> tuple[str, x509.Certificate]:
    """A key (PEM) and its self-signed certificate."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "daemon")])
    now = datetime.now(timezone.utc)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return pem.decode(), made


@pytest.mark.parametrize("sha1", [True, False])
def test_msal_proves_itself_with_a_certificate(cloud: Emulator, sha1: bool) -> None:
    key, cert = certificate()
    der = cert.public_bytes(serialization.Encoding.DER)
    cloud.world.registrations[DAEMON_CLIENT_ID].certificates.append(der)
    public = cert.public_bytes(serialization.Encoding.PEM).decode()
    if sha1:
        credential = {"private_key": key, "thumbprint": cert.fingerprint(hashes.SHA1()).hex()}
    else:
        credential = {"private_key": key, "public_certificate": public}
    app = msal.ConfidentialClientApplication(
        DAEMON_CLIENT_ID, authority=f"{LOGIN}/{TENANT}", client_credential=credential
    )
    result = app.acquire_token_for_client(["https://graph.microsoft.com/.default"])
    assert "access_token" in result


def test_a_certificate_that_is_not_registered_is_refused(cloud: Emulator) -> None:
    key, cert = certificate()
    _, registered = certificate()
    der = registered.public_bytes(serialization.Encoding.DER)
    cloud.world.registrations[DAEMON_CLIENT_ID].certificates.append(der)
    for thumbprint in (cert, registered):
        credential = {"private_key": key, "thumbprint": thumbprint.fingerprint(hashes.SHA1()).hex()}
        app = msal.ConfidentialClientApplication(
            DAEMON_CLIENT_ID, authority=f"{LOGIN}/{TENANT}", client_credential=credential
        )
        result = app.acquire_token_for_client(["https://graph.microsoft.com/.default"])
        assert result["error_codes"] == [700027]
