"""An organisation's policies: each set in one line, each refusal with Microsoft's code."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests

from pluton_rclone.emulator import (
    PUBLIC_CLIENT_ID,
    WEB_CLIENT_ID,
    WEB_REDIRECT_URI,
    Consent,
    Emulator,
    Tenant,
)
from pluton_rclone.emulator import entra as entra_package

BERT = "bert@contoso.onmicrosoft.com"
ADMIN = "admin@contoso.onmicrosoft.com"
ANNA = "anna@outlook.com"
LOGIN = "https://login.microsoftonline.com"

CODES: dict[str, dict[str, str]] = json.loads(
    (Path(entra_package.__file__).parent / "aadsts.json").read_text(encoding="utf-8")
)["codes"]


@pytest.fixture
def contoso(cloud: Emulator) -> Tenant:
    return cloud.world.tenant("contoso.onmicrosoft.com")


def authorize_address(scope: str = "Files.ReadWrite offline_access openid", **more: str) -> str:
    parameters = {
        "client_id": WEB_CLIENT_ID,
        "response_type": "code",
        "redirect_uri": WEB_REDIRECT_URI,
        "scope": scope,
        **more,
    }
    request = requests.Request("GET", f"{LOGIN}/common/oauth2/v2.0/authorize", params=parameters)
    return str(request.prepare().url)


def visited(
    cloud: Emulator, username: str = BERT, scope: str = "Files.ReadWrite", **more: str
) -> dict[str, str]:
    """The answer that the app gets after this person's visit to the sign-in page."""
    return dict(cloud.person(username).visit(authorize_address(scope, **more)).answer)


def refreshed(
    cloud: Emulator, token: str, post: Callable[..., requests.Response] = requests.post
) -> dict[str, Any]:
    form = {"grant_type": "refresh_token", "client_id": PUBLIC_CLIENT_ID, "refresh_token": token}
    answer: dict[str, Any] = post(f"{LOGIN}/common/oauth2/v2.0/token", data=form).json()
    return answer


# ---- consent -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("rule", "code"), [(Consent.FORBIDDEN, 90094), (Consent.WORKFLOW, 90095)])
def test_a_tenant_may_leave_consent_to_administrators(
    cloud: Emulator, contoso: Tenant, rule: Consent, code: int
) -> None:
    contoso.policies.user_consent = rule
    answer = visited(cloud)
    assert answer["error"] == "access_denied"
    assert answer["error_description"].startswith(f"AADSTS{code}:")
    assert "code" in visited(cloud, ADMIN)
    assert "code" in visited(cloud, ANNA)  # another tenant's rule is not theirs


def test_the_managed_policy_wants_an_administrator_for_all_files_and_sites(
    cloud: Emulator, contoso: Tenant
) -> None:
    contoso.policies.user_consent = Consent.MANAGED
    assert "code" in visited(cloud, scope="Files.ReadWrite")
    for scope in ("Files.Read.All", "Files.ReadWrite.All", "Sites.Read.All", "Sites.ReadWrite.All"):
        assert visited(cloud, scope=f"Files.ReadWrite {scope}")["error_description"].startswith(
            "AADSTS90094:"
        )


def test_what_an_administrator_agreed_to_for_everybody_is_not_asked_again(
    cloud: Emulator, contoso: Tenant
) -> None:
    contoso.policies.user_consent = Consent.MANAGED
    admin = cloud.person(ADMIN).visit(authorize_address("Sites.Read.All"), for_organisation=True)
    assert "code" in admin.answer
    visit = cloud.person(BERT).visit(authorize_address("Sites.Read.All"))
    assert visit.permissions == ()
    assert "code" in visit.answer


def test_what_an_administrator_agreed_to_for_themselves_helps_nobody_else(
    cloud: Emulator, contoso: Tenant
) -> None:
    contoso.policies.user_consent = Consent.FORBIDDEN
    visited(cloud, ADMIN)
    assert visited(cloud)["error"] == "access_denied"


def test_consent_given_before_the_policy_goes_on_working(cloud: Emulator, contoso: Tenant) -> None:
    visited(cloud, scope="Files.ReadWrite.All")
    contoso.policies.user_consent = Consent.MANAGED
    assert "code" in visited(cloud, scope="Files.ReadWrite.All")


def test_an_app_of_an_unverified_publisher_needs_the_administrator_of_other_tenants(
    cloud: Emulator,
) -> None:
    cloud.world.registrations[WEB_CLIENT_ID].publisher_verified = False
    cloud.world.add_tenant("tailwind.onmicrosoft.com", "Tailwind")
    cloud.world.add_person("gina@tailwind.onmicrosoft.com", "Gina")
    assert visited(cloud, "gina@tailwind.onmicrosoft.com")["error"] == "access_denied"
    assert "code" in visited(cloud, BERT)  # the tenant where it is registered


def test_some_permissions_are_for_administrators_by_nature(cloud: Emulator) -> None:
    assert visited(cloud, scope="Sites.FullControl.All")["error"] == "access_denied"
    assert "code" in visited(cloud, ADMIN, scope="Sites.FullControl.All")


def test_less_may_be_granted_than_was_asked_for(cloud: Emulator, contoso: Tenant) -> None:
    contoso.policies.withheld = frozenset({"Sites.Read.All"})
    token = cloud.sign_in(BERT, "Files.ReadWrite.All", "Sites.Read.All", "offline_access")
    assert token["scope"] == "https://graph.microsoft.com/Files.ReadWrite.All"
    again = refreshed(cloud, token["refresh_token"])
    assert again["scope"] == token["scope"]


# ---- accounts and conditional access -------------------------------------------------------------


@pytest.mark.parametrize(("state", "code"), [("disabled", 50057), ("locked", 50053)])
def test_a_disabled_or_locked_account(cloud: Emulator, state: str, code: int) -> None:
    token = cloud.sign_in(BERT)["refresh_token"]
    setattr(cloud.world.person(BERT), state, True)
    assert visited(cloud)["error_description"].startswith(f"AADSTS{code}:")
    assert refreshed(cloud, token)["error_codes"] == [code]


def test_an_app_may_be_for_assigned_people_only(cloud: Emulator, contoso: Tenant) -> None:
    contoso.policies.assignment_required = True
    assert visited(cloud)["error_description"].startswith("AADSTS50105:")
    cloud.world.registrations[WEB_CLIENT_ID].assigned.add(BERT)
    assert "code" in visited(cloud)


@pytest.mark.parametrize("code", ["AADSTS53000", "AADSTS53003", "AADSTS50131", "AADSTS530035"])
def test_conditional_access_stops_sign_in_and_refresh(
    cloud: Emulator, contoso: Tenant, code: str
) -> None:
    token = cloud.sign_in(BERT)["refresh_token"]
    contoso.policies.conditional_access = code
    visit = cloud.person(BERT).visit(authorize_address())
    assert visit.answer["error_description"].startswith(f"{code}:")
    assert refreshed(cloud, token)["error_description"].startswith(f"{code}:")


def test_a_second_factor_is_asked_of_the_person_and_demanded_of_old_tokens(
    cloud: Emulator, contoso: Tenant
) -> None:
    token = cloud.sign_in(BERT)["refresh_token"]
    cloud.world.advance(1)
    contoso.policies.multi_factor_since = cloud.world.now()
    answer = refreshed(cloud, token)
    assert (answer["error"], answer["suberror"]) == ("interaction_required", "basic_action")
    assert json.loads(answer["claims"])["access_token"]["capolids"]["essential"] is True
    before = len(cloud.requests)
    assert "code" in visited(cloud)
    pages = [request.path for request in cloud.requests[before:]]
    assert len(pages) == 4  # authorize, account, second factor, consent
    assert "error" not in refreshed(cloud, cloud.sign_in(BERT)["refresh_token"])


def test_a_silent_request_hears_of_the_second_factor(cloud: Emulator, contoso: Tenant) -> None:
    bert = cloud.person(BERT)
    bert.visit(authorize_address())
    contoso.policies.multi_factor_since = cloud.world.now()
    assert bert.visit(authorize_address(prompt="none")).answer["error"] == "interaction_required"


# ---- every row of Microsoft's list on demand -----------------------------------------------------


def test_any_code_can_be_played(cloud: Emulator) -> None:
    token = cloud.sign_in(BERT)["refresh_token"]
    with requests.Session() as session:
        for number, code in CODES.items():
            cloud.world.refuse_sign_in(f"AADSTS{number}")
            answer = refreshed(cloud, token, session.post)
            assert answer["error"] == code["error"], number
            assert answer["error_codes"] == [int(number)]
            assert answer.get("suberror") == code.get("suberror"), number
            again = refreshed(cloud, token, session.post)
            assert "access_token" in again, number  # once, by default


def test_a_busy_service_names_a_time(cloud: Emulator) -> None:
    token = cloud.sign_in(BERT)["refresh_token"]
    cloud.world.refuse_sign_in("temporarily_unavailable", times=2)
    form = {"grant_type": "refresh_token", "client_id": PUBLIC_CLIENT_ID, "refresh_token": token}
    answers = [requests.post(f"{LOGIN}/common/oauth2/v2.0/token", data=form) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [503, 503, 200]
    assert answers[0].headers["Retry-After"] == "5"


def test_a_refusal_may_be_for_one_person_and_one_endpoint(cloud: Emulator) -> None:
    cloud.world.refuse_sign_in("AADSTS50055", at="authorize", times=-1, username=BERT)
    assert visited(cloud)["error_description"].startswith("AADSTS50055:")
    assert visited(cloud)["error_description"].startswith("AADSTS50055:")
    assert "code" in visited(cloud, ANNA)
    cloud.world.refuse_sign_in("AADSTS90055", at="devicecode")
    form = {"client_id": PUBLIC_CLIENT_ID, "scope": "Files.Read"}
    answer = requests.post(f"{LOGIN}/common/oauth2/v2.0/devicecode", data=form)
    assert answer.status_code == 503
