"""The result of every sign-in: a token, a person, permissions. Renewing it, and signing in without
a person: the application acts with permissions of an administrator."""

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
    """A sign-in that came to a good end. `scopes` are the permissions granted, short names."""

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
    """The sign-in in a token answer of MSAL. AccountError for another account than `account`,
    ConsentRequired if less than was `asked` for was granted."""
    token = Token.from_msal(result, asked=asked)
    signed_in = Account.from_id_token(result.get("id_token_claims") or {})
    if account is not None:
        require_same(account, signed_in)
    lacking, have = missing(token.scopes, asked), in_words(token.scopes)
    if lacking:
        tenant = signed_in.tenant_id or None
        url = admin_consent_url(app, asked, tenant=tenant, redirect_uri=redirect_uri)
        what = f"Microsoft granted {signed_in} less than was asked for."
        about: dict[str, Any] = {"link": url, "admin_consent_url": url}
        about["missing_scopes"] = list(lacking)
        rest = f"granted: {have}" if have else "nothing was granted"
        why = f"not granted: {in_words(lacking)}; {rest}"
        raise ConsentRequired(what, why=why, advice=ACCEPT_OR_ASK, **about)
    return SignIn(token, signed_in, token.scopes)


def refresh(app: AppRegistration, token: Token, *, http: Http | None = None) -> Token:
    """A new token; keep its refresh token, which may be another. TokenExpired if the person has to
    sign in again; SignInError."""
    if not token.refresh_token:
        raise TokenExpired("This token cannot be renewed.", why="it came without a refresh token")
    asked = Asked(app, (), "refresh", (token.refresh_token, app.client_secret or ""))
    with msal_application(app, asked, http) as application:
        result = application.acquire_token_by_refresh_token(token.refresh_token, [])
    renewed = Token.from_msal(outcome(result, asked), asked=token.scopes)
    return replace(renewed, refresh_token=renewed.refresh_token or token.refresh_token)


def sign_in_as_app(app: AppRegistration, *, http: Http | None = None) -> SignIn:
    """A token of the application itself (client credentials), by secret or certificate: without a
    refresh token, and not for personal accounts. Raises `RegistrationError` (tenant, credentials),
    `SecretExpired`, `AdminConsentRequired`, and the rest of `SignInError`."""
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
