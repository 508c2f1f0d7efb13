"""Ids of drives, in a form in which they can be compared."""

from __future__ import annotations

import re

_PERSONAL = re.compile(r"[0-9A-Fa-f]{1,16}")


def normal_drive_id(drive_id: str) -> str:
    """The comparable form of an id. For a personal drive: 16 hex digits in lower case, since
    Microsoft may add capitals or dashes and omit leading zeros. Other ids are opaque and stay."""
    return drive_id.replace("-", "").lower().zfill(16) if is_personal(drive_id) else drive_id


def any_drive(drive_type: str) -> dict[str, str]:
    """The options of a placeholder drive of this type, for checking the rest of a remote."""
    return {"drive_id": "0" * 16 if drive_type == "personal" else "b!", "drive_type": drive_type}


def is_personal(drive_id: str) -> bool:
    """Whether the id has the form of a personal drive's; all others begin with "b!"."""
    return _PERSONAL.fullmatch(drive_id.replace("-", "")) is not None
