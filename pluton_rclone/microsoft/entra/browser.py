"""Sign-in in a browser on this machine, and the little page that Microsoft sends it back to."""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections.abc import Callable, Iterable
from html import escape
from urllib.parse import urlsplit

from pluton_rclone.errors import Cancelled, ForeignAnswer, PlutonRcloneError, SignInTimedOut
from pluton_rclone.process.browser import open_in_browser

from ..http import Http
from .account import Account
from .app import AppRegistration
from .loopback_server import LoopbackServer, QuietHandler
from .redirect import Prompt, begin_redirect, finish_redirect, parse_answer
from .sign_in import SignIn

log = logging.getLogger(__name__)

OUTCOME_WAIT = 60.0  # seconds that a browser waits for its page while the code is redeemed

_PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta name="referrer" content="no-referrer"><title>{title}</title>
<style>body{{font:1.1rem/1.5 system-ui,sans-serif;max-width:36rem;
margin:15vh auto;padding:0 1rem;color:#222}}
h1{{font-size:1.4rem}}</style></head>
<body><h1>{title}</h1><p>{text}</p><p>You can close this window.</p></body></html>
"""
# What became of an answer that is not taken: title and text of the browser's page.
_LATE = ("This sign-in was answered already", "One answer is taken, and it was another.")
_FOREIGN = "This answer belongs to another sign-in"
_CLOSE = "Close other sign-in windows and use the newest one; this program still waits for it."


class LoopbackReceiver(LoopbackServer):
    """Waits for one answer of Microsoft, query or posted form, on a free port of 127.0.0.1. One
    with another state is refused and does not end the waiting. The browser's page waits until
    `tell` says how the sign-in ended, so that it never promises too much."""

    def __init__(self) -> None:
        super().__init__(_Handler)
        self.answer: dict[str, str] | None = None
        self.page_sent = threading.Event()
        self._answered, self._told = threading.Event(), threading.Event()
        self._lock = threading.Lock()
        self._state: str | None = None
        self._outcome = ("Almost there", "Go back to the program: it says how the sign-in ended.")
        self._foreign: str | None = None

    @property
    def redirect_uri(self) -> str:
        """`http://localhost:PORT`: for desktop registrations Microsoft ignores the port."""
        return f"http://localhost:{self.port}"

    def __exit__(self, *error: object) -> None:
        self.tell("The sign-in was stopped", "Nothing was saved.")
        if self.answer is not None:
            self.page_sent.wait(20.0)
        super().__exit__(*error)

    def expect(self, state: str) -> None:
        """Take the answer with that state. Call it before the browser opens: it may be quick."""
        with self._lock:
            self._state = state

    def wait(self, timeout: float, cancel: threading.Event | None = None) -> dict[str, str]:
        """The parameters of the expected answer. SignInTimedOut (`timeout`: seconds), Cancelled."""
        end = time.monotonic() + timeout
        while self.answer is None:
            left = end - time.monotonic()
            if cancel is not None and cancel.is_set():
                raise Cancelled("The sign-in was cancelled.")
            if left <= 0:
                what = f"Nobody finished the sign-in within {timeout:.0f} seconds."
                raise SignInTimedOut(what, why=self._foreign)
            self._answered.wait(left if cancel is None else min(left, 0.05))
        return self.answer

    def take(self, parameters: dict[str, str]) -> tuple[str, str] | None:
        """None if this is the expected answer, else the page that says why it is not taken."""
        with self._lock:
            given = parameters.get("state", "").encode()
            if self._state is None or not secrets.compare_digest(given, self._state.encode()):
                self._foreign = "an answer of another sign-in came in its place"
                return _FOREIGN, _CLOSE
            if self.answer is not None:
                return _LATE
            self.answer = parameters
        self._answered.set()
        return None

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
    took = False  # the expected answer came with this request

    def do_GET(self) -> None:  # noqa: N802  # the base class names it so
        self._receive(urlsplit(self.path).query)

    def do_POST(self) -> None:  # noqa: N802
        self._receive(self.form())

    def _receive(self, text: str | None) -> None:
        status, title, words = self._judged(text)
        body = _PAGE.format(title=escape(title), text=escape(words)).encode()
        policy = "default-src 'none'; style-src 'unsafe-inline'"
        self.reply(status, "text/html; charset=utf-8", body, Content_Security_Policy=policy)
        if self.took:
            self.server.page_sent.set()

    def _judged(self, text: str | None) -> tuple[int, str, str]:
        """Status, title and text of the page that answers."""
        if not self.server.is_meant(self.headers.get("Host", "")):
            return 400, "This is not the place", "The address does not belong to this program."
        if urlsplit(self.path).path != "/":
            return 404, "There is nothing here", "This program only waits for one sign-in."
        if text is None:
            return 400, "This is not an answer of Microsoft", "Its form is missing or too large."
        try:
            parameters = parse_answer(text)
        except ForeignAnswer as problem:
            return 400, "This is not an answer of Microsoft", problem.what
        if not parameters:
            return 200, "Waiting for the sign-in", "Finish it in the Microsoft window."
        refused = self.server.take(parameters)
        self.took = refused is None
        return (400, *refused) if refused else (200, *self.server.outcome())


def sign_in_with_browser(
    app: AppRegistration,
    scopes: Iterable[str],
    *,
    open_browser: Callable[[str], bool] = open_in_browser,
    show_address: Callable[[str, bool], None] | None = None,
    timeout: float = 600.0,
    cancel: threading.Event | None = None,
    account: Account | None = None,
    prompt: Prompt | None = None,
) -> SignIn:
    """Open Microsoft's sign-in in a browser, wait for the person, return what was granted.

    `show_address(url, opened)` can tell a person where to go. Without `account` the page lets the
    person choose one; with it, that one is proposed and others are refused. `timeout` in seconds.
    The registration needs the redirect address `http://localhost` (platform Mobile and desktop).
    Raises `SignInTimedOut`, `Cancelled`, `SignInDeclined`, and the rest of `SignInError`.
    """
    if account is None:
        prompt = prompt or "select_account"
    with Http(cancel=cancel) as http, LoopbackReceiver() as receiver:
        to = receiver.redirect_uri
        flow = begin_redirect(app, scopes, to, account=account, prompt=prompt, post=True, http=http)
        receiver.expect(flow.state)
        opened = open_browser(flow.url)
        if show_address is not None:
            show_address(flow.url, opened)
        elif not opened:
            log.warning("No browser opened. Open this address to sign in: %s", flow.url)
        try:
            signed_in = finish_redirect(app, flow, receiver.wait(timeout, cancel), http=http)
        except PlutonRcloneError as problem:
            receiver.tell("The sign-in did not work", f"{problem.what} {problem.advice}")
            raise
        receiver.tell("You are signed in", f"Signed in as {signed_in.account}.")
        return signed_in
