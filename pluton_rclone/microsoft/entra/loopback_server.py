"""A web server on 127.0.0.1 that ends on request, even if clients keep connections open."""

from __future__ import annotations

import logging
import re
import socket
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing_extensions import Self

log = logging.getLogger(__name__)


class LoopbackServer(ThreadingHTTPServer):
    """Listens on a free port of 127.0.0.1, on no other address, from the moment it is made."""

    daemon_threads = False
    allow_reuse_address = False

    def __init__(self, handler: type[BaseHTTPRequestHandler]) -> None:
        self._connections: set[socket.socket] = set()
        super().__init__(("127.0.0.1", 0), handler)
        self._thread = threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True)

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Ends it: no thread, no connection and no socket is left."""
        if self._thread.is_alive():  # not in a child of os.fork(), where nobody would answer
            self.shutdown()
            self._thread.join()
        for connection in self._connections.copy():  # a browser's spare ones, with their threads
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self.server_close()

    def is_meant(self, host_header: str) -> bool:
        """Whether the Host is ours: a page elsewhere must not reach us by a name of its own."""
        return host_header.lower() in (f"localhost:{self.port}", f"127.0.0.1:{self.port}")

    def server_bind(self) -> None:
        # HTTPServer would look up the machine's own name, which can take seconds.
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = "localhost", self.server_address[1]

    def process_request(self, request: Any, client_address: Any) -> None:
        self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._connections.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        log.debug("a connection broke", exc_info=True)


class QuietHandler(BaseHTTPRequestHandler):
    """Logs no request line: it holds codes."""

    server_version = "pluton-rclone"
    sys_version = ""
    timeout = 30.0

    def reply(self, status: int, content_type: str, body: bytes, **headers: str) -> None:
        sent = {"Content_Type": content_type, "Content_Length": str(len(body)), **headers}
        self.send_response(status)
        for name, value in {**sent, "Cache_Control": "no-store", "Connection": "close"}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = True

    def form(self) -> str | None:
        """The posted text; None if it does not have a length, or is larger than 64 KiB."""
        text = self.headers.get("Content-Length", "")
        if not re.fullmatch("[0-9]{1,9}", text) or int(text) > 64 * 1024:
            return None
        return self.rfile.read(int(text)).decode("utf-8", "replace")

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""
