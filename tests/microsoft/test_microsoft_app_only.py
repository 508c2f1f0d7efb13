"""App-only: secret, certificate, and the token endpoint of a single run that lets rclone use a
certificate."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from pluton_rclone import errors
from pluton_rclone.emulator import DAEMON_CLIENT_ID, DAEMON_CLIENT_SECRET, Emulator
from pluton_rclone.emulator.drives.files import Files
from pluton_rclone.emulator.graph.faults import Faults
from pluton_rclone.microsoft.entra.app import AppRegistration, Certificate, msal_credential
from pluton_rclone.microsoft.entra.sign_in import sign_in_as_app
from pluton_rclone.microsoft.entra.token import Token
from pluton_rclone.microsoft.entra.token_endpoint import PAUSE, TokenEndpoint
from pluton_rclone.microsoft.graph.graph import Graph
from pluton_rclone.rclone.engine import Rclone

from .certificate import (
    DER_CERTIFICATE,
    KEY,
    PEM_CERTIFICATE,
    as_application,
    made,
    on_an_unusual_curve,
    pem_key,
    pfx,
)

TENANT = "contoso.onmicrosoft.com"
BERT = "bert@contoso.onmicrosoft.com"
WITH_SECRET = AppRegistration(DAEMON_CLIENT_ID, tenant=TENANT, client_secret=DAEMON_CLIENT_SECRET)
PASSWORD = "planted~password"

CURVE_KEY = ec.generate_private_key(ec.SECP256R1())
DER, PEM = serialization.Encoding.DER, serialization.Encoding.PEM
OTHER = made(rsa.generate_private_key(65537, 2048)).public_bytes(PEM)
ENDED = made(KEY, days=-1).public_bytes(PEM)
UNUSUAL = on_an_unusual_curve(made(CURVE_KEY).public_bytes(DER), "CERTIFICATE")
UNUSUAL_KEY = CURVE_KEY.private_bytes(
    DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
)
FORMS: dict[str, tuple[Callable[[], bytes], str | None]] = {
    "PEM": (lambda: pem_key() + PEM_CERTIFICATE, None),
    "PEM, the certificate first": (lambda: PEM_CERTIFICATE + pem_key(), None),
    "PEM with a password": (lambda: pem_key(PASSWORD) + PEM_CERTIFICATE, PASSWORD),
    "PEM with a password that is not needed": (lambda: pem_key() + PEM_CERTIFICATE, PASSWORD),
    "PEM, its issuer's certificate first": (lambda: pem_key() + OTHER + PEM_CERTIFICATE, None),
    "PEM, the one before first": (lambda: pem_key() + ENDED + PEM_CERTIFICATE, None),
    "PEM with one on an unusual curve": (lambda: pem_key() + UNUSUAL + PEM_CERTIFICATE, None),
    "PFX": (pfx, None),
    "PFX with a password": (lambda: pfx(PASSWORD), PASSWORD),
}


@pytest.fixture
def registered(cloud: Emulator) -> Emulator:
    """A world where the daemon's certificate is uploaded to its registration."""
    registration = cloud.world.registrations[DAEMON_CLIENT_ID]
    registration.certificates.append(DER_CERTIFICATE)
    return cloud


def with_certificate(path: Path, content: bytes, password: str | None = None) -> AppRegistration:
    path.write_bytes(content)
    return AppRegistration(DAEMON_CLIENT_ID, TENANT, certificate=Certificate(path, password))


# ---- signing in


def test_an_application_signs_in_with_its_secret(cloud: Emulator) -> None:
    signed_in = sign_in_as_app(WITH_SECRET)

    assert signed_in.account.kind == "application"
    assert signed_in.token.refresh_token is None
    with Graph(WITH_SECRET.cloud, signed_in.token) as graph:
        assert graph.user_drive(BERT).owner == "Bert Jansen"


def test_an_application_that_nobody_has_agreed_to_is_not_sent_to_the_drives_owner(
    cloud: Emulator,
) -> None:
    """Microsoft gives it a token, without permissions."""
    cloud.world.registrations[DAEMON_CLIENT_ID].granted_roles.clear()
    signed_in = sign_in_as_app(WITH_SECRET)
    with (
        Graph(WITH_SECRET.cloud, signed_in.token, kind="application") as graph,
        pytest.raises(errors.AccessDenied) as caught,
    ):
        graph.user_drive(BERT)
    assert "Files.ReadWrite.All as an application permission" in caught.value.advice
    assert caught.value.who is errors.Who.ADMINISTRATOR


@pytest.mark.parametrize("form", FORMS)
def test_an_application_signs_in_with_a_certificate(
    registered: Emulator, tmp_path: Path, form: str
) -> None:
    content, password = FORMS[form]
    app = with_certificate(tmp_path / "daemon", content(), password)

    assert sign_in_as_app(app).token.access_token


@pytest.mark.parametrize("tenant", ["common", "organizations", "consumers"])
def test_the_tenant_is_needed(tenant: str) -> None:
    app = AppRegistration(DAEMON_CLIENT_ID, tenant=tenant, client_secret="s")

    with pytest.raises(errors.RegistrationError, match="needs the tenant"):
        sign_in_as_app(app)


def test_a_public_client_cannot_act_on_its_own() -> None:
    with pytest.raises(errors.RegistrationError, match="secret or a certificate"):
        sign_in_as_app(AppRegistration(DAEMON_CLIENT_ID, tenant=TENANT))


def test_a_wrong_secret(cloud: Emulator) -> None:
    app = AppRegistration(DAEMON_CLIENT_ID, tenant=TENANT, client_secret="planted~wrong")

    with pytest.raises(errors.RegistrationError) as refusal:
        sign_in_as_app(app)

    assert refusal.value.details["aadsts"] == "AADSTS7000215"


def test_a_refusal_is_said_where_a_network_lets_nothing_but_the_sign_in_through(
    cloud: Emulator,
) -> None:
    app = AppRegistration(DAEMON_CLIENT_ID, tenant=TENANT, client_secret="planted~wrong")

    with (
        cloud.quirks.bare_answer(403, at="sign-in", where="discovery/instance", times=None),
        pytest.raises(errors.RegistrationError, match="The client secret is wrong"),
    ):
        sign_in_as_app(app)


def test_a_secret_that_has_ended(cloud: Emulator) -> None:
    secrets = cloud.world.registrations[DAEMON_CLIENT_ID].secrets
    secrets[0] = type(secrets[0])(secrets[0].sha256, expires=cloud.world.now() - 1)

    with pytest.raises(errors.SecretExpired) as refusal:
        sign_in_as_app(WITH_SECRET)

    assert refusal.value.details["aadsts"] == "AADSTS7000222"
    assert refusal.value.who is errors.Who.DEVELOPER


def test_a_certificate_that_microsoft_does_not_know(cloud: Emulator, tmp_path: Path) -> None:
    app = with_certificate(tmp_path / "daemon.pem", pem_key() + PEM_CERTIFICATE)

    with pytest.raises(errors.RegistrationError) as refusal:
        sign_in_as_app(app)

    assert refusal.value.details["aadsts"] == "AADSTS700027"


def test_a_clock_that_is_behind_is_no_fault_of_the_certificate(
    registered: Emulator, tmp_path: Path
) -> None:
    """Formerly, the advice was to compare client id and secret, and it addressed the developer."""
    app = with_certificate(tmp_path / "daemon.pem", pem_key() + PEM_CERTIFICATE)
    registered.world.advance(3600)

    with pytest.raises(errors.RegistrationError, match="By Microsoft's clock") as refusal:
        sign_in_as_app(app)

    assert refusal.value.details["aadsts"] == "AADSTS700024"
    assert refusal.value.who is errors.Who.YOU
    assert "Set this machine's clock" in refusal.value.advice


# ---- the certificate's file

UNUSABLE: dict[str, tuple[Callable[[], bytes], str | None, str]] = {
    "the wrong password": (
        lambda: pem_key(PASSWORD) + PEM_CERTIFICATE,
        "wrong",
        "password is wrong",
    ),
    "a password that is not UTF-8": (
        lambda: pem_key(PASSWORD) + PEM_CERTIFICATE,
        "\udcff",
        "password is wrong",
    ),
    "one of a PFX": (lambda: pfx(PASSWORD), "\udcff", "password is wrong"),
    "no password": (
        lambda: pem_key(PASSWORD) + PEM_CERTIFICATE,
        None,
        "password is wrong or missing",
    ),
    "the wrong password of a PFX": (lambda: pfx(PASSWORD), "wrong", "password is wrong"),
    "no password for a PFX": (lambda: pfx(PASSWORD), None, "password is wrong or missing"),
    "no key": (lambda: PEM_CERTIFICATE, None, "not contain a private key"),
    "no certificate": (pem_key, None, "not contain a certificate"),
    "another key": (
        lambda: pem_key(key=rsa.generate_private_key(65537, 2048)) + PEM_CERTIFICATE,
        None,
        "does not belong",
    ),
    "a key that Microsoft does not take": (
        lambda: pem_key(key=CURVE_KEY) + made(CURVE_KEY).public_bytes(serialization.Encoding.PEM),
        None,
        "not an RSA key",
    ),
    "a key on an unusual curve": (
        lambda: on_an_unusual_curve(UNUSUAL_KEY, "PRIVATE KEY") + PEM_CERTIFICATE,
        None,
        "accepts only RSA keys",
    ),
    "a certificate on an unusual curve": (lambda: pem_key() + UNUSUAL, None, "does not belong"),
    "something else": (lambda: b"hello", None, "neither PEM nor PFX"),
    "a damaged key with a password": (
        lambda: (
            pem_key(PASSWORD)[:400] + b"\n-----END ENCRYPTED PRIVATE KEY-----\n" + PEM_CERTIFICATE
        ),
        PASSWORD,
        "or the key is damaged",
    ),
    "a damaged PEM": (lambda: pem_key()[:200] + PEM_CERTIFICATE, None, "damaged"),
}


@pytest.mark.parametrize("fault", UNUSABLE)
def test_what_is_wrong_with_a_certificate_is_said(tmp_path: Path, fault: str) -> None:
    content, password, words = UNUSABLE[fault]
    app = with_certificate(tmp_path / "daemon.pem", content(), password)

    with pytest.raises(errors.RegistrationError) as refusal:
        msal_credential(app)

    assert words in str(refusal.value)
    assert "planted" not in str(refusal.value)
    assert refusal.value.who is errors.Who.YOU


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    app = AppRegistration("id", certificate=Certificate(tmp_path / "gone.pem"))

    with pytest.raises(errors.RegistrationError, match=r"gone\.pem cannot be read"):
        msal_credential(app)


def test_a_certificate_that_has_ended(tmp_path: Path) -> None:
    ended = made(KEY, days=-1)
    content = pem_key() + ended.public_bytes(serialization.Encoding.PEM)

    with pytest.raises(errors.RegistrationError, match="expired on"):
        msal_credential(with_certificate(tmp_path / "daemon.pem", content))


# ---- the token endpoint of one run


def asked(url: str, form: dict[str, str], host: str | None = None) -> tuple[int, dict[str, Any]]:
    request = urllib.request.Request(url, data=urlencode(form).encode())
    if host is not None:
        request.add_header("Host", host)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=300) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as refusal:
        with refusal:
            return refusal.code, json.loads(refusal.read() or b"{}")


def write_conf(path: Path, options: dict[str, str]) -> Path:
    path.write_text("[od]\n" + "".join(f"{name} = {value}\n" for name, value in options.items()))
    return path


def test_one_run_of_rclone_lasts_longer_than_a_token_lives(
    registered: Emulator, tmp_path: Path
) -> None:
    registered.world.lifetimes.access_token = 11  # rclone counts ten seconds early: each lasts one
    registered.world.part(Faults).latency = 0.3
    drive = registered.world.part(Files).drive_of(BERT)
    deep = "/".join("12345678")
    drive.write(f"{deep}/file.txt", b"content")
    app = with_certificate(tmp_path / "daemon.pem", pem_key() + PEM_CERTIFICATE)

    with as_application(app) as endpoint:
        options = {
            "type": "onedrive",
            "drive_id": drive.id,
            "drive_type": "business",
            **endpoint.options(),
        }
        conf = write_conf(tmp_path / "rclone.conf", options)
        seen = [entry.path for entry in Rclone(config=conf).walk("od:")]

        assert sum(asked.path.endswith("/token") for asked in registered.requests) >= 2
        assert endpoint.trouble is None
    assert f"{deep}/file.txt" in seen
    agents = {
        request.user_agent
        for request in registered.requests
        if request.host == "graph.microsoft.com"
    }
    assert any("rclone/v" in agent for agent in agents)


def test_only_the_runs_own_secret_opens_it(cloud: Emulator) -> None:
    with as_application(WITH_SECRET) as endpoint:
        good = {
            "grant_type": "client_credentials",
            "client_id": DAEMON_CLIENT_ID,
            "client_secret": endpoint.client_secret,
        }
        status, answer = asked(endpoint.token_url, good)
        assert status == 200
        assert answer["token_type"] == "Bearer"
        assert answer["expires_in"] > 3000

        assert asked(endpoint.token_url, {**good, "client_secret": "wrong"})[0] == 401
        assert asked(endpoint.token_url, {**good, "client_id": "wrong"})[0] == 401
        assert asked(endpoint.token_url, {"grant_type": "client_credentials"})[0] == 401
        assert asked(endpoint.token_url, {**good, "grant_type": "password"})[0] == 400
        assert asked(endpoint.token_url + "x", good)[0] == 404
        assert asked(endpoint.token_url, good, host="evil.example")[0] == 404


def test_every_run_has_a_secret_and_an_address_of_its_own() -> None:
    first, second = as_application(WITH_SECRET), as_application(WITH_SECRET)
    with first, second:
        assert first.client_secret != second.client_secret
        assert first.token_url.rpartition("/")[2] != second.token_url.rpartition("/")[2]
        assert first.token_url.startswith("http://127.0.0.1:")
        assert DAEMON_CLIENT_SECRET not in json.dumps(first.options())


def test_why_there_is_no_token_is_kept_for_whoever_started_rclone(cloud: Emulator) -> None:
    cloud.world.registrations[DAEMON_CLIENT_ID].disabled = True
    with as_application(WITH_SECRET) as endpoint:
        status, answer = asked(
            endpoint.token_url,
            {
                "grant_type": "client_credentials",
                "client_id": DAEMON_CLIENT_ID,
                "client_secret": endpoint.client_secret,
            },
        )

        assert status == 400
        assert answer["error"].startswith("unauthorized_client: The app is disabled.")
        assert isinstance(endpoint.trouble, errors.RegistrationError)
        assert endpoint.trouble.details["aadsts"] == "AADSTS7000112"


@pytest.mark.parametrize(
    ("fault", "refusal"),
    [(errors.Throttled("Microsoft asks to slow down."), 503), (LookupError("planted"), 400)],
)
def test_a_failure_is_the_answer_for_a_while_and_then_it_is_tried_again(
    fault: Exception, refusal: int
) -> None:
    """rclone asks ten times in a row, and each of our own attempts may retry."""
    times, tried = [0.0], list[float]()

    def give() -> Token:
        tried.append(times[0])
        if len(tried) == 1:
            raise fault
        return Token("planted", None, datetime.now(timezone.utc) + timedelta(hours=1))

    with TokenEndpoint("id", TENANT, give, now=lambda: times[0]) as endpoint:
        good = {"grant_type": "client_credentials", "client_id": "id"}
        good["client_secret"] = endpoint.client_secret
        for moment, status in ((0.0, refusal), (1.0, refusal), (PAUSE - 1, refusal), (PAUSE, 200)):
            times[0] = moment
            assert asked(endpoint.token_url, good)[0] == status

    assert tried == [0.0, PAUSE]
    assert endpoint.trouble is None
