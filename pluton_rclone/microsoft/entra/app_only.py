"""Sign-in without a person: the application acts with permissions of an administrator."""

from __future__ import annotations

from pluton_rclone.errors import RegistrationError

from ..clouds import WORDS_FOR_TENANTS
from ..http import Http, pool
from .account import Account
from .app import AppRegistration
from .client import msal_application, outcome
from .faults import Asked
from .sign_in import SignIn
from .token import Token


def sign_in_as_app(app: AppRegistration, *, http: Http | None = None) -> SignIn:
    """A token of the application itself (client credentials), by secret or certificate.

    It does not have a refresh token and cannot reach personal accounts. Raises `RegistrationError`
    (tenant, credentials), `SecretExpired`, `AdminConsentRequired`, and the rest of `SignInError`.
    """
    if app.tenant in WORDS_FOR_TENANTS:
        raise RegistrationError(
            "Signing in as an application needs the tenant.",
            why=f"{app.tenant!r} does not say in which organisation (AADSTS9001023)",
            advice="Give the tenant's id or domain: the registration's Overview page shows it.",
            aadsts="AADSTS9001023",
        )
    if not app.confidential:
        raise RegistrationError(
            "Signing in as an application needs a client secret or a certificate.",
            advice="Make one under Certificates & secrets of the registration, and set it here.",
        )
    scope = f"{app.cloud.graph_root}/.default"
    asked = Asked(app, (), "app-only", (app.secret_text or "",))
    with pool(http) as open_pool, msal_application(app, asked, open_pool) as application:
        result = outcome(application.acquire_token_for_client([scope]), asked)
    token = Token.from_msal({**result, "scope": ""})
    account = Account(app.client_id, app.client_id, "", app.tenant, "application")
    return SignIn(token, account, (), app.region)
