"""Which of two tokens of one remote is the later one, and what a merge may bring back. Pure functions."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from typing import Any

from pluton_rclone.remote.ini import Document

TOKEN = "token"
# Set by every sign-in; what a token was refreshed from. rclone keeps the key through a refresh.
SIGN_IN = "pluton_sign_in"
# A token belongs to these; when one of them changed, a token refreshed before is another account's or
# another app's.
_BELONGS_TO = ("type", "client_id", "tenant", "region", "drive_id", "token_url", SIGN_IN)
_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d+))?(Z|[+-]\d\d:\d\d)?$")


def token_fields(text: str | None) -> dict[str, Any]:
    """The token's JSON object; empty when there is none or it is no JSON object."""
    try:
        fields = json.loads(text or "")
    except ValueError:
        return {}
    return fields if isinstance(fields, dict) else {}


def parse_time(text: object) -> datetime | None:
    """An RFC 3339 time with any number of decimals, as Go writes it; None for anything else."""
    match = _TIME.match(text) if isinstance(text, str) else None
    if match is None:
        return None
    whole, decimals, zone = match.groups()
    try:
        moment = datetime.fromisoformat(whole + ("+00:00" if zone in (None, "Z") else zone))
    except ValueError:
        return None
    return moment + timedelta(microseconds=int((decimals or "0").ljust(6, "0")[:6]))


def issued(text: str | None) -> datetime | None:
    """When the token was issued: its expiry less its lifetime, as far as the token says its lifetime.

    Access tokens live 60 to 90 minutes at random, so the later expiry is not always the later token.
    """
    fields = token_fields(text)
    expiry = parse_time(fields.get("expiry"))
    lifetime = fields.get("expires_in")
    if expiry is None or expiry.year < 1971:  # Go's zero time: no expiry
        return None
    if isinstance(lifetime, (int, float)) and not isinstance(lifetime, bool) and 0 < lifetime < 10**8:
        return expiry - timedelta(seconds=lifetime)
    return expiry


def is_whole(text: str | None) -> bool:
    """Whether rclone can go on with this token: an access token is there (an empty one makes rclone lose the
    other).
    """
    return bool(token_fields(text).get("access_token"))


def token_digest(text: str) -> str:
    """Tells one token from another without being secret."""
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def later_token(
    current: Mapping[str, str], candidate: Mapping[str, str], *, base: str | None = None
) -> str | None:
    """The candidate section's token if it was issued after the current section's, for the same account and
    app.

    `base` is the digest of the token that the candidate was refreshed from, where that is known: while the
    current section still has that one, the candidate is its successor whatever the times say.
    """
    token = candidate.get(TOKEN)
    present = current.get(TOKEN)
    if token is None or token == present or token_digest(token) == base or not is_whole(token):
        return None
    if any(current.get(key, "") != candidate.get(key, "") for key in _BELONGS_TO):
        return None
    if present is None or not is_whole(present) or token_digest(present) == base:
        return token
    candidate_issued, current_issued = _comparable(token, present)
    return token if candidate_issued > current_issued else None


def _comparable(one: str | None, other: str | None) -> tuple[datetime, datetime]:
    """Issue times; expiries when only one of the two says its lifetime."""
    never = datetime.min.replace(tzinfo=timezone.utc)
    if ("expires_in" in token_fields(one)) == ("expires_in" in token_fields(other)):
        return issued(one) or never, issued(other) or never
    first, second = (parse_time(token_fields(text).get("expiry")) or never for text in (one, other))
    return first, second


def with_later_tokens(
    document: Document, source: Document, *, bases: Mapping[str, str] | None = None
) -> Document:
    """The document with every token of the source that was issued later; `bases` as in `later_token`, by
    name.

    A remote that was renamed meanwhile is found by its sign-in.
    """
    for name in source.names():
        candidate = source.raw_section(name)
        for target in [name] if name in document else _renamed(document, candidate):
            token = later_token(document.raw_section(target), candidate, base=(bases or {}).get(name))
            if token is not None:
                document = document.changed(target, {TOKEN: token})
    return document


def _renamed(document: Document, candidate: Mapping[str, str]) -> list[str]:
    sign_in = candidate.get(SIGN_IN)
    if not sign_in:
        return []
    return [name for name in document.names() if document.raw_section(name).get(SIGN_IN) == sign_in]


def gathered(mine: Document, ancestor: Document, theirs: Document) -> Document:
    """`mine` with later tokens and new sections of somebody who may have read the file long before we wrote
    it.

    Nothing is taken away, and no other key is believed: it may simply be old.
    """
    result = with_later_tokens(mine, theirs)
    for name in theirs.names():
        if name not in result and name not in ancestor and theirs.raw_section(name):
            result = result.with_section(name, theirs.raw_section(name))
    return result


def adopted(mine: Document, *, ancestor: Document, theirs: Document) -> Document:
    """`mine` with what somebody changed who read the file as `ancestor`: as `gathered`, and changed keys."""
    result = gathered(mine, ancestor, theirs)
    for name in theirs.names():
        if name not in ancestor or name not in mine:
            continue
        before, current = ancestor.raw_section(name), mine.raw_section(name)
        changes = {
            key: value
            for key, value in theirs.raw_section(name).items()
            if key != TOKEN and value != before.get(key) and current.get(key) == before.get(key)
        }
        result = result.changed(name, changes)
    return result
