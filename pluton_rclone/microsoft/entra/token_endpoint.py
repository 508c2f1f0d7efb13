"""A token endpoint for one run of rclone, with an address and a credential for that run only.

rclone from 1.69 requests a token here (`client_credentials` and `token_url`) when its own expires,
so a run may outlast a token. The endpoint uses plain HTTP on 127.0.0.1: rclone supports no Unix
socket for `token_url`, and for TLS it would have to trust our certificate instead of Microsoft's.
Only root can read loopback traffic, and root can read rclone's memory as well.
"""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from collections.abc import Callable
from datetime import datetime, timezone
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from pluton_rclone.errors import NextStep, PlutonRcloneError, Who
from pluton_rclone.process.log import Log

from .loopback_server import LoopbackServer

if TYPE_CHECKING:
    from .loopback_request import LoopbackRequest
    from .token import Token

log = Log(__name__)

DAY = 24 * 3600.0  # longer than any token
PAUSE = 30.0
"""Seconds for which a failure is repeated as the answer: rclone asks ten times in a row, and each
new attempt of ours could take minutes."""


class TokenEndpoint(LoopbackServer):
    """Use it as `with TokenEndpoint(…) as endpoint:` and pass `endpoint.options()` to rclone. Each
    request calls `give` for a token, in a thread. If it raises, `trouble` holds the exception, and
    `give` is not called again for `PAUSE` seconds; the first time, `tell` gets the exception.
    rclone asks again when the token expires, or after `longest` seconds."""

    def __init__(
        self,
        client_id: str,
        tenant: str,
        give: Callable[[], Token],
        longest: float = DAY,
        tell: Callable[[PlutonRcloneError], None] = lambda problem: None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__()
        self._client_id, self._tenant, self._give = client_id, tenant, give
        self._longest, self._tell, self._now = longest, tell, now
        self._asking = threading.Lock()
        self._failed_until = 0.0
        self.path = f"/{os.urandom(24).hex()}"
        self.client_secret = os.urandom(32).hex()
        self.trouble: PlutonRcloneError | None = None

    @property
    def token_url(self) -> str:
        return f"http://127.0.0.1:{self.port}{self.path}"

    def options(self) -> dict[str, str]:
        """rclone's options, with the run's secret: for a private rclone.conf, not for argv."""
        app = {"tenant": self._tenant, "client_id": self._client_id}
        endpoint = {"client_secret": self.client_secret, "token_url": self.token_url}
        return {"client_credentials": "true", **app, **endpoint}

    def serve(self, connection: socket.socket) -> None:
        from .loopback_request import LoopbackRequest  # late: most runs end before a token expires

        LoopbackRequest(connection, self._reply)

    def _reply(self, request: LoopbackRequest) -> tuple[int, str, bytes]:
        if request.headers.get("Host") != f"127.0.0.1:{self.port}" or request.path != self.path:
            return 404, "text/plain", b""
        try:
            form = dict(parse_qsl(request.form() or "", max_num_fields=20))
        except ValueError:
            form = {}
        # rclone's library sends the credentials in a header first; once refused, it sends them in
        # the form, as Microsoft requires.
        status, body = self._answer(form)
        return status, "application/json", json.dumps(body).encode()

    def _answer(self, form: dict[str, str]) -> tuple[int, dict[str, object]]:
        """Status and JSON for one request, as RFC 6749 defines them."""
        from secrets import compare_digest  # as in `serve`

        secret = form.get("client_secret", "")
        known = compare_digest(secret.encode(), self.client_secret.encode())
        if not known or form.get("client_id") != self._client_id or self.over.is_set():
            return 401, {"error": "invalid_client"}
        if form.get("grant_type") != "client_credentials":
            return 400, {"error": "unsupported_grant_type"}
        try:
            token = self._asked()
        except PlutonRcloneError as problem:
            log.info("No token for rclone: %s", problem)
            status = 503 if problem.who is Who.LATER else 400
            word = problem.details.get("error") or problem.code
            again = problem.next_step is NextStep.REAUTHORIZE  # then the AADSTS number is enough
            reason = problem.details.get("aadsts") if again else None
            return status, {"error": f"{word}: {reason or problem}"}  # rclone repeats only this
        given = {"access_token": token.access_token, "token_type": token.token_type}
        left = (token.expiry - datetime.now(timezone.utc)).total_seconds()
        return 200, {**given, "expires_in": max(1, int(min(left, self._longest)))}

    def _asked(self) -> Token:
        with self._asking:
            if self.trouble is not None and self._now() < self._failed_until:
                raise self.trouble
            try:
                token = self._give()
            except PlutonRcloneError as problem:
                self._fail(problem)
                raise
            except Exception as problem:
                what = "pluton-rclone could not give rclone a token."
                # rclone would repeat a request without an answer some eighty times.
                trouble = PlutonRcloneError(what, why=type(problem).__name__)
                self._fail(trouble)
                raise trouble from problem
            self.trouble = None
            return token

    def _fail(self, trouble: PlutonRcloneError) -> None:
        self._failed_until = self._now() + PAUSE
        if self.trouble is None:
            self._tell(trouble)
        self.trouble = trouble
