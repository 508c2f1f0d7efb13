"""A small request to a storage's drive, sent to learn whether Microsoft still grants one."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from .errors import TokenExpired
from .microsoft.clouds import cloud
from .microsoft.http import Http, retry_after
from .setup_remote import registration
from .tokens import stored_token

if TYPE_CHECKING:
    from .storage import Storage

_REFUSED = (429, 503)


class Said(NamedTuple):
    """What Microsoft said: granted or refused, the seconds to wait, the app's units a minute and what is left of them
    (headers of a preview, from four fifths of the limit on).
    """

    granted: bool
    wait: float | None = None
    limit: float | None = None
    remaining: float = 0.0


class DriveCanary:
    """Asks for one entry of the drive's root: two resource units. It never renews a token: that is rclone's now."""

    def __init__(self, storage: Storage) -> None:
        remote = storage.remote
        self._http = Http()
        self._address = (
            f"{cloud(remote.region).graph_root}/v1.0/drives/{remote.drive_id}/root/children?$top=1&$select=id"
        )
        if remote.client_credentials:
            from .microsoft.app_only import sign_in_as_app

            app = registration(remote)
            assert app is not None  # the model refuses app-only without a registration
            token = sign_in_as_app(app, http=self._http).token
        else:
            token = stored_token(remote)
        if token.expired():
            raise TokenExpired("The stored token has ended; rclone is renewing it.")
        self._headers = {"Authorization": f"Bearer {token.access_token}", "Accept": "application/json"}

    def ask(self) -> Said:
        """Unreachable, and TokenExpired when Microsoft does not take the token."""
        answer = self._http.once("GET", self._address, headers=self._headers)
        if answer.status in _REFUSED:
            return Said(granted=False, wait=retry_after(answer.headers.get("retry-after")))
        if not answer.ok:
            raise TokenExpired(f"Microsoft answered {answer.status}.")
        limit = _number(answer.headers.get("ratelimit-limit"))
        return Said(True, None, limit, _number(answer.headers.get("ratelimit-remaining")) or 0.0)

    def close(self) -> None:
        self._http.close()


def _number(text: str | None) -> float | None:
    try:
        return None if text is None else float(text)
    except ValueError:
        return None
