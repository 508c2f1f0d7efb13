"""A token endpoint for one run: app-only tokens for rclone, which cannot read a certificate.

rclone from 1.69 asks it (`client_credentials` and `token_url`) when its token has expired, so a run
may last longer than a token. It listens on 127.0.0.1 only; each run has its own address and secret.
"""

from __future__ import annotations

import base64
import json
import logging
import secrets
import threading
from datetime import datetime, timezone
from urllib.parse import parse_qs, unquote_plus

from pluton_rclone.errors import PlutonRcloneError, Who

from ..http import Http
from .app import AppRegistration
from .loopback_server import LoopbackServer, QuietHandler
from .sign_in import sign_in_as_app

log = logging.getLogger(__name__)


class TokenEndpoint(LoopbackServer):
    """`with TokenEndpoint(app) as endpoint:` and give rclone `endpoint.options()`. If rclone gets
    no token, `trouble` holds the real reason."""

    def __init__(self, app: AppRegistration) -> None:
        super().__init__(_Handler)
        self.path = f"/{secrets.token_urlsafe(24)}"
        self.client_secret = secrets.token_urlsafe(32)
        self._app = app
        self._http = Http()
        self._lock = threading.Lock()
        self.trouble: PlutonRcloneError | None = None
        self.given = 0  # tokens handed out

    @property
    def token_url(self) -> str:
        return f"http://127.0.0.1:{self.port}{self.path}"

    def options(self) -> dict[str, str]:
        """rclone's options. They hold the run's secret: for a private rclone.conf, not for argv."""
        ours = {"tenant": self._app.tenant, "client_id": self._app.client_id}
        endpoint = {"client_secret": self.client_secret, "token_url": self.token_url}
        return {"client_credentials": "true", **ours, **endpoint}

    def __exit__(self, *error: object) -> None:
        super().__exit__(*error)
        self._http.close()

    def answer(
        self, client_id: str, client_secret: str, grant_type: str
    ) -> tuple[int, dict[str, object]]:
        """Status and JSON for one request, in the words of RFC 6749."""
        known = secrets.compare_digest(client_secret.encode(), self.client_secret.encode())
        if not known or client_id != self._app.client_id:
            return 401, {"error": "invalid_client"}
        if grant_type != "client_credentials":
            return 400, {"error": "unsupported_grant_type"}
        with self._lock:
            try:
                token = sign_in_as_app(self._app, http=self._http).token
            except PlutonRcloneError as problem:
                self.trouble = problem
                log.warning("No app-only token for rclone: %s", problem)
                status = 503 if problem.who is Who.LATER else 400
                word = problem.details.get("error") or problem.code
                return status, {"error": f"{word}: {problem}"}  # all of it that rclone repeats
            self.trouble = None
            self.given += 1
        given = {"access_token": token.access_token, "token_type": token.token_type}
        left = (token.expiry - datetime.now(timezone.utc)).total_seconds()
        return 200, {**given, "expires_in": max(1, int(left))}


class _Handler(QuietHandler):
    server: TokenEndpoint

    def do_POST(self) -> None:  # noqa: N802  # the base class names it so
        if not self.server.is_meant(self.headers.get("Host", "")) or self.path != self.server.path:
            self.reply(404, "text/plain", b"")
            return
        try:
            form = parse_qs(self.form() or "", max_num_fields=20)
        except ValueError:
            form = {}
        grant = form.get("grant_type", [""])[0]
        status, body = self.server.answer(*self._credentials(form), grant)
        self.reply(status, "application/json", json.dumps(body).encode())

    def _credentials(self, form: dict[str, list[str]]) -> tuple[str, str]:
        """From HTTP Basic, which rclone tries first, or from the form, which it tries then."""
        scheme, _, value = self.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "basic":
            return form.get("client_id", [""])[0], form.get("client_secret", [""])[0]
        try:
            client_id, _, client_secret = base64.b64decode(value).decode().partition(":")
        except ValueError:
            return "", ""
        return unquote_plus(client_id), unquote_plus(client_secret)
