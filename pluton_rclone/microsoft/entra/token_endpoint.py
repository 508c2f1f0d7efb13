"""A token endpoint for one run of rclone: what it gives and takes is good for that run alone.

rclone from 1.69 asks it (`client_credentials` and `token_url`) when its token has expired, so a run
may last longer than a token. It listens on 127.0.0.1 only, in plain HTTP: rclone has no Unix socket
for a token address, and would need the certificate of a TLS server of ours in place of Microsoft's.
Only root reads what goes over loopback, and root reads rclone's memory, too. Each run has an
address and a credential of its own, which end with it.
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
"""Seconds for which a failure is the answer: rclone asks ten times in a row, and each time we would
try patiently."""


class TokenEndpoint(LoopbackServer):
    """`with TokenEndpoint(…) as endpoint:` and give rclone `endpoint.options()`. `give` is asked
    for a token each time, in a thread; if it raises, `trouble` holds the real reason, and it is not
    asked again for `PAUSE` seconds. rclone asks again when the token expires, or after `longest`
    seconds."""

    def __init__(
        self,
        client_id: str,
        tenant: str,
        give: Callable[[], Token],
        longest: float = DAY,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__()
        self._client_id, self._tenant, self._give = client_id, tenant, give
        self._longest, self._now = longest, now
        self._asking = threading.Lock()
        self._failed_until = 0.0
        self.path = f"/{os.urandom(24).hex()}"
        self.client_secret = os.urandom(32).hex()
        self.trouble: PlutonRcloneError | None = None

    @property
    def token_url(self) -> str:
        return f"http://127.0.0.1:{self.port}{self.path}"

    def options(self) -> dict[str, str]:
        """rclone's options. They hold the run's secret: for a private rclone.conf, not for argv."""
        app = {"tenant": self._tenant, "client_id": self._client_id}
        endpoint = {"client_secret": self.client_secret, "token_url": self.token_url}
        return {"client_credentials": "true", **app, **endpoint}

    def serve(self, connection: socket.socket) -> None:
        from .loopback_request import LoopbackRequest  # late: most runs end before their token

        LoopbackRequest(connection, self._reply)

    def _reply(self, request: LoopbackRequest) -> tuple[int, str, bytes]:
        if request.headers.get("Host") != f"127.0.0.1:{self.port}" or request.path != self.path:
            return 404, "text/plain", b""
        try:
            form = dict(parse_qsl(request.form() or "", max_num_fields=20))
        except ValueError:
            form = {}
        # rclone's library sends them in a header first; refused, at once in the form, as Microsoft
        # wants them
        status, body = self._answer(form)
        return status, "application/json", json.dumps(body).encode()

    def _answer(self, form: dict[str, str]) -> tuple[int, dict[str, object]]:
        """Status and JSON for one request, in the words of RFC 6749."""
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
            again = problem.next_step is NextStep.REAUTHORIZE  # its number says enough
            reason = problem.details.get("aadsts") if again else None
            return status, {"error": f"{word}: {reason or problem}"}  # all that rclone repeats
        given = {"access_token": token.access_token, "token_type": token.token_type}
        left = (token.expiry - datetime.now(timezone.utc)).total_seconds()
        return 200, {**given, "expires_in": max(1, int(min(left, self._longest)))}

    def _asked(self) -> Token:
        with self._asking:
            if self.trouble is not None and self._now() < self._failed_until:
                raise self.trouble
            try:
                token = self._give()
            except Exception as problem:
                self._failed_until = self._now() + PAUSE
                if isinstance(problem, PlutonRcloneError):
                    self.trouble = problem
                    raise
                what = "pluton-rclone could not give rclone a token."
                # A request without an answer would be repeated some eighty times.
                self.trouble = PlutonRcloneError(what, why=type(problem).__name__)
                raise self.trouble from problem
            self.trouble = None
            return token
