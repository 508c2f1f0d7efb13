"""Remotes on the emulated Microsoft whose tokens expire at once, and the tokens issued for each, in
order."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone

from pluton_rclone.emulator import PUBLIC_CLIENT_ID, Emulator
from pluton_rclone.emulator.entra.sessions import Sessions

ANNA = "anna@outlook.com"


def short_lived(cloud: Emulator) -> None:
    """Make every rclone refresh before each request, because it treats a token as expired ten
    seconds early. For Microsoft a token lasts nine seconds, as a busy machine is slow to use it."""
    cloud.world.lifetimes.access_token = 9


def section(cloud: Emulator) -> dict[str, str]:
    """A remote of Anna's with its own sign-in; its access token has just expired."""
    answer = cloud.sign_in(ANNA)
    token = {
        "access_token": answer["access_token"],
        "token_type": "Bearer",
        "refresh_token": answer["refresh_token"],
        "expiry": (datetime.now(timezone.utc) - timedelta(seconds=1)).isoformat(),
    }
    return {
        "type": "onedrive",
        "client_id": PUBLIC_CLIENT_ID,
        "drive_id": cloud.files.drive_of(ANNA).id,
        "drive_type": "personal",
        "token": json.dumps(token),
    }


def issued(cloud: Emulator, token: str) -> list[str]:
    """Every refresh token of the sign-in that this token (rclone's JSON) comes from, oldest
    first."""
    tokens = dict(cloud.world.part(Sessions).refresh_tokens)  # a copy: the original grows
    session = tokens[refresh_token(token)].session.id
    return [text for text, known in tokens.items() if known.session.id == session]


def refresh_token(token: str) -> str:
    found: str = json.loads(token)["refresh_token"]
    return found
