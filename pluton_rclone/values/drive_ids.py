"""The id of a drive, in the one form in which two of them can be compared."""

from __future__ import annotations

import re

_PERSONAL = re.compile(r"[0-9A-Fa-f]{1,16}")


def normal_drive_id(drive_id: str) -> str:
    """Personal drives: 16 hex digits in lower case, however Microsoft wrote them (capitals, dashes,
    zeros lost in front): its answers about one drive differ. Other ids are opaque and stay."""
    return drive_id.replace("-", "").lower().zfill(16) if is_personal(drive_id) else drive_id


def any_drive(drive_type: str) -> dict[str, str]:
    """The options of a drive of this type that is none, where the rest of a remote is looked at."""
    return {"drive_id": "0" * 16 if drive_type == "personal" else "b!", "drive_type": drive_type}


def is_personal(drive_id: str) -> bool:
    """Whether this is how ids of personal drives look; those of others begin with "b!"."""
    return _PERSONAL.fullmatch(drive_id.replace("-", "")) is not None
