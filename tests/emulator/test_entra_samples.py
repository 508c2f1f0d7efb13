"""Every answer of the sign-in service has exactly the members of its sample."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import requests

from pluton_rclone.emulator import (
    PUBLIC_CLIENT_ID,
    WEB_CLIENT_ID,
    WEB_CLIENT_SECRET,
    WEB_REDIRECT_URI,
    Emulator,
    Secret,
)
from pluton_rclone.emulator.entra import Sessions

SAMPLES = Path(__file__).parents[1] / "data" / "graph-samples"
LOGIN = "https://login.microsoftonline.com"
ANNA = "anna@outlook.com"
BERT = "bert@contoso.onmicrosoft.com"
ADMIN = "admin@contoso.onmicrosoft.com"
ALL = ("Files.ReadWrite", "User.Read", "offline_access", "openid", "profile", "email")
DEVICE = "urn:ietf:params:oauth:grant-type:device_code"


def sample(name: str) -> dict[str, Any]:
    response: dict[str, Any] = json.loads((SAMPLES / name).read_text(encoding="utf-8"))["response"]
    return response


def token(**form: str) -> requests.Response:
    return requests.post(
        f"{LOGIN}/common/oauth2/v2.0/token", data={"client_id": PUBLIC_CLIENT_ID, **form}
    )


def refresh(refresh_token: str, **form: str) -> requests.Response:
    return token(grant_type="refresh_token", refresh_token=refresh_token, **form)


def device_code(**form: str) -> requests.Response:
    sent = {"client_id": PUBLIC_CLIENT_ID, "scope": "Files.ReadWrite offline_access openid", **form}
    return requests.post(f"{LOGIN}/common/oauth2/v2.0/devicecode", data=sent)


# ---- one way to each answer ----------------------------------------------------------------------


def _token_of_a_code(cloud: Emulator) -> requests.Response:
    request = requests.Request(
        "GET",
        f"{LOGIN}/common/oauth2/v2.0/authorize",
        params={
            "client_id": WEB_CLIENT_ID,
            "response_type": "code",
            "redirect_uri": WEB_REDIRECT_URI,
            "scope": " ".join(ALL),
        },
    )
    code = cloud.person(ANNA).visit(str(request.prepare().url)).answer["code"]
    return token(
        grant_type="authorization_code",
        client_id=WEB_CLIENT_ID,
        client_secret=WEB_CLIENT_SECRET,
        code=code,
        redirect_uri=WEB_REDIRECT_URI,
        client_info="1",
    )


def _pending(cloud: Emulator) -> requests.Response:
    return token(grant_type=DEVICE, device_code=device_code().json()["device_code"])


def _expired(cloud: Emulator) -> requests.Response:
    code = device_code().json()["device_code"]
    cloud.world.advance(901)
    return token(grant_type=DEVICE, device_code=code)


def _declined(cloud: Emulator) -> requests.Response:
    answer = device_code().json()
    cloud.person(ANNA).enter_device_code(answer["user_code"], accept=False)
    return token(grant_type=DEVICE, device_code=answer["device_code"])


def _bad_verification_code(cloud: Emulator) -> requests.Response:
    return token(grant_type=DEVICE, device_code="nonsense")


def _consent_gone(cloud: Emulator) -> requests.Response:
    first = cloud.sign_in(BERT)["refresh_token"]
    cloud.world.part(Sessions).consents.clear()
    return refresh(first)


def _second_factor(cloud: Emulator) -> requests.Response:
    first = cloud.sign_in(BERT)["refresh_token"]
    cloud.world.tenant("contoso.onmicrosoft.com").policies.multi_factor_since = (
        cloud.world.now() + 1
    )
    return refresh(first)


def _web_refresh(cloud: Emulator, **form: str) -> requests.Response:
    first = cloud.sign_in(BERT, client_id=WEB_CLIENT_ID)["refresh_token"]
    return refresh(first, client_id=WEB_CLIENT_ID, **form)


def _wrong_secret(cloud: Emulator) -> requests.Response:
    return _web_refresh(cloud, client_secret="wrong")


def _no_secret(cloud: Emulator) -> requests.Response:
    return _web_refresh(cloud)


def _old_secret(cloud: Emulator) -> requests.Response:
    cloud.world.registrations[WEB_CLIENT_ID].secrets = [Secret.of("old", expires=1.0)]
    return _web_refresh(cloud, client_secret="old")


def _revoked(cloud: Emulator) -> requests.Response:
    first = cloud.sign_in(BERT)["refresh_token"]
    cloud.world.advance(1)
    cloud.world.revoke_tokens(cloud.world.person(BERT))
    return refresh(first)


def _idle(username: str) -> Callable[[Emulator], requests.Response]:
    def way(cloud: Emulator) -> requests.Response:
        first = cloud.sign_in(username)["refresh_token"]
        cloud.world.advance(91 * 24 * 3600)
        return refresh(first)

    return way


def _damaged(cloud: Emulator) -> requests.Response:
    return refresh(cloud.sign_in(BERT)["refresh_token"] + "x")


def _unknown_scope(cloud: Emulator) -> requests.Response:
    return refresh(
        cloud.sign_in(BERT)["refresh_token"], scope="https://foo.microsoft.com/mail.read"
    )


def _busy(cloud: Emulator) -> requests.Response:
    cloud.world.refuse_sign_in("temporarily_unavailable")
    return refresh(cloud.sign_in(BERT)["refresh_token"])


def _refreshed(cloud: Emulator) -> requests.Response:
    return refresh(cloud.sign_in(BERT, *ALL)["refresh_token"], client_info="1")


def _configuration(cloud: Emulator) -> requests.Response:
    return requests.get(f"{LOGIN}/common/v2.0/.well-known/openid-configuration")


def _instance(cloud: Emulator) -> requests.Response:
    endpoint = f"{LOGIN}/common/oauth2/v2.0/authorize"
    parameters = {"api-version": "1.1", "authorization_endpoint": endpoint}
    return requests.get(f"{LOGIN}/common/discovery/instance", params=parameters)


def _unknown_instance(cloud: Emulator) -> requests.Response:
    parameters = {
        "api-version": "1.1",
        "authorization_endpoint": "https://login.example.org/common",
    }
    return requests.get(f"{LOGIN}/common/discovery/instance", params=parameters)


WAYS: dict[str, Callable[[Emulator], requests.Response]] = {
    "entra-authorization-declined.json": _declined,
    "entra-authorization-pending.json": _pending,
    "entra-bad-verification-code.json": _bad_verification_code,
    "entra-consent-required-65001.json": _consent_gone,
    "entra-devicecode.json": lambda cloud: device_code(),
    "entra-expired-token.json": _expired,
    "entra-instance-discovery-unknown.json": _unknown_instance,
    "entra-instance-discovery.json": _instance,
    "entra-interaction-required-50076.json": _second_factor,
    "entra-invalid-client-7000215.json": _wrong_secret,
    "entra-invalid-client-7000218.json": _no_secret,
    "entra-invalid-client-7000222.json": _old_secret,
    "entra-invalid-grant-50173.json": _revoked,
    "entra-invalid-grant-70000-personal.json": _idle(ANNA),
    "entra-invalid-grant-700082.json": _idle(BERT),
    "entra-invalid-grant-bad-token.json": _damaged,
    "entra-openid-configuration.json": _configuration,
    "entra-temporarily-unavailable.json": _busy,
    "entra-token-graph-composed.json": _token_of_a_code,
}

# Documented samples that omit members of live answers, each with the omitted members.
THIN: dict[str, tuple[Callable[[Emulator], requests.Response], set[str]]] = {
    "entra-devicecode-token.json": (_token_of_a_code, {"ext_expires_in", "client_info"}),
    "entra-token-auth-code.json": (_token_of_a_code, {"ext_expires_in", "client_info"}),
    "entra-token-refresh.json": (_refreshed, {"ext_expires_in", "client_info"}),
    "entra-invalid-scope-70011.json": (_unknown_scope, {"error_uri"}),
}

# Redirects, and the documents of single clouds, have their own tests below.
ELSEWHERE = {
    "entra-admin-consent-denied.json",
    "entra-admin-consent-url.json",
    "entra-authorize-redirect-error.json",
    "entra-authorize-redirect-success.json",
    "entra-consent-required-authorize.json",
    "entra-openid-configuration-china.json",
    "entra-openid-configuration-docs.json",
    "entra-openid-configuration-us.json",
}


def test_no_sample_is_forgotten() -> None:
    assert {*WAYS, *THIN, *ELSEWHERE} == {path.name for path in SAMPLES.glob("entra-*.json")}


@pytest.mark.parametrize("name", sorted(WAYS))
def test_an_answer_is_like_its_sample(cloud: Emulator, name: str) -> None:
    expected = sample(name)
    answer = WAYS[name](cloud)
    assert answer.status_code == expected["status"]
    assert answer.headers["Content-Type"].startswith(expected["headers"]["Content-Type"])
    assert answer.headers.get("Retry-After") == expected["headers"].get("Retry-After")
    body = answer.json()
    assert set(body) == set(expected["body"])
    for member in ("error", "suberror", "error_codes", "token_type"):
        assert body.get(member) == expected["body"].get(member)
    assert {key: type(value) for key, value in body.items()} == {
        key: type(value) for key, value in expected["body"].items()
    }


@pytest.mark.parametrize("name", sorted(n for n in WAYS if "error_uri" in sample(n)["body"]))
def test_a_refusal_says_what_the_sample_says(cloud: Emulator, name: str) -> None:
    expected = sample(name)["body"]["error_description"]
    said = WAYS[name](cloud).json()["error_description"]
    sentence = expected.replace("Trace ID:", "\r\n").split("\r\n")[0]
    words = sentence.split("'")[0].split(" issued on")[0].strip()
    assert said.startswith(words)
    assert "\r\nTrace ID: " in said
    assert "\r\nCorrelation ID: " in said
    assert "\r\nTimestamp: " in said


@pytest.mark.parametrize("name", sorted(THIN))
def test_an_answer_has_more_than_its_thin_sample_only_where_that_is_known(
    cloud: Emulator, name: str
) -> None:
    expected = sample(name)
    way, left_out = THIN[name]
    answer = way(cloud)
    assert answer.status_code == expected["status"]
    assert set(answer.json()) == set(expected["body"]) | left_out


def test_the_list_of_clouds_is_the_samples(cloud: Emulator) -> None:
    assert _instance(cloud).json() == sample("entra-instance-discovery.json")["body"]


@pytest.mark.parametrize(
    ("name", "host"),
    [
        ("entra-openid-configuration-us.json", "login.microsoftonline.us"),
        ("entra-openid-configuration-china.json", "login.chinacloudapi.cn"),
        ("entra-openid-configuration-docs.json", "login.microsoftonline.com"),
    ],
)
def test_the_addresses_of_a_cloud_are_the_samples(cloud: Emulator, name: str, host: str) -> None:
    expected = sample(name)["body"]
    tenant = cloud.world.tenants_of(
        "global" if host.endswith(".com") else "us" if host.endswith(".us") else "cn"
    )[0]
    answer = requests.get(
        f"https://{host}/{tenant.id}/v2.0/.well-known/openid-configuration"
    ).json()
    filled = json.loads(
        json.dumps(expected).replace("{tenantid}", tenant.id).replace("{tenant}", tenant.id)
    )
    known = {key: value for key, value in filled.items() if isinstance(value, str)}
    assert {key: answer[key] for key in known} == known


def parameters_of(name: str) -> set[str]:
    """The parameters of a redirect sample: the browser's request, or the Location of the answer."""
    whole = json.loads((SAMPLES / name).read_text(encoding="utf-8"))
    address = (whole["response"].get("headers") or {}).get("Location") or whole["request"]["path"]
    return {key for key, _ in parse_qsl(urlsplit(address).query)}


@pytest.mark.parametrize(
    ("name", "accept", "more"),
    [
        ("entra-authorize-redirect-success.json", True, {"session_state"}),
        ("entra-authorize-redirect-error.json", False, {"error_subcode", "state"}),
    ],
)
def test_the_redirect_to_the_app_is_the_samples(
    cloud: Emulator, name: str, accept: bool, more: set[str]
) -> None:
    address = (
        f"{LOGIN}/common/oauth2/v2.0/authorize?client_id={WEB_CLIENT_ID}&response_type=code"
        f"&redirect_uri={WEB_REDIRECT_URI}&scope=Files.Read&state=12345"
    )
    answer = cloud.person(ANNA).visit(address, accept=accept).answer
    assert set(answer) == parameters_of(name) | more


def test_the_silent_refusal_is_the_samples(cloud: Emulator) -> None:
    address = (
        f"{LOGIN}/common/oauth2/v2.0/authorize?client_id={WEB_CLIENT_ID}&response_type=code"
        f"&redirect_uri={WEB_REDIRECT_URI}&state=12345&scope="
    )
    anna = cloud.person(ANNA)
    anna.visit(f"{address}Files.Read")
    answer = anna.visit(f"{address}Files.ReadWrite&prompt=none").answer
    assert set(answer) == parameters_of("entra-consent-required-authorize.json")
    assert answer["error_description"].startswith(
        "AADSTS65001: The user or administrator has not consented"
    )


@pytest.mark.parametrize(
    ("name", "accept"),
    [("entra-admin-consent-url.json", True), ("entra-admin-consent-denied.json", False)],
)
def test_the_redirect_of_an_admin_consent_is_the_samples(
    cloud: Emulator, name: str, accept: bool
) -> None:
    address = (
        f"{LOGIN}/contoso.onmicrosoft.com/v2.0/adminconsent?client_id={WEB_CLIENT_ID}"
        f"&redirect_uri={WEB_REDIRECT_URI}&scope=https://graph.microsoft.com/Files.Read&state=12345"
    )
    visit = cloud.person(ADMIN).visit(address, accept=accept)
    assert set(visit.answer) == parameters_of(name)
