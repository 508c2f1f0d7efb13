"""Refreshing: rotation, scopes, what ends a token, and how each end is reported."""

from __future__ import annotations

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
from pluton_rclone.emulator.entra import Sessions

ANNA = "anna@outlook.com"
BERT = "bert@contoso.onmicrosoft.com"
LOGIN = "https://login.microsoftonline.com"
DAY = 24 * 3600


def refresh(
    token: str, *, tenant: str = "common", login: str = LOGIN, **changes: str
) -> requests.Response:
    """As rclone does for a public client, in its second attempt: without a scope."""
    form = {
        "grant_type": "refresh_token",
        "client_id": PUBLIC_CLIENT_ID,
        "refresh_token": token,
        **changes,
    }
    return requests.post(f"{login}/{tenant}/oauth2/v2.0/token", data=form)


def refused(answer: requests.Response) -> int:
    """The AADSTS number of a refusal."""
    codes: list[int] = answer.json()["error_codes"]
    return codes[0]


@pytest.mark.parametrize("username", [ANNA, BERT])
def test_a_refresh_brings_new_tokens_with_the_same_permissions(
    cloud: Emulator, username: str
) -> None:
    first = cloud.sign_in(username)
    answer: dict[str, Any] = refresh(first["refresh_token"]).json()
    assert answer["scope"] == first["scope"]
    assert answer["access_token"] != first["access_token"]
    assert answer["refresh_token"] != first["refresh_token"]
    assert cloud.world.authenticate(f"Bearer {answer['access_token']}", "global").allows(
        "Files.ReadWrite"
    )


def test_msal_refreshes(cloud: Emulator) -> None:
    app = msal.PublicClientApplication(PUBLIC_CLIENT_ID, authority=f"{LOGIN}/common")
    first = cloud.sign_in(ANNA, "Files.ReadWrite", "offline_access", "openid", "profile")
    result = app.acquire_token_by_refresh_token(first["refresh_token"], ["Files.ReadWrite"])
    assert result["access_token"]
    assert app.get_accounts()[0]["username"] == ANNA


def test_the_old_refresh_token_goes_on_working_as_microsofts_does(cloud: Emulator) -> None:
    first = cloud.sign_in(ANNA)["refresh_token"]
    assert refresh(first).status_code == 200
    assert refresh(first).status_code == 200


def test_rotation_can_be_made_strict_or_slow(cloud: Emulator) -> None:
    cloud.world.lifetimes.rotated_refresh_token = 60
    first = cloud.sign_in(BERT)["refresh_token"]
    second = refresh(first).json()["refresh_token"]
    cloud.world.advance(30)
    assert refresh(first).status_code == 200
    cloud.world.advance(60)
    assert refused(refresh(first)) == 50173
    assert refresh(second).status_code == 200


def test_a_lifetime_of_a_token_is_what_the_answer_says(cloud: Emulator) -> None:
    cloud.world.lifetimes.access_token = 2
    answer = refresh(cloud.sign_in(ANNA)["refresh_token"]).json()
    assert answer["expires_in"] == answer["ext_expires_in"] == 2


def test_90_idle_days_end_a_refresh_token_and_use_keeps_it_alive(cloud: Emulator) -> None:
    idle = cloud.sign_in(BERT)["refresh_token"]
    used = cloud.sign_in(BERT)["refresh_token"]
    cloud.world.advance(60 * DAY)
    used = refresh(used).json()["refresh_token"]
    cloud.world.advance(60 * DAY)
    assert refused(refresh(idle)) == 700082
    assert refresh(used).status_code == 200


def test_revoked_sessions_need_a_new_sign_in(cloud: Emulator) -> None:
    token = cloud.sign_in(BERT)["refresh_token"]
    cloud.world.advance(1)
    cloud.world.revoke_tokens(cloud.world.person(BERT))
    assert refused(refresh(token)) == 50173
    assert refresh(cloud.sign_in(BERT)["refresh_token"]).status_code == 200


def test_a_disabled_account_gets_no_more_tokens(cloud: Emulator) -> None:
    token = cloud.sign_in(BERT)["refresh_token"]
    cloud.world.person(BERT).disabled = True
    assert refused(refresh(token)) == 50057


def test_a_withdrawn_consent_ends_the_refresh(cloud: Emulator) -> None:
    token = cloud.sign_in(BERT)["refresh_token"]
    cloud.world.part(Sessions).consents.clear()
    answer = refresh(token)
    assert refused(answer) == 65001
    assert answer.json()["suberror"] == "consent_required"


def test_asking_for_more_than_was_agreed_to_is_refused(cloud: Emulator) -> None:
    token = cloud.sign_in(BERT)["refresh_token"]
    answer = refresh(token, scope="https://graph.microsoft.com/Sites.Read.All offline_access")
    assert refused(answer) == 65001


def test_personal_accounts_give_one_answer_to_all_of_these(cloud: Emulator) -> None:
    anna = cloud.world.person(ANNA)
    revoked = cloud.sign_in(ANNA)["refresh_token"]
    cloud.world.advance(1)
    cloud.world.revoke_tokens(anna)
    assert refused(refresh(revoked)) == 70000
    idle = cloud.sign_in(ANNA)["refresh_token"]
    cloud.world.advance(91 * DAY)
    assert refused(refresh(idle)) == 70000
    token = cloud.sign_in(ANNA)["refresh_token"]
    cloud.world.part(Sessions).consents.clear()
    assert refused(refresh(token)) == 70000
    anna.disabled = True
    assert refused(refresh(token)) == 70000


@pytest.mark.parametrize("username", [ANNA, BERT])
def test_a_damaged_token_is_called_malformed(cloud: Emulator, username: str) -> None:
    token = cloud.sign_in(username)["refresh_token"]
    answer = refresh(token[:-1])
    assert refused(answer) == 9002313
    assert answer.json()["suberror"] == "bad_token"


def test_a_token_belongs_to_the_app_that_got_it(cloud: Emulator) -> None:
    token = cloud.sign_in(BERT)["refresh_token"]
    answer = refresh(token, client_id=WEB_CLIENT_ID, client_secret=WEB_CLIENT_SECRET)
    assert refused(answer) == 70000


def test_a_token_of_one_cloud_is_nothing_in_another(cloud: Emulator) -> None:
    ours = client_id(PUBLIC_CLIENT_ID, "us")
    token = cloud.sign_in("carla@fabrikam.onmicrosoft.us", client_id=ours)["refresh_token"]
    assert refused(refresh(token, client_id=ours)) == 700016
    assert refused(refresh(token)) == 9002313
    assert (
        refresh(token, client_id=ours, login="https://login.microsoftonline.us").status_code == 200
    )


def test_a_single_tenant_app_refreshes_at_its_tenant_only(cloud: Emulator) -> None:
    token = cloud.sign_in(BERT, client_id=SINGLE_TENANT_CLIENT_ID)["refresh_token"]
    assert refused(refresh(token, client_id=SINGLE_TENANT_CLIENT_ID)) == 50194
    at_home = refresh(token, client_id=SINGLE_TENANT_CLIENT_ID, tenant="contoso.onmicrosoft.com")
    assert at_home.status_code == 200


def test_a_missing_parameter_is_named(cloud: Emulator) -> None:
    answer = requests.post(
        f"{LOGIN}/common/oauth2/v2.0/token", data={"client_id": PUBLIC_CLIENT_ID}
    )
    assert refused(answer) == 900144
    assert "'grant_type'" in answer.json()["error_description"]


def test_the_token_endpoint_takes_post_only(cloud: Emulator) -> None:
    assert refused(requests.get(f"{LOGIN}/common/oauth2/v2.0/token")) == 900561


def test_a_browser_script_may_not_redeem(cloud: Emulator) -> None:
    answer = requests.post(
        f"{LOGIN}/common/oauth2/v2.0/token",
        data={"grant_type": "refresh_token"},
        headers={"Origin": "https://pluton.example"},
    )
    assert refused(answer) == 9002326


def test_the_correlation_id_of_the_request_comes_back(cloud: Emulator) -> None:
    answer = requests.post(
        f"{LOGIN}/common/oauth2/v2.0/token",
        data={},
        headers={"client-request-id": "8478d534-5b2c-4325-8c2c-51395c342c89"},
    )
    assert answer.json()["correlation_id"] == "8478d534-5b2c-4325-8c2c-51395c342c89"
    assert (
        "Correlation ID: 8478d534-5b2c-4325-8c2c-51395c342c89" in answer.json()["error_description"]
    )
