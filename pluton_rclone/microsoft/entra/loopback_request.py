"""One HTTP request to our server on this machine. Imported late, with http.server."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from typing import Any

Answer = Callable[["LoopbackRequest"], tuple[int, str, bytes]]
"""Returns status, content type and body for a request."""


class LoopbackRequest(BaseHTTPRequestHandler):
    """Handles the request in its constructor. Never logs the request line, which holds codes."""

    server_version = "pluton-rclone"
    sys_version = ""
    timeout = 30.0

    def __init__(self, connection: socket.socket, answer: Answer) -> None:
        self._answer = answer
        server: Any = None  # the base class does not use it
        super().__init__(connection, ("127.0.0.1", 0), server)

    def do_GET(self) -> None:  # a name that the base class requires
        status, content_type, body = self._answer(self)
        self.send_response(status)
        for name, value in {
            "Content-Type": content_type,
            "Content-Length": str(len(body)),
            "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
            "Cache-Control": "no-store",
            "Connection": "close",
        }.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET  # noqa: N815

    def form(self) -> str | None:
        """The posted text; None if it has no Content-Length, or one of more than 64 KiB."""
        text = self.headers.get("Content-Length", "")
        if not re.fullmatch("[0-9]{1,9}", text) or int(text) > 64 * 1024:
            return None
        return self.rfile.read(int(text)).decode("utf-8", "replace")

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing."""
