"""The little web page on 127.0.0.1 that Microsoft sends the person's browser back to."""

from __future__ import annotations

import secrets
import threading
import time
from html import escape
from typing import Literal
from urllib.parse import urlsplit

from pluton_rclone.errors import Cancelled, ForeignAnswer, SignInTimedOut

from .loopback_server import LoopbackServer, QuietHandler
from .redirect import parse_answer

OUTCOME_WAIT = 60.0  # seconds that a browser waits for its page while the code is redeemed

_PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta name="referrer" content="no-referrer"><title>{title}</title>
<style>body{{font:1.1rem/1.5 system-ui,sans-serif;max-width:36rem;
margin:15vh auto;padding:0 1rem;color:#222}}
h1{{font-size:1.4rem}}</style></head>
<body><h1>{title}</h1><p>{text}</p><p>You can close this window.</p></body></html>
"""


_NOT_TAKEN = {
    "late": ("This sign-in was answered already", "One answer is taken, and it was another."),
    "foreign": (
        "This answer belongs to another sign-in",
        "Close other sign-in windows and use the newest one; this program still waits for it.",
    ),
}


class LoopbackReceiver(LoopbackServer):
    """Waits for one answer of Microsoft, query or posted form, on a free port of 127.0.0.1.

    An answer with another state is turned away and does not end the waiting. The browser's page is
    held back until `tell` says how the sign-in ended, so that it never promises too much.
    """

    def __init__(self) -> None:
        super().__init__(_Handler)
        self.answer: dict[str, str] | None = None
        self.page_sent = threading.Event()
        self._answered, self._told = threading.Event(), threading.Event()
        self._lock = threading.Lock()
        self._state: str | None = None
        self._outcome = ("Almost there", "Go back to the program: it says how the sign-in ended.")
        self._foreign = False

    @property
    def redirect_uri(self) -> str:
        """`http://localhost:PORT`: for desktop registrations Microsoft ignores the port."""
        return f"http://localhost:{self.port}"

    def __exit__(self, *error: object) -> None:
        self.tell("The sign-in was stopped", "Nothing was saved.")
        if self.answer is not None:
            self.page_sent.wait(5.0)
        super().__exit__(*error)

    def expect(self, state: str) -> None:
        """Take the answer with that state. Call it before the browser opens: it may be quick."""
        with self._lock:
            self._state = state

    def wait(self, timeout: float, cancel: threading.Event | None = None) -> dict[str, str]:
        """The parameters of the expected answer, within `timeout` seconds.

        Raises `SignInTimedOut` and `Cancelled`.
        """
        end = time.monotonic() + timeout
        while self.answer is None:
            left = end - time.monotonic()
            if cancel is not None and cancel.is_set():
                raise Cancelled("The sign-in was cancelled.")
            if left <= 0:
                foreign = "an answer of another sign-in came in its place"
                raise SignInTimedOut(
                    f"Nobody finished the sign-in within {timeout:.0f} seconds.",
                    why=foreign if self._foreign else None,
                )
            self._answered.wait(left if cancel is None else min(left, 0.05))
        return self.answer

    def take(self, parameters: dict[str, str]) -> Literal["taken", "foreign", "late"]:
        """Takes the one expected answer and says what became of this one."""
        with self._lock:
            given = parameters.get("state", "").encode()
            if self._state is None or not secrets.compare_digest(given, self._state.encode()):
                self._foreign = True
                return "foreign"
            if self.answer is not None:
                return "late"
            self.answer = parameters
        self._answered.set()
        return "taken"

    def tell(self, title: str, text: str) -> None:
        """What the browser's page says. Only the first telling counts."""
        with self._lock:
            if not self._told.is_set():
                self._outcome = (title, text)
                self._told.set()

    def outcome(self) -> tuple[str, str]:
        """Title and text of the page, once the sign-in has ended."""
        self._told.wait(OUTCOME_WAIT)
        return self._outcome


class _Handler(QuietHandler):
    server: LoopbackReceiver

    def do_GET(self) -> None:  # noqa: N802  # the base class names it so
        self._receive(urlsplit(self.path).query)

    def do_POST(self) -> None:  # noqa: N802
        text = self.form()
        if text is None:
            self._page(
                400, "This is not an answer of Microsoft", "Its form is missing or too large."
            )
        else:
            self._receive(text)

    def _receive(self, text: str) -> None:
        if not self.server.is_meant(self.headers.get("Host", "")):
            page = 400, "This is not the place", "The address does not belong to this program."
            return self._page(*page)
        if urlsplit(self.path).path != "/":
            page = 404, "There is nothing here", "This program only waits for one sign-in."
            return self._page(*page)
        try:
            parameters = parse_answer(text)
        except ForeignAnswer as problem:
            return self._page(400, "This is not an answer of Microsoft", problem.what)
        if not parameters:
            page = 200, "Waiting for the sign-in", "Finish it in the Microsoft window."
            return self._page(*page)
        taken = self.server.take(parameters)
        if taken == "taken":
            self._page(200, *self.server.outcome())
            self.server.page_sent.set()
        else:
            self._page(400, *_NOT_TAKEN[taken])
        return None

    def _page(self, status: int, title: str, text: str) -> None:
        body = _PAGE.format(title=escape(title), text=escape(text)).encode()
        policy = "default-src 'none'; style-src 'unsafe-inline'"
        self.reply(status, "text/html; charset=utf-8", body, Content_Security_Policy=policy)
