"""rclone's token as text: the JSON object in rclone.conf, its times, the later one of two."""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta, timezone
from typing import Any

TOKEN = "token"
SIGN_IN = "pluton_sign_in"  # which sign-in a token comes from; rclone keeps it through a refresh
# Stands for a token where the rest of a remote is looked at.
ANY = '{"access_token":"-","refresh_token":"-","expiry":"2000-01-01T00:00:00Z"}'
MASKED = "(secret, not shown)"  # in the place of a token, or another secret, for people
_TIME = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(?:\.(\d+))?\s?(?:[Zz]|([+-]\d\d):?(\d\d))?", re.ASCII
)
_GO_TIME = re.compile(r"[^Tt ]+T[^Tt \s]+(?:Z|[+-]\d\d:\d\d)")
_NEVER = datetime.min.replace(tzinfo=timezone.utc)


def token_fields(text: str | None) -> dict[str, Any]:
    """The token's JSON object; empty for anything else."""
    try:
        fields = json.loads(text or "")
    except (ValueError, RecursionError):
        return {}
    return fields if isinstance(fields, dict) else {}


def parse_time(text: object) -> datetime | None:
    """An RFC 3339 time with any number of decimals, as Go writes it, in UTC; else None. In pasted
    tokens there may be a space for the "T", small letters, a zone without its colon, or no zone
    (UTC); `rclone_reads` tells them apart."""
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
    """When the token expires; None if it does not say, and for Go's zero time."""
    moment = parse_time(fields.get("expiry"))
    return None if moment is None or moment.year < 1971 else moment


def rclone_reads(time: object) -> bool:
    """Whether rclone reads this time: Go takes RFC 3339 to the letter, or drops the token."""
    return parse_time(time) is not None and _GO_TIME.fullmatch(str(time)) is not None


def issued(text: str | None) -> datetime | None:
    """When the token was issued: its expiry less its lifetime, if the token says its lifetime. That
    is 60 to 90 minutes at random, so the later expiry is not always that of the later token."""
    fields = token_fields(text)
    end, lifetime = expires_at(fields), fields.get("expires_in")
    if end is None or isinstance(lifetime, bool) or not isinstance(lifetime, (int, float)):
        return end
    return end - timedelta(seconds=lifetime) if 0 < lifetime < 10**8 else end


def is_whole(text: str | None) -> bool:
    """Whether rclone can use this token: with an empty access token it loses the other one."""
    return bool(token_fields(text).get("access_token"))


def is_later(candidate: str, present: str) -> bool:
    """Whether one token was issued after the other; by expiry if only one says its lifetime."""
    one, other = token_fields(candidate), token_fields(present)
    if ("expires_in" in one) == ("expires_in" in other):
        return (issued(candidate) or _NEVER) > (issued(present) or _NEVER)
    return (expires_at(one) or _NEVER) > (expires_at(other) or _NEVER)


def token_digest(text: str) -> str:
    """Tells one token from another without being secret."""
    import hashlib  # OpenSSL, late: a third of the time to import Storages

    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
