"""Tokens that are renewed, tokens that cannot be, and tokens from elsewhere."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from pluton_rclone import errors
from pluton_rclone.emulator import (
    PUBLIC_CLIENT_ID,
    SINGLE_TENANT_CLIENT_ID,
    WEB_CLIENT_ID,
    Emulator,
)
from pluton_rclone.emulator.entra.shortcut import sign_in
from pluton_rclone.microsoft.entra.account import Account, require_same
from pluton_rclone.microsoft.entra.app import AppRegistration, Certificate
from pluton_rclone.microsoft.entra.sign_in import refresh
from pluton_rclone.microsoft.entra.token import ALREADY_EXPIRED, Token
from pluton_rclone.microsoft.http import Http
from pluton_rclone.setup.imported import import_token

from .certificate import PEM_CERTIFICATE, pem_key
from .waitless import Clock

APP = AppRegistration(PUBLIC_CLIENT_ID)
ANNA = "anna@outlook.com"
BERT = "bert@contoso.onmicrosoft.com"


def token_of(
    cloud: Emulator, username: str = BERT, scopes: str = "Files.ReadWrite", **more: Any
) -> Token:
    return Token.from_msal(
        sign_in(
            cloud.world,
            username,
            f"{scopes} offline_access",
            more.pop("client_id", PUBLIC_CLIENT_ID),
        )
    )


def test_a_token_is_renewed_and_may_rotate(cloud: Emulator) -> None:
    token = token_of(cloud)

    renewed = refresh(APP, token)

    assert renewed.access_token != token.access_token
    assert renewed.refresh_token
    assert renewed.scopes == token.scopes


def test_an_applications_certificate_is_left_out_where_a_persons_token_is_renewed(
    cloud: Emulator, tmp_path: Path
) -> None:
    (tmp_path / "app.pem").write_bytes(pem_key() + PEM_CERTIFICATE)
    app = dataclasses.replace(APP, certificate=Certificate(tmp_path / "app.pem"))
    old = dataclasses.replace(token_of(cloud), expiry=ALREADY_EXPIRED)

    assert import_token(old.to_rclone(), app=app).sign_in.account.username == BERT


def test_a_used_refresh_token_that_was_revoked_is_said_to_have_ended(cloud: Emulator) -> None:
    cloud.world.lifetimes.rotated_refresh_token = 0
    token = token_of(cloud)
    refresh(APP, token)

    with pytest.raises(errors.TokenExpired):
        refresh(APP, token)


def test_ninety_days_without_use(cloud: Emulator) -> None:
    token = token_of(cloud)
    cloud.world.advance(91 * 24 * 3600)

    with pytest.raises(errors.TokenExpired) as refusal:
        refresh(APP, token)

    assert refusal.value.details["aadsts"] == "AADSTS700082"


def test_signed_out_everywhere(cloud: Emulator) -> None:
    token = token_of(cloud)
    cloud.world.revoke_tokens(cloud.world.person(BERT))

    with pytest.raises(errors.TokenExpired) as refusal:
        refresh(APP, token)

    assert refusal.value.details["aadsts"] == "AADSTS50173"


def test_a_second_factor_is_wanted_again(cloud: Emulator) -> None:
    token = token_of(cloud)
    cloud.world.tenant("contoso.onmicrosoft.com").policies.multi_factor_since = (
        cloud.world.now() + 1
    )
    cloud.world.advance(2)

    with pytest.raises(errors.InteractionRequired) as refusal:
        refresh(APP, token)

    assert refusal.value.details["aadsts"] == "AADSTS50076"


def test_an_account_that_was_disabled(cloud: Emulator) -> None:
    token = token_of(cloud)
    cloud.world.person(BERT).disabled = True

    with pytest.raises(errors.AccountError) as refusal:
        refresh(APP, token)

    assert refusal.value.who is errors.Who.ADMINISTRATOR


def test_a_busy_service_is_asked_again_later(cloud: Emulator, clock: Clock) -> None:
    token = token_of(cloud)
    cloud.world.refuse_sign_in("temporarily_unavailable", times=-1)

    with Http(cancel=clock, now=clock.now) as http, pytest.raises(errors.SignInError) as refusal:
        refresh(APP, token, http=http)

    assert refusal.value.who is errors.Who.LATER


def test_without_a_refresh_token_there_is_nothing_to_renew() -> None:
    with pytest.raises(errors.TokenExpired):
        refresh(APP, Token("x", None, ALREADY_EXPIRED))


def test_a_token_of_another_registration_cannot_be_renewed(cloud: Emulator) -> None:
    token = token_of(cloud, client_id=WEB_CLIENT_ID)

    with pytest.raises(errors.SignInError) as refusal:
        refresh(APP, token)

    assert token.refresh_token is not None
    assert token.refresh_token not in str(refusal.value.record())


def test_a_single_tenant_token_is_renewed_at_its_tenant(cloud: Emulator) -> None:
    token = token_of(cloud, client_id=SINGLE_TENANT_CLIENT_ID)

    renewed = refresh(
        AppRegistration(SINGLE_TENANT_CLIENT_ID, tenant="contoso.onmicrosoft.com"), token
    )
    assert renewed.access_token
    with pytest.raises(errors.RegistrationError) as refusal:
        refresh(AppRegistration(SINGLE_TENANT_CLIENT_ID), token)
    assert refusal.value.details["aadsts"] == "AADSTS50194"


# ---- taken over


@pytest.mark.parametrize(
    ("username", "kind", "name"), [(ANNA, "personal", "Anna Berg"), (BERT, "work", "Bert Jansen")]
)
def test_a_pasted_token_says_whose_it_is(
    cloud: Emulator, username: str, kind: str, name: str
) -> None:
    pasted = (
        f"Paste the following into your remote machine "
        f"--->\n{token_of(cloud, username).to_rclone()}\n<---End paste"
    )

    imported = import_token(pasted, app=APP)

    assert (imported.sign_in.account.kind, imported.sign_in.account.name) == (kind, name)
    assert imported.app == APP


def test_one_that_has_ended_is_renewed_first(cloud: Emulator) -> None:
    token = dataclasses.replace(token_of(cloud), expiry=ALREADY_EXPIRED)

    imported = import_token(token.to_rclone(), app=APP)

    assert not imported.sign_in.token.expired()
    assert imported.sign_in.scopes == ("Files.ReadWrite",)


def test_one_of_rclones_own_registration_that_has_ended_cannot_be(cloud: Emulator) -> None:
    token = dataclasses.replace(token_of(cloud), expiry=ALREADY_EXPIRED)

    with pytest.raises(errors.TokenExpired) as refusal:
        import_token(token.to_rclone())

    assert "rclone authorize" in refusal.value.advice


def test_a_pasted_remote_brings_its_registration(cloud: Emulator) -> None:
    token = dataclasses.replace(
        token_of(cloud, client_id=SINGLE_TENANT_CLIENT_ID), expiry=ALREADY_EXPIRED
    )
    pasted = (
        f"[old]\ntype = onedrive\nclient_id = {SINGLE_TENANT_CLIENT_ID}\ntenant = "
        f"contoso.onmicrosoft.com\n"
        f"drive_id = b!x\ndrive_type = business\ntoken = {token.to_rclone()}\n"
    )

    imported = import_token(pasted)

    assert imported.app == AppRegistration(
        SINGLE_TENANT_CLIENT_ID, tenant="contoso.onmicrosoft.com"
    )
    assert imported.options["drive_id"] == "b!x"


def test_a_pasted_remote_of_a_cloud_out_of_reach_is_refused(cloud: Emulator) -> None:
    pasted = (
        f"[old]\ntype = onedrive\nclient_id = x\nregion = dod\ntoken = "
        f"{token_of(cloud).to_rclone()}\n"
    )

    with pytest.raises(errors.TokenInvalid, match="DoD"):
        import_token(pasted)


# ---- the same person


def account(**more: Any) -> Account:
    return Account(
        **{"id": "1", "name": "Anna", "username": ANNA, "tenant_id": "", "kind": "work", **more}
    )


def test_one_person_is_known_by_the_id() -> None:
    require_same(account(id="ABC"), account(id="abc", username="renamed@outlook.com"))
    with pytest.raises(errors.AccountError, match="belongs to"):
        require_same(account(id="abc"), account(id="def"))


def test_graph_and_the_id_token_write_a_personal_id_in_two_ways() -> None:
    require_same(
        account(id="00000000-0000-0000-0f7d-00bffc4d4e62", kind="personal"),
        account(id="F7D00BFFC4D4E62", kind="personal"),
    )


def test_where_an_id_is_missing_the_user_name_decides() -> None:
    require_same(account(id=""), account(username=ANNA.upper()))
    with pytest.raises(errors.AccountError):
        require_same(account(id="", username=""), account())
