"""Remotes on the emulated Microsoft whose tokens end at once, and what it issued for each, in
order."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone

from pluton_rclone.emulator import PUBLIC_CLIENT_ID, Emulator
from pluton_rclone.emulator.entra.sessions import Sessions

ANNA = "anna@outlook.com"


def short_lived(cloud: Emulator) -> None:
    """Every request of every rclone finds its token at its end, for it counts ten seconds early: a
    refresh each. For Microsoft each is good for nine, as a busy machine is slow to use it."""
    cloud.world.lifetimes.access_token = 9


def section(cloud: Emulator) -> dict[str, str]:
    """A remote of Anna's, signed in for itself; its access token has just ended."""
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
    tokens = dict(cloud.world.part(Sessions).refresh_tokens)  # it grows while it serves
    session = tokens[refresh_token(token)].session.id
    return [text for text, known in tokens.items() if known.session.id == session]


def refresh_token(token: str) -> str:
    found: str = json.loads(token)["refresh_token"]
    return found
