"""The device code: real MSAL waits while a person types the code elsewhere."""

from __future__ import annotations

import time
from typing import Any

import msal
import pytest
import requests

from pluton_rclone.emulator import (
    PUBLIC_CLIENT_ID,
    SINGLE_TENANT_CLIENT_ID,
    WEB_CLIENT_ID,
    WEB_CLIENT_SECRET,
    Emulator,
    client_id,
)
from pluton_rclone.emulator.hosts import CLOUDS

ANNA = "anna@outlook.com"
BERT = "bert@contoso.onmicrosoft.com"
LOGIN = "https://login.microsoftonline.com"
GRANT = "urn:ietf:params:oauth:grant-type:device_code"


def ask(tenant: str = "common", **changes: str) -> requests.Response:
    form = {
        "client_id": PUBLIC_CLIENT_ID,
        "scope": "Files.ReadWrite offline_access openid",
        **changes,
    }
    return requests.post(f"{LOGIN}/{tenant}/oauth2/v2.0/devicecode", data=form)


def poll(device_code: str, **changes: str) -> dict[str, Any]:
    form = {
        "grant_type": GRANT,
        "client_id": PUBLIC_CLIENT_ID,
        "device_code": device_code,
        **changes,
    }
    answer: dict[str, Any] = requests.post(f"{LOGIN}/common/oauth2/v2.0/token", data=form).json()
    return answer


@pytest.mark.parametrize("name", list(CLOUDS))
def test_msal_signs_in_with_a_device_code_in_every_cloud(cloud: Emulator, name: str) -> None:
    username = next(p.username for p in cloud.world.people.values() if p.tenant.cloud == name)
    authority = (
        f"https://{CLOUDS[name].login}/organizations" if name != "global" else f"{LOGIN}/common"
    )
    app = msal.PublicClientApplication(client_id(PUBLIC_CLIENT_ID, name), authority=authority)
    flow = app.initiate_device_flow(["Files.ReadWrite"])
    cloud.person(username).enter_device_code(flow["user_code"], flow["verification_uri"])
    result = app.acquire_token_by_device_flow(flow)
    assert result["id_token_claims"]["preferred_username"] == username
    assert cloud.world.authenticate(f"Bearer {result['access_token']}", name).device_code


def test_msal_waits_until_the_person_is_done(
    cloud: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = msal.PublicClientApplication(PUBLIC_CLIENT_ID, authority=f"{LOGIN}/common")
    flow = app.initiate_device_flow(["Files.ReadWrite"])

    def typed_meanwhile(seconds: float) -> None:
        cloud.person(ANNA).enter_device_code(flow["user_code"])
        cloud.world.advance(seconds)

    monkeypatch.setattr(time, "sleep", typed_meanwhile)
    result = app.acquire_token_by_device_flow(flow)
    assert "access_token" in result
    polls = [r.status for r in cloud.requests if r.path.endswith("/token")]
    assert polls == [400, 200]


def test_the_code_may_be_typed_as_people_type(cloud: Emulator) -> None:
    answer = ask().json()
    code = answer["user_code"]
    typed = f" {code[:3].lower()}-{code[3:6]} {code[6:]} "
    assert cloud.person(ANNA).enter_device_code(typed).error is None
    assert "access_token" in poll(answer["device_code"])


def test_a_wrong_code_is_said_on_the_page(cloud: Emulator) -> None:
    visit = cloud.person(ANNA).enter_device_code("WRONGCODE")
    assert "did not work" in (visit.error or "")


def test_polling_too_fast_slows_the_client_down(
    cloud: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now)  # only explicit steps move it
    cloud.world.lifetimes.device_poll_interval = 5
    code = ask().json()["device_code"]
    assert poll(code)["error"] == "authorization_pending"
    assert poll(code)["error"] == "slow_down"
    cloud.world.advance(6)  # five seconds sufficed before, ten are needed now
    assert poll(code)["error"] == "slow_down"
    cloud.world.advance(16)
    assert poll(code)["error"] == "authorization_pending"


def test_a_code_ends_with_its_time(cloud: Emulator) -> None:
    answer = ask().json()
    cloud.world.advance(answer["expires_in"] + 1)
    assert poll(answer["device_code"])["error"] == "expired_token"
    assert "did not work" in (cloud.person(ANNA).enter_device_code(answer["user_code"]).error or "")


def test_a_code_works_once(cloud: Emulator) -> None:
    answer = ask().json()
    cloud.person(ANNA).enter_device_code(answer["user_code"])
    assert "access_token" in poll(answer["device_code"])
    cloud.world.advance(60)
    assert poll(answer["device_code"])["error"] == "expired_token"


def test_declining_is_told_to_the_device(cloud: Emulator) -> None:
    answer = ask().json()
    cloud.person(ANNA).enter_device_code(answer["user_code"], accept=False)
    assert poll(answer["device_code"])["error"] == "authorization_declined"


def test_who_agreed_before_still_confirms_the_app(cloud: Emulator) -> None:
    cloud.sign_in(ANNA, "Files.ReadWrite", "openid")
    answer = ask().json()
    visit = cloud.person(ANNA).enter_device_code(answer["user_code"], accept=False)
    assert visit.permissions == ()
    assert poll(answer["device_code"])["error"] == "authorization_declined"


def test_an_unknown_device_code(cloud: Emulator) -> None:
    assert poll("nonsense")["error"] == "bad_verification_code"


def test_blocked_device_codes_are_told_on_the_page_and_to_the_device(cloud: Emulator) -> None:
    cloud.world.tenant("contoso.onmicrosoft.com").policies.device_code_allowed = False
    answer = ask().json()
    cloud.person(BERT).enter_device_code(answer["user_code"])
    refused = poll(answer["device_code"])
    assert (refused["error"], refused["error_codes"]) == ("interaction_required", [53003])


def test_a_session_that_began_with_a_device_code_can_be_blocked_later(cloud: Emulator) -> None:
    answer = ask().json()
    cloud.person(BERT).enter_device_code(answer["user_code"])
    token = poll(answer["device_code"])["refresh_token"]
    by_browser = cloud.sign_in(BERT)["refresh_token"]
    cloud.world.tenant("contoso.onmicrosoft.com").policies.device_code_allowed = False

    def refresh(token: str) -> dict[str, Any]:
        return poll("", grant_type="refresh_token", refresh_token=token)

    assert refresh(token)["error_codes"] == [53003]
    assert "access_token" in refresh(by_browser)


def test_an_app_of_one_tenant_cannot_ask_at_common(cloud: Emulator) -> None:
    assert ask(client_id=SINGLE_TENANT_CLIENT_ID).json()["error_codes"] == [50059]
    assert ask("contoso.onmicrosoft.com", client_id=SINGLE_TENANT_CLIENT_ID).status_code == 200


@pytest.mark.parametrize(
    ("changes", "code"),
    [({"client_id": ""}, 900144), ({"scope": ""}, 900144), ({"scope": "Files.Reed"}, 650053)],
)
def test_a_faulty_request_is_refused(cloud: Emulator, changes: dict[str, str], code: int) -> None:
    assert ask(**changes).json()["error_codes"] == [code]


def test_an_app_without_public_flows_needs_its_secret_to_redeem(cloud: Emulator) -> None:
    answer = ask(client_id=WEB_CLIENT_ID).json()
    cloud.person(ANNA).enter_device_code(answer["user_code"])
    code = answer["device_code"]
    assert poll(code, client_id=WEB_CLIENT_ID)["error_codes"] == [7000218]
    assert "access_token" in poll(code, client_id=WEB_CLIENT_ID, client_secret=WEB_CLIENT_SECRET)
