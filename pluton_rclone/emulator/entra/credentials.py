"""How an app authenticates: by secret, by signed assertion or, as a public client, not at all."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from urllib.parse import unquote_plus

import jwt
from cryptography import x509

from pluton_rclone.emulator.directory import Registration

from .aadsts import EntraError
from .endpoint import Endpoint
from .keys import base64url

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


@dataclass(frozen=True, repr=False)
class Credentials:
    """The credentials of a token request. `secret` is "" if it was sent empty, as rclone does
    first."""

    client_id: str
    secret: str | None = None
    assertion: str | None = None

    @property
    def sent(self) -> bool:
        return self.secret is not None or self.assertion is not None


def read_credentials(form: Mapping[str, str], authorization: str | None) -> Credentials:
    """From HTTP Basic (id and secret form-encoded, RFC 6749 2.3.1) or from the body."""
    scheme, _, value = (authorization or "").partition(" ")
    if scheme.lower() == "basic":
        try:
            client_id, _, secret = base64.b64decode(value, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            raise EntraError(900144, parameter="client_id") from None
        return Credentials(unquote_plus(client_id), unquote_plus(secret))
    assertion = (
        form.get("client_assertion")
        if form.get("client_assertion_type") == ASSERTION_TYPE
        else None
    )
    return Credentials(form.get("client_id", ""), form.get("client_secret") or None, assertion)


def check_public(credentials: Credentials, *, personal: bool) -> None:
    """Raise EntraError 700025, for personal accounts 90023, if a public client sent credentials."""
    if credentials.sent:
        raise EntraError(90023 if personal else 700025)


def check_confidential(
    app: Registration, credentials: Credentials, endpoint: Endpoint, now: float
) -> None:
    """Raises EntraError: 7000218 (nothing sent), 7000215 (wrong secret), 7000222 (expired secret),
    700027 (invalid assertion), 700024 (expired assertion).
    """
    if credentials.assertion:
        _check_assertion(app, credentials.assertion, endpoint, now)
    elif credentials.secret:
        _check_secret(app, credentials.secret, now)
    else:
        raise EntraError(7000218)


def _check_secret(app: Registration, value: str, now: float) -> None:
    matching = [secret for secret in app.secrets if secret.matches(value)]
    if not matching:
        raise EntraError(7000215, client_id=app.client_id)
    if all(secret.expires is not None and secret.expires <= now for secret in matching):
        raise EntraError(7000222, client_id=app.client_id)


def _check_assertion(app: Registration, assertion: str, endpoint: Endpoint, now: float) -> None:
    audiences = [endpoint.address("oauth2/v2.0/token")]
    if endpoint.tenant:
        for name in (endpoint.tenant.domain, endpoint.tenant.id):
            audiences.append(f"https://{endpoint.host}/{name}/oauth2/v2.0/token")
    try:
        header = jwt.get_unverified_header(assertion)
        for der in app.certificates:
            if _thumbprint_matches(header, der):
                key = x509.load_der_x509_certificate(der).public_key()
                claims = jwt.decode(
                    assertion,
                    key,  # type: ignore[arg-type]
                    algorithms=["RS256", "PS256"],
                    audience=audiences,
                    issuer=app.client_id,
                    options={"require": ["exp", "iss", "sub", "aud"], "verify_exp": False},
                )
                if claims["exp"] <= now:  # by Microsoft's clock, not this machine's
                    raise EntraError(700024, now=_moment(now), end=_moment(claims["exp"]))
                return
    except jwt.InvalidTokenError:
        pass
    raise EntraError(700027)


def _moment(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, timezone.utc):%Y-%m-%dT%H:%M:%S.%f}0Z"


def _thumbprint_matches(header: Mapping[str, object], der: bytes) -> bool:
    sha256 = base64url(hashlib.sha256(der).digest())
    sha1 = base64url(hashlib.sha1(der, usedforsecurity=False).digest())
    # MSAL leaves the padding on; RFC 7515 has none.
    given = {name: str(header.get(name, "")).rstrip("=") for name in ("x5t#S256", "x5t")}
    return given["x5t#S256"] == sha256 or given["x5t"] == sha1
