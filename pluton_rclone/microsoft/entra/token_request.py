"""One HTTP request to the token endpoint of a run."""

from __future__ import annotations

import base64
import json
import socket
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, unquote_plus

from .loopback_server import QuietHandler

Answer = Callable[[str, str, str], tuple[int, dict[str, object]]]
"""Status and JSON for a client's id, its secret, and the grant type."""


class TokenRequest(QuietHandler):
    """Answers the request as it is made: at `path` of `host` alone."""

    def __init__(self, connection: socket.socket, host: str, path: str, answer: Answer) -> None:
        self._host, self._path, self._answer = host, path, answer
        server: Any = None  # of which the base class does not need anything
        super().__init__(connection, ("127.0.0.1", 0), server)

    def do_POST(self) -> None:  # noqa: N802  # the base class names it so
        if self.headers.get("Host") != self._host or self.path != self._path:
            self.reply(404, "text/plain", b"")
            return
        try:
            form = parse_qs(self.form() or "", max_num_fields=20)
        except ValueError:
            form = {}
        grant = form.get("grant_type", [""])[0]
        status, body = self._answer(*self._credentials(form), grant)
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
