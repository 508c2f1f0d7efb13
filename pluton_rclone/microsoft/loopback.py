"""The little web server on 127.0.0.1 that Microsoft sends the person's browser back to."""

from __future__ import annotations

import logging
import secrets
import socket
import threading
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from pluton_rclone.errors import Cancelled, ForeignAnswer, SignInTimedOut

from .redirect import parse_answer

log = logging.getLogger(__name__)

LARGEST_FORM = 64 * 1024
OUTCOME_WAIT = 60.0  # seconds that a browser waits for its page while the code is redeemed

_PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta name="referrer" content="no-referrer"><title>{title}</title>
<style>body{{font:1.1rem/1.5 system-ui,sans-serif;max-width:36rem;margin:15vh auto;padding:0 1rem;color:#222}}
h1{{font-size:1.4rem}}</style></head>
<body><h1>{title}</h1><p>{text}</p><p>You can close this window.</p></body></html>
"""


class LoopbackReceiver:
    """Waits for one answer of Microsoft on a free port of 127.0.0.1.

    Other machines cannot reach it. Posted forms and queries are both taken; an answer with another state is
    turned away and does not end the waiting. Exactly one answer is taken. The browser's page is held back
    until `tell` says how the sign-in ended, so that it never promises too much.
    """

    def __init__(self) -> None:
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    @property
    def redirect_uri(self) -> str:
        """`http://localhost:PORT`: for a desktop registration Microsoft ignores the port, not the host."""
        return f"http://localhost:{self._server.server_address[1]}"

    def __enter__(self) -> LoopbackReceiver:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.tell("The sign-in was stopped", "Nothing was saved.")
        self._server.page_sent.wait(5.0 if self._server.answer is not None else 0.0)
        self._server.shutdown()
        self._thread.join()
        self._server.drop_connections()
        self._server.server_close()

    def wait(self, state: str, timeout: float, cancel: threading.Event | None = None) -> dict[str, str]:
        """The parameters of the answer with that state; `timeout` in seconds.

        Raises `SignInTimedOut` and `Cancelled`.
        """
        self._server.expect(state)
        left = timeout
        while not self._server.answered.wait(min(0.05, max(left, 0.0)) if cancel else max(left, 0.0)):
            left -= 0.05 if cancel else left
            if cancel is not None and cancel.is_set():
                self.tell("The sign-in was cancelled", "Start it again when you are ready.")
                raise Cancelled("The sign-in was cancelled.")
            if left <= 0:
                raise SignInTimedOut(
                    f"Nobody finished the sign-in within {timeout:.0f} seconds.",
                    why="an answer of another sign-in came in its place" if self._server.foreign else None,
                )
        answer = self._server.answer
        assert answer is not None
        return answer

    def tell(self, title: str, text: str) -> None:
        """What the browser's page says. Only the first telling counts."""
        self._server.tell(title, text)


class _Server(ThreadingHTTPServer):
    daemon_threads = False
    block_on_close = True
    allow_reuse_address = False

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        self._lock = threading.Lock()
        self._state: str | None = None
        self._outcome: tuple[str, str] | None = None
        self._connections: set[socket.socket] = set()
        self._told = threading.Event()
        self.answer: dict[str, str] | None = None
        self.answered = threading.Event()
        self.page_sent = threading.Event()
        self.foreign = False
        super().__init__(address, handler)

    def server_bind(self) -> None:
        # HTTPServer would look up its own name, which can take seconds on a machine with a slow resolver.
        socket_server_bind(self)
        self.server_name, self.server_port = "localhost", self.server_address[1]

    def expect(self, state: str) -> None:
        with self._lock:
            self._state = state

    def take(self, parameters: dict[str, str]) -> str:
        """ "taken", "foreign" or "late"."""
        with self._lock:
            state = self._state
            if state is None or not secrets.compare_digest(
                parameters.get("state", "").encode(), state.encode()
            ):
                self.foreign = True
                return "foreign"
            if self.answer is not None:
                return "late"
            self.answer = parameters
        self.answered.set()
        return "taken"

    def tell(self, title: str, text: str) -> None:
        with self._lock:
            if self._outcome is None:
                self._outcome = (title, text)
        self._told.set()

    def outcome(self) -> tuple[str, str]:
        self._told.wait(OUTCOME_WAIT)
        return self._outcome or ("Almost there", "Go back to the program: it says how the sign-in ended.")

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._lock:
            self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self._connections.discard(request)
        super().shutdown_request(request)

    def drop_connections(self) -> None:
        """Browsers keep spare connections open; their threads end when these do."""
        with self._lock:
            connections = list(self._connections)
        for connection in connections:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                log.debug("a connection had ended by itself")

    def handle_error(self, request: Any, client_address: Any) -> None:
        log.debug("a browser connection broke", exc_info=True)


def socket_server_bind(server: _Server) -> None:
    server.socket.bind(server.server_address)
    server.server_address = server.socket.getsockname()


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    server_version = "pluton-rclone"
    sys_version = ""
    timeout = 30.0

    def do_GET(self) -> None:
        self._receive(urlsplit(self.path).query)

    def do_POST(self) -> None:
        try:
            length = int(self.headers.get("Content-Length", ""))
        except ValueError:
            length = -1
        if not 0 <= length <= LARGEST_FORM:
            self._page(400, "This is no answer of Microsoft", "Its form is missing or too large.")
            return
        self._receive(self.rfile.read(length).decode("utf-8", "replace"))

    def _receive(self, text: str) -> None:
        port = self.server.server_address[1]
        if self.headers.get("Host", "").lower() not in (f"localhost:{port}", f"127.0.0.1:{port}"):
            self._page(400, "This is not the place", "The address does not belong to this program.")
            return
        if urlsplit(self.path).path != "/":
            self._page(404, "There is nothing here", "This program only waits for one sign-in.")
            return
        try:
            parameters = parse_answer(text)
        except ForeignAnswer as problem:
            self._page(400, "This is no answer of Microsoft", problem.what)
            return
        if not parameters:
            self._page(200, "Waiting for the sign-in", "Finish it in the Microsoft window.")
            return
        taken = self.server.take(parameters)
        if taken == "foreign":
            self._page(
                400,
                "This answer belongs to another sign-in",
                "Close other sign-in windows and use the newest one; this program goes on waiting for it.",
            )
        elif taken == "late":
            self._page(
                400, "This sign-in was answered already", "One answer is taken, and it came before this one."
            )
        else:
            title, words = self.server.outcome()
            self._page(200, title, words)
            self.server.page_sent.set()

    def _page(self, status: int, title: str, text: str) -> None:
        body = _PAGE.format(title=escape(title), text=escape(text)).encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:  # the base class names it so
        """Nothing: the request line holds the code."""
