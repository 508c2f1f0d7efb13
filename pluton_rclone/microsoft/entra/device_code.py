"""Sign-in with a code that the user types on another device: for machines without a browser."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from pluton_rclone import errors
from pluton_rclone.errors import PlutonRcloneError, SignInTimedOut, Unreachable, Who
from pluton_rclone.process.interrupts import interruptible

from ..http import Http
from .account import Account
from .app import AppRegistration
from .client import msal_application, outcome
from .faults import Asked, sign_in_error
from .scopes import short_names
from .sign_in import SignIn, completed


@dataclass(frozen=True)
class DeviceCode:
    """What to show the user: open `verification_uri` on any device and type `user_code` before
    `expires` (seconds since 1970)."""

    user_code: str
    verification_uri: str
    expires: float
    app: AppRegistration
    scopes: tuple[str, ...]
    account: Account | None = None
    flow: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @interruptible()
    def wait(self, cancel: threading.Event | None = None, *, http: Http | None = None) -> SignIn:
        """Wait until the user has signed in; a lost connection does not end the wait. Raises
        `SignInTimedOut`, `SignInDeclined`, `SignInBlocked`, `Cancelled`, other `SignInError`s."""
        stop, flow = cancel or threading.Event(), dict(self.flow)
        asked = Asked(self.app, self.scopes, "device code", (str(flow.get("device_code", "")),))
        trouble: PlutonRcloneError | None = None
        application: Any = None
        result: Any = None
        with ExitStack() as opened:
            http = http or opened.enter_context(Http(cancel=stop))
            while result is None:
                # MSAL's loop polls at once and then sleeps; Microsoft wants the interval first.
                if stop.wait(max(1.0, min(flow["interval"], self.expires - time.time() + 1))):
                    raise errors.Cancelled("The sign-in was cancelled.", advice="Sign in again.")
                if time.time() > self.expires:
                    advice = "Start again: you get a new code."
                    raise trouble or SignInTimedOut("The device code has expired.", advice=advice)
                try:
                    application = application or opened.enter_context(
                        msal_application(self.app, asked, http)
                    )
                    result, trouble = _ask(application, flow), None
                except (Unreachable, errors.Throttled, errors.SignInError) as problem:
                    # A lost network can look like the user's fault, such as an unreachable proxy.
                    if problem.who is not Who.LATER and not isinstance(problem, Unreachable):
                        raise
                    trouble = problem
                    flow["interval"] += 5  # RFC 8628, 3.5: poll less often after a timeout
        return completed(outcome(result, asked), self.app, self.scopes, self.account)


def begin_device_code(
    app: AppRegistration, scopes: Iterable[str], *, account: Account | None = None
) -> DeviceCode:
    """A new code, valid for about fifteen minutes. The registration must allow public client flows.
    Raises `RegistrationError` (public flows off, single-tenant app with common), `SignInError`."""
    wanted = short_names(scopes)
    asked = Asked(app, wanted, "device code")
    with msal_application(app, asked) as msal:
        flow = msal.initiate_device_flow(list(wanted))
    if "user_code" not in flow:
        raise sign_in_error(flow, asked)
    code = str(flow["user_code"])
    url = str(flow.get("verification_uri") or flow.get("verification_url") or "")
    flow["interval"] = max(1, flow["interval"])  # with 0, MSAL would poll without a pause
    # At most a day, as a safeguard: Microsoft grants fifteen minutes.
    expires = min(float(flow["expires_at"]), time.time() + 24 * 3600)
    return DeviceCode(code, url, expires, app, wanted, account, flow)


def _ask(msal: Any, flow: dict[str, Any]) -> Any:
    """MSAL's result of one poll; None while the user has not finished. After a slow_down, MSAL
    increases the interval in `flow`."""
    flow.pop("latest_attempt_at", None)  # MSAL would warn about our timing on stderr
    result = msal.acquire_token_by_device_flow(flow, exit_condition=lambda _: True)
    error = result.get("error") if isinstance(result, dict) else None
    return None if error in ("authorization_pending", "slow_down") else result
