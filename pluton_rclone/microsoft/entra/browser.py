"""Sign-in in a browser on this machine, and the page to which Microsoft redirects the browser."""

from __future__ import annotations

import logging
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future, InvalidStateError, wait
from contextlib import suppress
from html import escape
from urllib.parse import urlsplit

from pluton_rclone.errors import Cancelled, ForeignAnswer, PlutonRcloneError, SignInTimedOut
from pluton_rclone.process.browser import open_in_browser
from pluton_rclone.process.interrupts import interruptible

from ..http import Http
from .account import Account
from .app import AppRegistration
from .loopback_request import LoopbackRequest
from .loopback_server import LoopbackServer
from .redirect import begin_redirect, finish_redirect, parse_answer
from .sign_in import SignIn

log = logging.getLogger(__name__)

OUTCOME_WAIT = 60.0  # seconds that the browser waits for its page while the code is redeemed

_PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta name="referrer" content="no-referrer"><title>{title}</title>
<style>body{{font:1.1rem/1.5 system-ui,sans-serif;max-width:36rem;
margin:15vh auto;padding:0 1rem;color:#222}}
h1{{font-size:1.4rem}}</style></head>
<body><h1>{title}</h1><p>{text}</p><p>You can close this window.</p></body></html>
"""
# The browser's page for an answer that is rejected: title and text.
_LATE = ("This sign-in has already been answered", "Only its first answer counts.")
_FOREIGN = "This answer belongs to another sign-in"
_NO_ANSWER = "This answer is not from Microsoft"
_ALMOST = ("Almost there", "Go back to the program: it says how the sign-in ended.")
_CLOSE = "Close other sign-in windows and use the newest one; this program still waits for it."


class LoopbackReceiver(LoopbackServer):
    """Waits for one answer from Microsoft, a query or a posted form, on a free port of 127.0.0.1.
    It rejects an answer with another state and keeps waiting. The browser gets its page only after
    `tell` has been called with the outcome, so the page never claims success too early."""

    def __init__(self) -> None:
        super().__init__()
        self._lock = threading.Lock()
        self._state: str | None = None
        self._foreign: str | None = None
        self._answer: Future[dict[str, str]] = Future()
        self._outcome: Future[tuple[str, str]] = Future()
        self._page_sent = threading.Event()

    @property
    def redirect_uri(self) -> str:
        """`http://localhost:PORT`; Microsoft ignores the port for desktop registrations."""
        return f"http://localhost:{self.port}"

    def __exit__(self, *error: object) -> None:
        self.tell("The sign-in was stopped", "Nothing was saved.")
        if self._answer.done():
            self._page_sent.wait(20.0)
        super().__exit__(*error)

    def expect(self, state: str) -> None:
        """Accept only the answer with `state`. Call this before the browser opens."""
        self._state = state

    @interruptible()
    def wait(self, timeout: float, cancel: threading.Event | None = None) -> dict[str, str]:
        """The answer's parameters. Raises `SignInTimedOut` after `timeout` seconds, `Cancelled`."""
        end = time.monotonic() + timeout
        while not self._answer.done():
            left = end - time.monotonic()
            if cancel is not None and cancel.is_set():
                raise Cancelled("The sign-in was cancelled.", advice="Sign in again.")
            if left <= 0:
                what = f"Nobody finished the sign-in within {timeout:.0f} seconds."
                raise SignInTimedOut(what, why=self._foreign)
            wait([self._answer], left if cancel is None else min(left, 0.05))
        return self._answer.result()

    def take(self, parameters: dict[str, str]) -> tuple[str, str] | None:
        """None if this is the expected answer, else title and text of a page that says why not."""
        given, expected = parameters.get("state", "").encode(), (self._state or "").encode()
        if not expected or not secrets.compare_digest(given, expected):
            self._foreign = "the answer to another sign-in came instead"
            return _FOREIGN, _CLOSE
        with self._lock:
            if self._answer.done():
                return _LATE
            self._answer.set_result(parameters)
        return None

    def tell(self, title: str, text: str) -> None:
        """Set what the browser's page says. Only the first call counts."""
        with suppress(InvalidStateError):
            self._outcome.set_result((title, text))

    def serve(self, connection: socket.socket) -> None:
        took = False

        def answer(request: LoopbackRequest) -> tuple[int, str, bytes]:
            nonlocal took
            (status, title, words), took = self._judged(request)
            page = _PAGE.format(title=escape(title), text=escape(words))
            return status, "text/html; charset=utf-8", page.encode()

        LoopbackRequest(connection, answer)
        if took:
            self._page_sent.set()

    def _judged(self, request: LoopbackRequest) -> tuple[tuple[int, str, str], bool]:
        """Status, title and text of the page, and whether this was the expected answer."""
        host = request.headers.get("Host", "").lower()
        try:
            address = urlsplit(request.path)
        except ValueError:
            return (400, _NO_ANSWER, "Its address cannot be read."), False
        text = request.form() if request.command == "POST" else address.query
        if host not in (f"localhost:{self.port}", f"127.0.0.1:{self.port}"):
            # Against DNS rebinding: a foreign page must not reach us through its own host name.
            return (400, "Wrong address", "The address belongs to another program."), False
        if address.path != "/":
            return (404, "There is nothing here", "This program waits for one sign-in."), False
        if text is None:
            return (400, _NO_ANSWER, "Its form is missing or too large."), False
        try:
            parameters = parse_answer(text)
        except ForeignAnswer as problem:
            return (400, _NO_ANSWER, problem.what), False
        if not parameters:
            return (200, "Waiting for the sign-in", "Finish it in the Microsoft window."), False
        refused = self.take(parameters)
        if refused is not None:
            return (400, *refused), False
        wait([self._outcome], OUTCOME_WAIT)
        told = self._outcome.result() if self._outcome.done() else _ALMOST
        return (200, *told), True


def sign_in_with_browser(
    app: AppRegistration,
    scopes: Iterable[str],
    *,
    open_browser: Callable[[str], bool] = open_in_browser,
    show_address: Callable[[str, bool], None] | None = None,
    timeout: float = 600.0,
    cancel: threading.Event | None = None,
    account: Account | None = None,
) -> SignIn:
    """Open Microsoft's sign-in page in a browser, wait for the user, and return the result.

    `show_address(url, opened)` can show the user where to sign in. `account` is as in
    `begin_redirect`, `timeout` in seconds. The registration needs the redirect URI
    `http://localhost` (platform Mobile and desktop). Raises `SignInTimedOut`, `Cancelled`,
    `SignInDeclined`, and the rest of `SignInError`."""
    with Http(cancel=cancel) as http, LoopbackReceiver() as receiver:
        to = receiver.redirect_uri
        flow = begin_redirect(app, scopes, to, account=account, post=True, http=http)
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
