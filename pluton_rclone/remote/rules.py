"""Rules for single values of a OneDrive remote. Pure functions.

A rule returns a sentence that describes the fault, or None. Sources: rclone's
backend/onedrive/onedrive.go, Microsoft's "Create upload session" (chunks) and "Create sharing link"
pages, and captured runs of rclone 1.75.2.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date, datetime, timezone
from typing import Any, NamedTuple

from pluton_rclone.values.drive_ids import is_personal
from pluton_rclone.values.encoding import WORDS, as_rclone_writes
from pluton_rclone.values.size import KIB, MIB, Size
from pluton_rclone.values.token_text import expires_at, rclone_reads, token_fields

CHUNK = 320 * KIB
CHUNK_LIMIT = 250 * MIB
CHUNK_WARNING = 60 * MIB  # Graph documents less than this for one request
CHUNK_TOP = Size(190 * CHUNK)  # rclone cannot print 191 * CHUNK exactly
CUTOFF_LIMIT = 4 * MIB
SECRET_SOON = 30  # days; warn of a client secret that expires sooner
# http only to this machine, for our own endpoint for a certificate
ADDRESS = r"(https://[^\s/]+|http://127\.0\.0\.1:[0-9]{1,5})(/\S*)?"
PERMISSIONS = "off|(read|write|failok)(,(read|write|failok))*"

_WORD = "|".join(sorted(WORDS))
LIMITS: dict[str, dict[str, Any]] = {
    "drive_id": {"minLength": 1},
    "chunk_size": {"x-minimum": CHUNK, "x-maximum": CHUNK_LIMIT, "x-multiple-of": CHUNK},
    "upload_cutoff": {"x-maximum": CUTOFF_LIMIT},
    "encoding": {"pattern": f"^({_WORD})(,({_WORD}))*$"},
    "metadata_permissions": {"pattern": f"^({PERMISSIONS})$"},
    **{key: {"pattern": f"^({ADDRESS})?$"} for key in ("auth_url", "token_url", "tenant_url")},
}
"""These rules as keywords for an option's JSON Schema; x-… are in bytes."""


class Warn(NamedTuple):
    """A warning about an option that works, but not as well as it could, or not for ever."""

    option: str
    what: str
    advice: str


def chunk_size_fault(size: Size) -> str | None:
    if size < CHUNK:
        return f"{size} is less than 320Ki, the smallest chunk that Microsoft accepts"
    if size > CHUNK_LIMIT:
        return f"{size} is more than 250Mi, the largest chunk that rclone allows"
    if size % CHUNK or not size.is_exact:
        why = "is not a multiple of 320Ki"
        if size % CHUNK == 0:
            count = size // CHUNK
            why = f"({count} x 320Ki) is rounded by rclone to three decimals, and then refused"
        near = " and ".join(map(str, good_chunks_near(size)))
        return f"{int(size)} bytes {why}; the nearest valid sizes are {near}"
    return None


def good_chunks_near(size: int) -> list[Size]:
    """The nearest chunk sizes, below and above, that rclone accepts and prints exactly."""
    good = [chunk for chunk in map(Size, range(CHUNK, CHUNK_LIMIT + 1, CHUNK)) if chunk.is_exact]
    return [chunk for chunk in good if chunk <= size][-1:] + [c for c in good if c > size][:1]


def upload_cutoff_fault(size: Size) -> str | None:
    if size > CUTOFF_LIMIT:
        return f"{size} is more than 4Mi, the most that rclone sends in one request"
    fault = "is rounded by rclone to three decimals, which reads back as another size"
    return None if size.is_exact else f"{int(size)} bytes {fault}"


def token_fault(text: str, *, is_renewed: bool) -> str | None:
    """Why rclone could not keep using this token, without quoting it. `is_renewed`: it needs a
    refresh token."""
    fields = token_fields(text)
    if not fields:
        return "it is not a JSON object in rclone's form"
    if not isinstance(fields.get("access_token"), str) or not fields["access_token"]:
        return "its access_token is empty: rclone would then lose the refresh token, too"
    if fields.get("expiry") and not rclone_reads(fields["expiry"]):
        return "its expiry is not in rclone's form: rclone would ignore the whole token"
    if expires_at(fields) is None:
        return "it has no expiry: rclone would use it forever and never refresh it"
    if is_renewed and not fields.get("refresh_token"):
        return "it does not have a refresh_token: it expires within the hour and cannot be renewed"
    return None


def drive_id_fault(drive_id: str, drive_type: str) -> str | None:
    """Ids of Business and SharePoint drives begin with "b!"; personal ids are 16 hex digits."""
    is_sharepoint = drive_id.startswith("b!")
    if drive_type == "personal" and is_sharepoint:
        whose = "a drive of work or school, or one that Microsoft lists beside a personal OneDrive"
        return f"it begins with b!, but drive_type is personal: such an id belongs to {whose}"
    if drive_type != "personal" and is_personal(drive_id):
        return f"it is the id of a personal drive, but drive_type is {drive_type}"
    return None


def encoding_fault(text: str) -> str | None:
    unknown = [name for name in map(str.strip, text.split(",")) if name not in WORDS]
    if not unknown:
        return None
    meant = as_rclone_writes(unknown[0])
    hint = f": it is written {meant!r}" if meant != unknown[0] else ""
    return f"{unknown[0]!r} is not an encoding that rclone knows{hint}"


def metadata_permissions_fault(text: str) -> str | None:
    known = re.fullmatch(PERMISSIONS, text)
    return None if known else "it must be off, or a comma-separated list of read, write and failok"


def reads_only(granted: Iterable[str], asked: Iterable[str] = ()) -> bool:
    """Whether the granted permissions exclude writing. If none are known, as for a remote made by
    rclone or variables, those in `asked` count; without any, writing is possible."""
    known = [*granted] or [*asked]
    return bool(known) and not any("Write" in scope for scope in known)


def days_left(end: date) -> int:
    """Days until `end`, the day in UTC on which a client secret expires."""
    return (end - datetime.now(timezone.utc).date()).days


def address_fault(address: str) -> str | None:
    good = re.fullmatch(ADDRESS, address)
    fault = "it must begin with https://, because secrets are sent there"
    return fault if address and not good else None
