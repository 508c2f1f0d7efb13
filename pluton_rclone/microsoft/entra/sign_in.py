"""The result of every sign-in (token, account, permissions), its renewal, and app-only sign-in, for
which an administrator has granted the permissions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from pluton_rclone.errors import ConsentRequired, RegistrationError, TokenExpired

from ..clouds import WORDS_FOR_TENANTS
from ..http import Http
from .account import Account, require_same
from .app import AppRegistration
from .client import msal_application, outcome
from .faults import Asked
from .scopes import ACCEPT_OR_ASK, admin_consent_url, in_words, missing
from .token import Token


@dataclass(frozen=True)
class SignIn:
    """A completed sign-in. `scopes` are the granted permissions, as short names."""

    token: Token
    account: Account
    scopes: tuple[str, ...]


def completed(
    result: Mapping[str, Any],
    app: AppRegistration,
    asked: tuple[str, ...],
    account: Account | None,
    redirect_uri: str = "",
) -> SignIn:
    """The sign-in in a token response of MSAL. Raises `AccountError` if the account is not
    `account`, and `ConsentRequired` if some of the scopes in `asked` were not granted."""
    token = Token.from_msal(result, asked=asked)
    signed_in = Account.from_id_token(result.get("id_token_claims") or {})
    if account is not None:
        require_same(account, signed_in)
    lacking, have = missing(token.scopes, asked), in_words(token.scopes)
    if lacking:
        tenant = signed_in.tenant_id or None
        url = admin_consent_url(app, asked, tenant=tenant, redirect_uri=redirect_uri)
        what = f"Microsoft granted {signed_in} fewer permissions than requested."
        about: dict[str, Any] = {"link": url, "admin_consent_url": url}
        about["missing_scopes"] = list(lacking)
        rest = f"granted: {have}" if have else "nothing was granted"
        why = f"not granted: {in_words(lacking)}; {rest}"
        raise ConsentRequired(what, why=why, advice=ACCEPT_OR_ASK, **about)
    return SignIn(token, signed_in, token.scopes)


def refresh(app: AppRegistration, token: Token, *, http: Http | None = None) -> Token:
    """A new token; save its refresh token, which may have changed. Raises `TokenExpired` if the
    user must sign in again, and `SignInError`."""
    if not token.refresh_token:
        raise TokenExpired("This token cannot be renewed.", why="it came without a refresh token")
    asked = Asked(app, (), "refresh", (token.refresh_token, app.client_secret or ""))
    with msal_application(app, asked, http) as application:
        result = application.acquire_token_by_refresh_token(token.refresh_token, [])
    renewed = Token.from_msal(outcome(result, asked), asked=token.scopes)
    return replace(renewed, refresh_token=renewed.refresh_token or token.refresh_token)


def sign_in_as_app(app: AppRegistration, *, http: Http | None = None) -> SignIn:
    """Sign in as the application itself (client credentials), with its secret or certificate. The
    token has no refresh token, and personal accounts cannot be reached. Raises `RegistrationError`
    (tenant, credentials), `SecretExpired`, `AdminConsentRequired`, and other `SignInError`s."""
    if app.tenant in WORDS_FOR_TENANTS:
        what, number = "Signing in as an application needs the tenant.", "AADSTS9001023"
        why = f"{app.tenant!r} does not say in which organisation ({number})"
        advice = "Give the tenant's id or domain: the registration's Overview page shows it."
        raise RegistrationError(what, why=why, advice=advice, aadsts=number)
    if not app.confidential:
        what = "Signing in as an application needs a client secret or a certificate."
        advice = "Make one under Certificates & secrets of the registration, and set it here."
        raise RegistrationError(what, advice=advice)
    scope = f"{app.cloud.graph_root}/.default"
    asked = Asked(app, (), "app-only", (app.client_secret or "",))
    with msal_application(app, asked, http) as application:
        result = outcome(application.acquire_token_for_client([scope]), asked)
    token = Token.from_msal({**result, "scope": ""})
    account = Account(app.client_id, app.client_id, "", app.tenant, "application")
    return SignIn(token, account, ())
