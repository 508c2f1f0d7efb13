"""The result of every sign-in: a token, a person, permissions; and renewing that token."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from pluton_rclone.errors import ConsentRequired, TokenExpired

from ..http import Http, pool
from .account import Account, require_same
from .app import AppRegistration
from .client import msal_application, outcome
from .consent import ACCEPT_OR_ASK, admin_consent_url
from .faults import Asked
from .scopes import difference_in_words, missing, short_names
from .token import Token


@dataclass(frozen=True)
class SignIn:
    """A sign-in that came to a good end. `scopes` are the permissions granted, short names."""

    token: Token
    account: Account
    scopes: tuple[str, ...]
    region: str = "global"

    def missing(self, wanted: Iterable[str]) -> tuple[str, ...]:
        """Which of these permissions this sign-in lacks."""
        return missing(self.scopes, wanted)


def completed(
    result: Mapping[str, Any], app: AppRegistration, wanted: Iterable[str], account: Account | None
) -> SignIn:
    """The sign-in in a token answer of MSAL. AccountError for another account than `account`,
    ConsentRequired if less than `wanted` was granted.
    """
    asked = short_names(wanted)
    token = Token.from_msal(result, asked=asked)
    signed_in = Account.from_id_token(result.get("id_token_claims") or {})
    if account is not None:
        require_same(account, signed_in)
    difference = difference_in_words(token.scopes, asked)
    if difference is not None:
        url = admin_consent_url(app, asked, tenant=signed_in.tenant_id or None)
        raise ConsentRequired(
            f"Microsoft granted {signed_in} less than was asked for.",
            why=difference,
            advice=ACCEPT_OR_ASK,
            link=url,
            admin_consent_url=url,
            missing_scopes=list(missing(token.scopes, asked)),
        )
    return SignIn(token, signed_in, token.scopes, app.region)


def refresh(
    app: AppRegistration, token: Token, scopes: Iterable[str] = (), *, http: Http | None = None
) -> Token:
    """A new token. Microsoft may rotate the refresh token: keep the returned one.

    `scopes` asks for other permissions that were consented to before; without them, those granted
    stay. Raises `TokenExpired` if the person has to sign in again, and the rest of `SignInError`.
    """
    if not token.refresh_token:
        raise TokenExpired("This token cannot be renewed.", why="it came without a refresh token")
    wanted = short_names(scopes)
    asked = Asked(app, wanted, "refresh", (token.refresh_token, app.secret_text or ""))
    with pool(http) as open_pool, msal_application(app, asked, open_pool) as application:
        result = application.acquire_token_by_refresh_token(token.refresh_token, list(wanted))
    renewed = Token.from_msal(outcome(result, asked), asked=wanted or token.scopes)
    return replace(renewed, refresh_token=renewed.refresh_token or token.refresh_token)
