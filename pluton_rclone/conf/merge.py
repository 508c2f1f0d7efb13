"""Which of two tokens of one remote is the later one, and what a merge may bring back. Pure functions."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from typing import Any

from .ini import Document

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
    import hashlib  # OpenSSL, late: a third of the time to import Storages

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


def adopted(mine: Document, *, ancestor: Document, theirs: Document) -> Document:
    """`mine` with what somebody else changed who read the file as `ancestor`: new sections, changed keys, later tokens.

    Nothing is taken away: what is missing there may be missing because it was read before it was there.
    """
    result = with_later_tokens(mine, theirs)
    for name in theirs.names():
        section = theirs.raw_section(name)
        if name in ancestor and name in mine:
            before, current = ancestor.raw_section(name), mine.raw_section(name)
            changes = {
                key: value
                for key, value in section.items()
                if key != TOKEN and value != before.get(key) and current.get(key) == before.get(key)
            }
            result = result.changed(name, changes)
        elif name not in ancestor and name not in result and section:
            result = result.with_section(name, section)
    return result


def repaired_section(document: Document, name: str, *, before: Document, after: Document) -> Document:
    """The document with our change from `before` to `after` made again where it fell back to what was before.

    What has a third value was changed by somebody since, and stays.
    """
    old = before.raw_section(name) if name in before else None
    new = after.raw_section(name) if name in after else None
    now = document.raw_section(name) if name in document else None
    if now == new:
        return document
    if new is None:
        return document.without_section(name) if _same_but_token(now, old) else document
    if now is None:
        return document.with_section(name, new) if old is None else document
    token = later_token(now, new)
    fallen = {
        key: new.get(key)
        for key in {**(old or {}), **new}
        if key != TOKEN and new.get(key) != (old or {}).get(key) == now.get(key)
    }
    return document.changed(name, fallen if token is None else {**fallen, TOKEN: token})


def _same_but_token(one: Mapping[str, str] | None, other: Mapping[str, str] | None) -> bool:
    return {**(one or {}), TOKEN: ""} == {**(other or {}), TOKEN: ""}
