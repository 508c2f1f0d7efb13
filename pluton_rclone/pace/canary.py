"""A small request to a storage's drive, sent to learn whether Microsoft still grants one."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from pluton_rclone.errors import GraphError
from pluton_rclone.microsoft.clouds import cloud
from pluton_rclone.microsoft.http import Http, retry_after

if TYPE_CHECKING:
    from pluton_rclone.saved.remote import SavedRemote


class Said(NamedTuple):
    """What Microsoft said to one request: granted, or refused for `wait` seconds; the app's `limit`
    of resource units a minute, and how many are `remaining`, where it says so: the RateLimit
    headers are a preview, from four fifths of the limit on (the source of `budgets.LIMITS`)."""

    granted: bool
    wait: float | None = None
    limit: float | None = None
    remaining: float = 0.0


class Canary:
    """Asks for one entry of the drive's root: two resource units. Safe to share between threads. It
    leaves to rclone what only rclone can renew: TokenExpired; SignInError for an app's own."""

    def __init__(self, saved: SavedRemote) -> None:
        remote, self._http, self._saved = saved.options, Http(), saved
        root = f"{cloud(remote.region).graph_root}/v1.0"
        if remote.tenant_url:  # where rclone goes, with a token of SharePoint
            root = f"{remote.tenant_url.rstrip('/')}/v2.0"
        self._address = f"{root}/drives/{remote.drive_id}/root/children?$top=1&$select=id"
        self._headers = self._authorized()

    def _authorized(self) -> dict[str, str]:
        token = self._saved.usable_token(self._http)
        return {"Authorization": f"Bearer {token.access_token}", "Accept": "application/json"}

    def ask(self) -> Said:
        """Unreachable; GraphError for an answer without a word about limits; the token's errors."""
        answer = self._http.once("GET", self._address, headers=self._headers)
        if answer.status == 401:  # expired; rclone has renewed the stored one meanwhile
            self._headers = self._authorized()
            answer = self._http.once("GET", self._address, headers=self._headers)
        if answer.status in (429, 503):
            return Said(granted=False, wait=retry_after(answer.headers.get("retry-after")))
        if not answer.ok:
            raise GraphError(f"Microsoft answered {answer.status}.", status=answer.status)
        limit = _number(answer.headers.get("ratelimit-limit"))
        return Said(True, None, limit, _number(answer.headers.get("ratelimit-remaining")) or 0.0)

    def close(self) -> None:
        self._http.close()


def _number(text: str | None) -> float | None:
    try:
        found = float(text or "")
    except ValueError:
        return None
    return found if 0 < found < math.inf else None
