"""What every way of signing in ends with: a token, a person, permissions; and renewing that token."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
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
    result: Mapping[str, Any],
    app: AppRegistration,
    wanted: tuple[str, ...],
    account: Account | None,
) -> SignIn:
    """The sign-in in a token answer of MSAL.

    Raises `AccountError` when somebody else than `account` signed in, `ConsentRequired` when less
    than `wanted` was granted, saying the difference in words.
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
    app: AppRegistration,
    token: Token,
    scopes: Iterable[str] = (),
    *,
    http: Http | None = None,
) -> Token:
    """A new token for the one given. Microsoft may rotate the refresh token: keep the one that is
    returned.

    `scopes` asks for other permissions that were consented to before; without them what was granted
    stays. Raises `TokenExpired` when the person has to sign in again, and the rest of
    `SignInError`.
    """
    if not token.refresh_token:
        raise TokenExpired("This token cannot be renewed.", why="it came without a refresh token")
    wanted = short_names(scopes)
    asked = Asked(app, wanted, "refresh", (token.refresh_token, app.secret_text or ""))
    with pool(http) as open_pool, msal_application(app, asked, open_pool) as application:
        result = outcome(
            application.acquire_token_by_refresh_token(token.refresh_token, list(wanted)), asked
        )
    renewed = Token.from_msal(result, asked=wanted or token.scopes)
    if renewed.refresh_token is None:
        renewed = Token(
            renewed.access_token,
            token.refresh_token,
            renewed.expiry,
            renewed.token_type,
            renewed.scopes,
        )
    return renewed
