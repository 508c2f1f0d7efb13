"""The token that Microsoft issues, in the form that rclone keeps in its configuration."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any

from pluton_rclone.errors import TokenInvalid
from pluton_rclone.values.token_text import expires_at, parse_time

from .scopes import short_names

# rclone 1.75.2 never renews a token without an expiry, not even after a 401 (tried). An expiry in
# the past makes it renew the token first.
ALREADY_EXPIRED = datetime(2000, 1, 1, tzinfo=timezone.utc)
# rclone 1.75.2 loses the refresh token if the access token is empty (tried).
NO_ACCESS_TOKEN = "expired"


@dataclass(frozen=True)
class Token:
    """An access token, its expiry (aware, UTC) and its refresh token (None for app-only). `scopes`
    are the granted permissions, as short names; empty if unknown. Tokens are opaque."""

    access_token: str = field(repr=False)
    refresh_token: str | None = field(repr=False)
    expiry: datetime
    token_type: str = "Bearer"
    scopes: tuple[str, ...] = ()

    def expired(self) -> bool:
        """Whether the token has expired or will within ten seconds, the margin of rclone."""
        return datetime.now(timezone.utc) + timedelta(seconds=10) >= self.expiry

    def to_rclone(self) -> str:
        """The JSON text for the option `token` in rclone.conf. Secret."""
        end = self.expiry.astimezone(timezone.utc).isoformat().replace("+00:00", "Z")
        renewing = {"refresh_token": self.refresh_token} if self.refresh_token else {}
        record = {"access_token": self.access_token, "token_type": self.token_type, **renewing}
        return json.dumps({**record, "expiry": end}, separators=(",", ":"))

    @classmethod
    def from_rclone(cls, text: str, *, scopes: tuple[str, ...] = ()) -> Token:
        """The token as rclone stores it; `read_paste` takes other forms. Raises `TokenInvalid`."""
        try:
            record = json.loads(text)
        except (ValueError, RecursionError):
            raise TokenInvalid("This is not rclone's token: it is not JSON.") from None
        return cls.from_record(record, scopes=scopes)

    @classmethod
    def from_record(cls, record: Any, *, scopes: tuple[str, ...] = ()) -> Token:
        """The token in rclone's JSON object: access_token, refresh_token, expiry, token_type."""
        if not isinstance(record, Mapping):
            raise TokenInvalid("This is not rclone's token: it is not a JSON object.")
        access_token = _text(record, "access_token")
        refresh_token = _text(record, "refresh_token")
        if not access_token and not refresh_token:
            why = "it has neither an access_token nor a refresh_token"
            raise TokenInvalid("There is no token in this text.", why=why)
        expiry = _expiry(record.get("expiry")) if access_token else ALREADY_EXPIRED
        kind = _text(record, "token_type") or "Bearer"
        return cls(access_token or NO_ACCESS_TOKEN, refresh_token, expiry, kind, scopes)

    @classmethod
    def from_msal(cls, result: Mapping[str, Any], *, asked: tuple[str, ...] = ()) -> Token:
        """The token in MSAL's result. If it has no scope, `asked` was granted (RFC 6749, 5.1)."""
        granted, renewing = result.get("scope"), result.get("refresh_token")
        renewing = renewing if renewing and isinstance(renewing, str) else None
        if isinstance(granted, str) and granted.strip():
            asked = short_names(granted.split())
        try:
            left = timedelta(seconds=int(result.get("expires_in") or 0))
            expiry = datetime.now(timezone.utc) + left
        except (TypeError, ValueError, OverflowError):
            expiry = ALREADY_EXPIRED
        kind = str(result.get("token_type") or "Bearer")
        return cls(str(result["access_token"]), renewing, expiry, kind, asked)


def _text(record: Mapping[str, Any], name: str) -> str | None:
    value = record.get(name)
    if value is None or value == "":
        return None
    if not isinstance(value, str) or not value.isprintable():
        raise TokenInvalid(f"The field {name} of this token is not plain text.")
    return value


def _expiry(value: object) -> datetime:
    """The expiry; `ALREADY_EXPIRED` if it is missing or Go's zero time."""
    if value not in (None, "") and parse_time(value) is None:
        raise TokenInvalid("The field expiry of this token is not like 2026-01-31T12:00:00Z.")
    return expires_at({"expiry": value}) or ALREADY_EXPIRED
