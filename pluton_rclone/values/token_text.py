"""rclone's token as text: the JSON object in rclone.conf, its times, and the later of two."""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta, timezone
from typing import Any

TOKEN = "token"
SIGN_IN = "pluton_sign_in"  # the id of the sign-in of a token; rclone keeps it in a refresh
# A placeholder for a token, for checking the rest of a remote.
ANY = '{"access_token":"-","refresh_token":"-","expiry":"2000-01-01T00:00:00Z"}'
MASKED = "(secret, not shown)"  # printed in place of a token or another secret
_TIME = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(?:\.(\d+))?\s?(?:[Zz]|([+-]\d\d):?(\d\d))?", re.ASCII
)
_GO_TIME = re.compile(r"[^Tt ]+T[^Tt \s]+(?:Z|[+-]\d\d:\d\d)")
_NEVER = datetime.min.replace(tzinfo=timezone.utc)


def token_fields(text: str | None) -> dict[str, Any]:
    """The token's JSON object; empty if `text` is not one."""
    try:
        fields = json.loads(text or "")
    except (ValueError, RecursionError):
        return {}
    return fields if isinstance(fields, dict) else {}


def parse_time(text: object) -> datetime | None:
    """An RFC 3339 time with any number of decimals, as Go writes it, in UTC; else None. As pasted
    tokens may have them, a space for the "T", lower case, a zone without colon, and no zone (UTC)
    are accepted, too, unlike in `rclone_reads`."""
    match = _TIME.fullmatch(text.strip()) if isinstance(text, str) else None
    if match is None:
        return None
    day, clock, decimals, hours, minutes = match.groups()
    zone = f"{hours}:{minutes}" if hours else "+00:00"
    try:
        moment = datetime.fromisoformat(f"{day}T{clock}{zone}").astimezone(timezone.utc)
    except (ValueError, OverflowError):
        return None
    return moment + timedelta(microseconds=int((decimals or "0")[:6].ljust(6, "0")))


def expires_at(fields: dict[str, Any]) -> datetime | None:
    """The expiry of the token; None if it has none, or Go's zero time."""
    moment = parse_time(fields.get("expiry"))
    return None if moment is None or moment.year < 1971 else moment


def rclone_reads(time: object) -> bool:
    """Whether rclone can read this time: unless it is strictly RFC 3339, Go drops the token."""
    return parse_time(time) is not None and _GO_TIME.fullmatch(str(time)) is not None


def issued(text: str | None) -> datetime | None:
    """The time of issue: the expiry minus the lifetime, if the token contains it, else the expiry.
    Lifetimes are random (60 to 90 minutes), so a later token may expire earlier."""
    fields = token_fields(text)
    end, lifetime = expires_at(fields), fields.get("expires_in")
    if end is None or isinstance(lifetime, bool) or not isinstance(lifetime, (int, float)):
        return end
    return end - timedelta(seconds=lifetime) if 0 < lifetime < 10**8 else end


def is_whole(text: str | None) -> bool:
    """Whether rclone can use this token: with an empty access token, it loses the refresh token."""
    return bool(token_fields(text).get("access_token"))


def is_later(candidate: str, present: str) -> bool:
    """Whether `candidate` was issued after `present`; by expiry if only one has a lifetime."""
    one, other = token_fields(candidate), token_fields(present)
    if ("expires_in" in one) == ("expires_in" in other):
        return (issued(candidate) or _NEVER) > (issued(present) or _NEVER)
    return (expires_at(one) or _NEVER) > (expires_at(other) or _NEVER)


def token_digest(text: str) -> str:
    """A digest that identifies a token, and is no secret."""
    import hashlib  # late: with OpenSSL, it takes a third of the time to import Storages

    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
