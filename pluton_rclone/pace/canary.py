"""A small request to a storage's drive, to learn whether Microsoft still grants requests."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from pluton_rclone.errors import GraphError
from pluton_rclone.microsoft.clouds import cloud
from pluton_rclone.microsoft.http import Http, retry_after

if TYPE_CHECKING:
    from pluton_rclone.saved.remote import SavedRemote


class Said(NamedTuple):
    """Microsoft's answer to one request: granted, or refused for `wait` seconds. `limit` is the
    app's resource units a minute and `remaining` how many are left, if stated: the RateLimit
    headers are a preview, sent from 80% of the limit on (see `budgets.LIMITS`)."""

    granted: bool
    wait: float | None = None
    limit: float | None = None
    remaining: float = 0.0


class Canary:
    """Requests one entry of the drive's root: two resource units. Safe to share between threads.
    TokenExpired for a token that only rclone can renew; SignInError for an app's own."""

    def __init__(self, saved: SavedRemote) -> None:
        remote, self._http, self._saved = saved.options, Http(), saved
        root = f"{cloud(remote.region).graph_root}/v1.0"
        if remote.tenant_url:  # the address that rclone uses with a SharePoint token
            root = f"{remote.tenant_url.rstrip('/')}/v2.0"
        self._address = f"{root}/drives/{remote.drive_id}/root/children?$top=1&$select=id"
        self._headers = self._authorized()

    def _authorized(self) -> dict[str, str]:
        token = self._saved.usable_token(self._http)
        return {"Authorization": f"Bearer {token.access_token}", "Accept": "application/json"}

    def ask(self) -> Said:
        """Unreachable; GraphError for an answer that is not about limits; the token's errors."""
        answer = self._http.once("GET", self._address, headers=self._headers)
        if answer.status == 401:  # expired; rclone has renewed the stored token meanwhile
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
