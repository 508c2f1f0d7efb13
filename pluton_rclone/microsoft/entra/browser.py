"""Sign-in in a browser on this machine."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable

from pluton_rclone.errors import PlutonRcloneError
from pluton_rclone.process.browser import open_in_browser

from ..http import Http, pool
from .account import Account
from .app import AppRegistration
from .loopback import LoopbackReceiver
from .redirect import Prompt, begin_redirect, finish_redirect
from .sign_in import SignIn

log = logging.getLogger(__name__)


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
    http: Http | None = None,
) -> SignIn:
    """Open Microsoft's sign-in in a browser, wait for the person, return what was granted.

    `show_address(url, opened)` can tell a person where to go. Without `account` the page lets the
    person choose one; with it, that one is proposed and others are refused. `timeout` in seconds.

    The registration needs the redirect address `http://localhost` (platform Mobile and desktop).
    Raises `SignInTimedOut`, `Cancelled`, `SignInDeclined`, and the rest of `SignInError`.
    """
    if prompt is None and account is None:
        prompt = "select_account"
    with pool(http, cancel) as open_pool, LoopbackReceiver() as receiver:
        flow = begin_redirect(
            app,
            scopes,
            receiver.redirect_uri,
            account=account,
            prompt=prompt,
            response_mode="form_post",
            http=open_pool,
        )
        receiver.expect(flow.state)
        opened = open_browser(flow.url)
        if show_address is not None:
            show_address(flow.url, opened)
        elif not opened:
            log.warning("No browser opened. Open this address to sign in: %s", flow.url)
        try:
            signed_in = finish_redirect(app, flow, receiver.wait(timeout, cancel), http=open_pool)
        except PlutonRcloneError as problem:
            receiver.tell("The sign-in did not work", f"{problem.what} {problem.advice}")
            raise
        receiver.tell("You are signed in", f"Signed in as {signed_in.account}.")
        return signed_in
