"""Signing in with a browser: real MSAL on one side, the emulated pages on the other."""

from __future__ import annotations

import base64
import hashlib
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt
import msal
import pytest
import requests

from pluton_rclone.emulator import (
    PUBLIC_CLIENT_ID,
    SINGLE_TENANT_CLIENT_ID,
    WEB_CLIENT_ID,
    WEB_CLIENT_SECRET,
    WEB_REDIRECT_URI,
    Emulator,
    client_id,
)
from pluton_rclone.emulator.hosts import CLOUDS

LOGIN = "https://login.microsoftonline.com"
LOOPBACK = "http://localhost:1"  # no one listens there: only for requests that end before
ANNA = "anna@outlook.com"
BERT = "bert@contoso.onmicrosoft.com"
VERIFIER = "v" * 43
CHALLENGE = (
    base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
)


def authorize_address(**changes: str | None) -> str:
    """An authorization request of the web app, with some parameters changed."""
    parameters: dict[str, str | None] = {
        "client_id": WEB_CLIENT_ID,
        "response_type": "code",
        "redirect_uri": WEB_REDIRECT_URI,
        "scope": "Files.ReadWrite offline_access openid profile",
        "state": "st4te /?&",
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
        **changes,
    }
    sent = {key: value for key, value in parameters.items() if value is not None}
    return f"{LOGIN}/common/oauth2/v2.0/authorize?{urlencode(sent)}"


def redeem(code: str, **changes: str) -> tuple[int, dict[str, Any]]:
    """POST the code to the token endpoint as the web app does."""
    form = {
        "grant_type": "authorization_code",
        "client_id": WEB_CLIENT_ID,
        "client_secret": WEB_CLIENT_SECRET,
        "code": code,
        "redirect_uri": WEB_REDIRECT_URI,
        "code_verifier": VERIFIER,
        **changes,
    }
    answer = requests.post(f"{LOGIN}/common/oauth2/v2.0/token", data=form)
    return answer.status_code, answer.json()


def code_for(cloud: Emulator, **changes: str | None) -> str:
    return cloud.person(ANNA).visit(authorize_address(**changes)).answer["code"]


def msal_web_app(authority: str = f"{LOGIN}/common") -> msal.ConfidentialClientApplication:
    return msal.ConfidentialClientApplication(
        WEB_CLIENT_ID, authority=authority, client_credential=WEB_CLIENT_SECRET
    )


@pytest.mark.parametrize("username", [ANNA, BERT])
def test_msal_signs_a_person_in_through_a_redirect_to_a_server(
    cloud: Emulator, username: str
) -> None:
    app = msal_web_app()
    flow = app.initiate_auth_code_flow(
        ["Files.ReadWrite"], redirect_uri=WEB_REDIRECT_URI, response_mode="form_post"
    )
    visit = cloud.person(username).visit(flow["auth_uri"])
    assert visit.address == WEB_REDIRECT_URI
    result = app.acquire_token_by_auth_code_flow(flow, dict(visit.answer))
    assert result["id_token_claims"]["preferred_username"] == username
    assert "https://graph.microsoft.com/Files.ReadWrite" in result["scope"].split()
    (account,) = app.get_accounts()
    assert account["username"] == username
    grant = cloud.world.authenticate(f"Bearer {result['access_token']}", "global")
    assert grant.person is cloud.world.person(username)


@pytest.mark.parametrize("name", list(CLOUDS))
def test_each_cloud_signs_its_own_people_in(cloud: Emulator, name: str) -> None:
    hosts = CLOUDS[name]
    username = next(p.username for p in cloud.world.people.values() if p.tenant.cloud == name)
    for host in (hosts.login, *hosts.login_aliases):
        app = msal.ConfidentialClientApplication(
            client_id(WEB_CLIENT_ID, name),
            authority=f"https://{host}/common",
            client_credential=WEB_CLIENT_SECRET,
        )
        flow = app.initiate_auth_code_flow(
            ["Files.ReadWrite"], redirect_uri=WEB_REDIRECT_URI, response_mode="form_post"
        )
        result = app.acquire_token_by_auth_code_flow(
            flow, dict(cloud.person(username).visit(flow["auth_uri"]).answer)
        )
        assert f"https://{hosts.graph}/Files.ReadWrite" in result["scope"].split()
        assert result["id_token_claims"]["iss"].startswith(f"https://{hosts.issuer}/")


def test_a_person_of_another_cloud_is_not_known_there(cloud: Emulator) -> None:
    query = urlsplit(authorize_address(client_id=client_id(WEB_CLIENT_ID, "us"))).query
    visit = cloud.person(ANNA).visit(
        f"https://login.microsoftonline.us/common/oauth2/v2.0/authorize?{query}"
    )
    assert "AADSTS50034" in visit.answer["error_description"]


@pytest.mark.parametrize("mode", ["query", "fragment", "form_post"])
def test_the_answer_comes_in_the_mode_asked_for_with_the_state_as_it_was(
    cloud: Emulator, mode: str
) -> None:
    visit = cloud.person(ANNA).visit(authorize_address(response_mode=mode))
    assert visit.answer["state"] == "st4te /?&"
    assert visit.answer["code"]
    parts = urlsplit(visit.address)
    assert (bool(parts.query), bool(parts.fragment)) == (mode == "query", mode == "fragment")


def test_a_redirect_address_without_a_path_comes_back_with_a_slash(cloud: Emulator) -> None:
    address = authorize_address(client_id=PUBLIC_CLIENT_ID, redirect_uri=LOOPBACK)
    page = requests.get(address)
    flow = page.text.split('name="flow" value="', 1)[1].split('"', 1)[0]
    answer = requests.post(
        f"{LOGIN}/common/login", data={"flow": flow, "answer": "cancel"}, allow_redirects=False
    )
    assert answer.headers["Location"].startswith("http://localhost:1/?error=access_denied")


def test_consent_is_asked_once_and_the_next_sign_in_goes_straight_through(cloud: Emulator) -> None:
    anna = cloud.person(ANNA)
    first = anna.visit(authorize_address())
    assert first.permissions == ("Files.ReadWrite", "User.Read", "offline_access")
    pages = len(cloud.requests)
    second = anna.visit(authorize_address())
    assert second.permissions == ()
    assert second.answer["code"] != first.answer["code"]
    assert len(cloud.requests) == pages + 1


def test_more_permissions_are_a_second_consent_for_the_new_ones(cloud: Emulator) -> None:
    bert = cloud.person(BERT)
    bert.visit(authorize_address())
    visit = bert.visit(authorize_address(scope="Files.ReadWrite.All Sites.Read.All offline_access"))
    assert {"Files.ReadWrite.All", "Sites.Read.All"} <= set(visit.permissions)
    _, answer = redeem(visit.answer["code"])
    # A work account's token carries everything consented to so far, not only the last request.
    assert "https://graph.microsoft.com/Files.ReadWrite" in answer["scope"].split()


def test_choosing_the_account_is_asked_again_when_the_app_wants_it(cloud: Emulator) -> None:
    anna = cloud.person(ANNA)
    anna.visit(authorize_address())
    pages = len(cloud.requests)
    anna.visit(authorize_address(prompt="select_account"))
    assert len(cloud.requests) == pages + 2


def test_another_login_hint_asks_for_the_account_again(cloud: Emulator) -> None:
    anna = cloud.person(ANNA)
    anna.visit(authorize_address())
    pages = len(cloud.requests)
    anna.visit(authorize_address(login_hint=BERT))
    assert len(cloud.requests) == pages + 2


def test_declining_the_permissions_is_told_to_the_app(cloud: Emulator) -> None:
    visit = cloud.person(ANNA).visit(authorize_address(), accept=False)
    assert visit.answer["error"] == "access_denied"
    assert visit.answer["error_subcode"] == "cancel"
    assert visit.answer["error_description"].startswith("AADSTS65004: User declined to consent")
    assert visit.answer["state"] == "st4te /?&"


def test_a_silent_request_needs_a_session_and_a_consent(cloud: Emulator) -> None:
    anna = cloud.person(ANNA)
    assert anna.visit(authorize_address(prompt="none")).answer["error"] == "login_required"
    anna.visit(authorize_address())
    assert "code" in anna.visit(authorize_address(prompt="none")).answer
    more = anna.visit(authorize_address(prompt="none", scope="Files.Read.All openid"))
    assert more.answer["error"] == "consent_required"
    assert more.answer["error_description"].startswith("AADSTS65001")


def test_a_code_works_once(cloud: Emulator) -> None:
    code = code_for(cloud)
    assert redeem(code)[0] == 200
    status, answer = redeem(code)
    assert (status, answer["error"], answer["error_codes"]) == (400, "invalid_grant", [54005])


def test_a_code_ends_with_its_time(cloud: Emulator) -> None:
    code = code_for(cloud)
    cloud.world.advance(cloud.world.lifetimes.authorization_code + 1)
    assert redeem(code)[1]["error_codes"] == [70008]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"code_verifier": "w" * 43}, 501481),
        ({"code_verifier": ""}, 501481),
        ({"redirect_uri": "https://pluton.example/other"}, 500112),
        ({"code": "nonsense"}, 9002313),
        ({"client_secret": "wrong"}, 7000215),
        ({"grant_type": "password"}, 70003),
        ({"client_id": ""}, 900144),
        ({"client_id": "00000000-0000-0000-0000-000000000000"}, 700016),
    ],
)
def test_a_code_is_redeemed_by_whoever_asked_for_it_and_nobody_else(
    cloud: Emulator, changes: dict[str, str], code: int
) -> None:
    right = code_for(cloud)
    status, answer = redeem(**{"code": right, **changes})
    assert status in (400, 401)
    assert answer["error_codes"] == [code]
    assert redeem(right)[0] == 200  # a failed attempt leaves the code valid


def test_a_code_of_one_tenant_is_not_redeemed_at_another(cloud: Emulator) -> None:
    code = code_for(cloud)
    tenant = cloud.world.tenant("contoso.onmicrosoft.com").id
    answer = requests.post(
        f"{LOGIN}/{tenant}/oauth2/v2.0/token",
        data={
            "grant_type": "authorization_code",
            "client_id": WEB_CLIENT_ID,
            "client_secret": WEB_CLIENT_SECRET,
            "code": code,
            "redirect_uri": WEB_REDIRECT_URI,
            "code_verifier": VERIFIER,
        },
    )
    assert answer.json()["error_codes"] == [700005]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"client_id": "00000000-0000-0000-0000-000000000000"}, 700016),
        ({"client_id": client_id(WEB_CLIENT_ID, "us")}, 700016),
        ({"redirect_uri": "https://pluton.example/onedrive/Callback"}, 50011),
        ({"redirect_uri": "https://pluton.example/onedrive/callback/"}, 50011),
        ({"redirect_uri": "http://localhost:8080/other"}, 50011),
        ({"redirect_uri": None}, 900144),
        ({"client_id": SINGLE_TENANT_CLIENT_ID}, 50194),
    ],
)
def test_a_request_that_cannot_be_trusted_ends_on_a_page_and_never_at_the_app(
    cloud: Emulator, changes: dict[str, str | None], code: int
) -> None:
    visit = cloud.person(ANNA).visit(authorize_address(**changes))
    assert visit.status == 400
    assert visit.answer == {}
    assert f"AADSTS{code}:" in (visit.error or "")


@pytest.mark.parametrize(
    "redirect_uri", ["http://localhost:8080/onedrive/callback", WEB_REDIRECT_URI]
)
def test_the_port_of_localhost_does_not_count(cloud: Emulator, redirect_uri: str) -> None:
    address = authorize_address(redirect_uri=redirect_uri)
    assert requests.get(address).status_code == 200


@pytest.mark.parametrize(
    ("changes", "error", "code"),
    [
        ({"scope": "Files.Reedwrite"}, "invalid_client", 650053),
        ({"scope": "https://foo.microsoft.com/mail.read"}, "invalid_scope", 70011),
        ({"scope": "https://graph.microsoft.us/Files.Read"}, "invalid_resource", 500011),
        ({"scope": ".default Files.Read"}, "invalid_scope", 70011),
        ({"scope": None}, "invalid_request", 900144),
        ({"response_type": "id_token"}, "unsupported_response_type", 700054),
        ({"code_challenge_method": "plain"}, "invalid_request", 9002313),
        ({"code_challenge": "short"}, "invalid_request", 9002313),
    ],
)
def test_a_faulty_request_goes_back_to_the_app(
    cloud: Emulator, changes: dict[str, str | None], error: str, code: int
) -> None:
    answer = cloud.person(ANNA).visit(authorize_address(**changes)).answer
    assert answer["error"] == error
    assert answer["error_description"].startswith(f"AADSTS{code}:")
    assert answer["state"] == "st4te /?&"


def test_the_id_token_is_signed_with_the_published_key(cloud: Emulator) -> None:
    _, answer = redeem(code_for(cloud, nonce="n0nce"))
    configuration = requests.get(f"{LOGIN}/common/v2.0/.well-known/openid-configuration").json()
    keys = jwt.PyJWKSet.from_dict(requests.get(configuration["jwks_uri"]).json())
    kid = jwt.get_unverified_header(answer["id_token"])["kid"]
    claims = jwt.decode(
        answer["id_token"], keys[kid].key, algorithms=["RS256"], audience=WEB_CLIENT_ID
    )
    assert claims["nonce"] == "n0nce"
    assert claims["tid"] == "9188040d-6c67-4c5b-b112-36a304b66dad"


def test_tokens_look_like_microsofts(cloud: Emulator) -> None:
    personal = cloud.sign_in(ANNA)
    work = cloud.sign_in(BERT)
    assert personal["access_token"].startswith("EwB")
    assert "." not in personal["access_token"]
    assert work["access_token"].count(".") == 2


def test_no_refresh_token_without_offline_access_and_no_id_token_without_openid(
    cloud: Emulator,
) -> None:
    _, answer = redeem(code_for(cloud, scope="Files.Read"))
    assert "refresh_token" not in answer
    assert "id_token" not in answer


@pytest.mark.parametrize(
    ("username", "tenant", "code"),
    [
        (ANNA, "organizations", 500208),
        (BERT, "consumers", 500208),
        (ANNA, "contoso.onmicrosoft.com", 50020),
    ],
)
def test_an_account_that_does_not_belong_there_is_refused(
    cloud: Emulator, username: str, tenant: str, code: int
) -> None:
    visit = cloud.person(username).visit(authorize_address().replace("/common/", f"/{tenant}/"))
    assert f"AADSTS{code}:" in visit.answer["error_description"]


def test_a_guest_may_sign_in_to_the_tenant_that_invited_them(cloud: Emulator) -> None:
    contoso = cloud.world.tenant("contoso.onmicrosoft.com")
    cloud.world.person(ANNA).guest_in.add(contoso.id)
    visit = cloud.person(ANNA).visit(authorize_address().replace("/common/", f"/{contoso.domain}/"))
    _, answer = redeem(visit.answer["code"])
    claims = jwt.decode(answer["id_token"], options={"verify_signature": False})
    assert claims["tid"] == contoso.id


def test_an_app_for_work_accounts_does_not_take_a_personal_one(cloud: Emulator) -> None:
    from pluton_rclone.emulator import Audience

    cloud.world.registrations[WEB_CLIENT_ID].audience = Audience.ANY_TENANT
    answer = cloud.person(ANNA).visit(authorize_address()).answer
    assert answer["error"] == "unauthorized_client"
    assert "not enabled for consumers" in answer["error_description"]
    at_consumers = cloud.person(ANNA).visit(authorize_address().replace("/common/", "/consumers/"))
    assert "AADSTS9002332" in (at_consumers.error or "")


def test_the_pages_escape_what_they_are_given(cloud: Emulator) -> None:
    page = requests.get(authorize_address(login_hint='"><script>alert(1)</script>')).text
    assert "<script>alert" not in page
    visit = cloud.person(ANNA).visit(authorize_address(redirect_uri="https://x/<script>"))
    assert "<script>" not in visit.text


def test_an_old_page_is_told_so(cloud: Emulator) -> None:
    answer = requests.post(f"{LOGIN}/common/login", data={"flow": "gone", "answer": "accept"})
    assert answer.status_code == 400
    assert "AADSTS50089" in answer.text


def test_parameters_may_be_posted(cloud: Emulator) -> None:
    parts = urlsplit(authorize_address())
    form = {key: values[0] for key, values in parse_qs(parts.query).items()}
    assert "Sign in" in requests.post(f"{LOGIN}{parts.path}", data=form).text
