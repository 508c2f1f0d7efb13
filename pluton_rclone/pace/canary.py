"""A small request to a storage's drive, sent to learn whether Microsoft still grants one."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from pluton_rclone.errors import GraphError
from pluton_rclone.microsoft.clouds import cloud
from pluton_rclone.microsoft.http import Http, retry_after

if TYPE_CHECKING:
    from pluton_rclone.saved.remote import SavedRemote

_REFUSED = (429, 503)


class Said(NamedTuple):
    """What Microsoft said to one request."""

    granted: bool
    wait: float | None = None
    """Seconds, where it was refused and Microsoft named them."""
    limit: float | None = None
    """The app's resource units a minute, where Microsoft says them: RateLimit headers, a preview,
    from four fifths of the limit on (the source of `budgets.LIMITS`)."""
    remaining: float = 0.0
    """How many of them are left."""


class Canary:
    """Asks for one entry of the drive's root: two resource units. Safe to share between threads.

    It never renews a token that a person signed in for: rclone is at work, and does that.
    TokenExpired for one that has ended, SignInError where the app's own cannot be had.
    """

    def __init__(self, saved: SavedRemote) -> None:
        remote = saved.options
        self._http = Http()
        self._address = f"{cloud(remote.region).graph_root}/v1.0/drives/{remote.drive_id}/root/children?$top=1&$select=id"
        self._saved = saved
        self._headers = self._authorized()

    def _authorized(self) -> dict[str, str]:
        token = self._saved.usable_token(self._http)
        return {"Authorization": f"Bearer {token.access_token}", "Accept": "application/json"}

    def ask(self) -> Said:
        """Unreachable; GraphError for an answer that says nothing about limits; the token's errors
        as when it is made."""
        answer = self._http.once("GET", self._address, headers=self._headers)
        if answer.status == 401:  # the token has ended; rclone has renewed the stored one meanwhile
            self._headers = self._authorized()
            answer = self._http.once("GET", self._address, headers=self._headers)
        if answer.status in _REFUSED:
            return Said(granted=False, wait=retry_after(answer.headers.get("retry-after")))
        if not answer.ok:
            raise GraphError(f"Microsoft answered {answer.status}.", status=answer.status)
        limit = _number(answer.headers.get("ratelimit-limit"))
        return Said(True, None, limit, _number(answer.headers.get("ratelimit-remaining")) or 0.0)

    def close(self) -> None:
        self._http.close()


def _number(text: str | None) -> float | None:
    try:
        return None if text is None else float(text)
    except ValueError:
        return None
