"""The little web page on 127.0.0.1 that Microsoft sends the person's browser back to."""

from __future__ import annotations

import secrets
import threading
import time
from html import escape
from urllib.parse import urlsplit

from pluton_rclone.errors import Cancelled, ForeignAnswer, SignInTimedOut

from .loopback_server import LoopbackServer, QuietHandler
from .redirect import parse_answer

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

    Other machines cannot reach it. Posted forms and queries are both taken; an answer with another
    state is turned away and does not end the waiting. Exactly one answer is taken. The browser's
    page is held back until `tell` says how the sign-in ended, so that it never promises too much.
    """

    def __init__(self) -> None:
        self._server = _Server()

    @property
    def redirect_uri(self) -> str:
        """`http://localhost:PORT`: for a desktop registration Microsoft ignores the port, not the
        host."""
        return f"http://localhost:{self._server.port}"

    def __enter__(self) -> LoopbackReceiver:
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.tell("The sign-in was stopped", "Nothing was saved.")
        if self._server.answer is not None:
            self._server.page_sent.wait(5.0)
        self._server.stop()

    def expect(self, state: str) -> None:
        """Take the answer with that state. To be said before a browser is sent off: it may be
        quick."""
        self._server.expect(state)

    def wait(self, timeout: float, cancel: threading.Event | None = None) -> dict[str, str]:
        """The parameters of the answer that is expected; `timeout` in seconds.

        Raises `SignInTimedOut` and `Cancelled`.
        """
        end = time.monotonic() + timeout
        while self._server.answer is None:
            left = end - time.monotonic()
            if cancel is not None and cancel.is_set():
                raise Cancelled("The sign-in was cancelled.")
            if left <= 0:
                raise SignInTimedOut(
                    f"Nobody finished the sign-in within {timeout:.0f} seconds.",
                    why="an answer of another sign-in came in its place"
                    if self._server.foreign
                    else None,
                )
            self._server.answered.wait(left if cancel is None else min(left, 0.05))
        return self._server.answer

    def tell(self, title: str, text: str) -> None:
        """What the browser's page says. Only the first telling counts."""
        self._server.tell(title, text)


class _Server(LoopbackServer):
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._state: str | None = None
        self._outcome: tuple[str, str] | None = None
        self._told = threading.Event()
        self.answer: dict[str, str] | None = None
        self.answered = threading.Event()
        self.page_sent = threading.Event()
        self.foreign = False
        super().__init__(_Handler)

    def expect(self, state: str) -> None:
        with self._lock:
            self._state = state

    def take(self, parameters: dict[str, str]) -> str:
        """Says what became of an answer: "taken", "foreign" or "late"."""
        with self._lock:
            given = parameters.get("state", "").encode()
            if self._state is None or not secrets.compare_digest(given, self._state.encode()):
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
        return self._outcome or (
            "Almost there",
            "Go back to the program: it says how the sign-in ended.",
        )


class _Handler(QuietHandler):
    server: _Server

    def do_GET(self) -> None:  # noqa: N802  # the base class names it so
        self._receive(urlsplit(self.path).query)

    def do_POST(self) -> None:  # noqa: N802
        text = self.form()
        if text is None:
            self._page(400, "This is no answer of Microsoft", "Its form is missing or too large.")
        else:
            self._receive(text)

    def _receive(self, text: str) -> None:
        if not self.server.is_meant(self.headers.get("Host", "")):
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
        if taken == "taken":
            title, words = self.server.outcome()
            self._page(200, title, words)
            self.server.page_sent.set()
        elif taken == "late":
            self._page(
                400, "This sign-in was answered already", "One answer is taken, and it was another."
            )
        else:
            self._page(
                400,
                "This answer belongs to another sign-in",
                "Close other sign-in windows and use the newest one; this program goes on waiting "
                "for it.",
            )

    def _page(self, status: int, title: str, text: str) -> None:
        body = _PAGE.format(title=escape(title), text=escape(text)).encode()
        policy = "default-src 'none'; style-src 'unsafe-inline'"
        self.reply(status, "text/html; charset=utf-8", body, Content_Security_Policy=policy)
