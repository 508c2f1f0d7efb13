"""Sign-in with a code that a person types on another device: for machines without a browser."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from pluton_rclone.errors import (
    Cancelled,
    PlutonRcloneError,
    SignInError,
    SignInTimedOut,
    Throttled,
    Unreachable,
    Who,
)

from ..http import Http, pool
from .account import Account
from .app import AppRegistration
from .client import msal_application, outcome
from .faults import Asked, sign_in_error
from .scopes import short_names
from .sign_in import SignIn, completed

LONGEST_VALIDITY = 24 * 3600.0  # seconds; Microsoft grants fifteen minutes


@dataclass(frozen=True)
class DeviceCode:
    """What to show: open `verification_uri` on any device and type `user_code`, before `expires`.

    `message` is Microsoft's own sentence. `expires` is in seconds since 1970.
    """

    user_code: str
    verification_uri: str
    expires: float
    message: str
    app: AppRegistration
    scopes: tuple[str, ...]
    account: Account | None = None
    flow: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def wait(self, cancel: threading.Event | None = None, *, http: Http | None = None) -> SignIn:
        """Wait for the person, asking as often as Microsoft allows (it may say slow_down in
        between).

        A lost connection does not end the waiting. Raises `SignInTimedOut` when the code has
        expired, `SignInDeclined` when the person refused, `SignInBlocked` when the organisation
        blocks device codes, `Cancelled`, and the rest of `SignInError`.
        """
        stop = cancel or threading.Event()
        flow = dict(self.flow)
        secrets = (str(flow.get("device_code", "")),)
        asked = Asked(self.app, self.scopes, "device code", secrets)
        trouble: PlutonRcloneError | None = None
        with ExitStack() as opened:
            open_pool = opened.enter_context(pool(http, stop))
            application: Any = None
            while True:
                # MSAL's own loop asks at once and then sleeps; Microsoft wants the interval first.
                if stop.wait(max(1.0, min(flow["interval"], self.expires - time.time() + 1))):
                    raise Cancelled("The sign-in was cancelled.")
                if time.time() > self.expires:
                    raise trouble or SignInTimedOut(
                        "The device code's time is over.", advice="Start again: you get a new code."
                    )
                flow.pop("latest_attempt_at", None)  # MSAL would warn about our rhythm on stderr
                try:
                    application = application or opened.enter_context(
                        msal_application(self.app, asked, open_pool, public=True)
                    )
                    result = application.acquire_token_by_device_flow(
                        flow, exit_condition=lambda _: True
                    )
                except (Unreachable, Throttled, SignInError) as problem:
                    # A cut network can look like the person's fault: a proxy that is gone.
                    if problem.who is not Who.LATER and not isinstance(problem, Unreachable):
                        raise
                    trouble = problem
                    flow["interval"] += 5  # RFC 8628, 3.5: on a timeout ask less often
                    continue
                trouble = None
                if result.get("error") not in ("authorization_pending", "slow_down"):
                    break
        return completed(outcome(result, asked), self.app, self.scopes, self.account)


def begin_device_code(
    app: AppRegistration,
    scopes: Iterable[str],
    *,
    account: Account | None = None,
    http: Http | None = None,
) -> DeviceCode:
    """A new code, good for about fifteen minutes.

    The registration must allow public client flows; its secret, if it has one, is not sent. Raises
    `RegistrationError` (public flows off, single tenant asked from common) and the rest of
    `SignInError`.
    """
    wanted = short_names(scopes)
    asked = Asked(app, wanted, "device code")
    with (
        pool(http) as open_pool,
        msal_application(app, asked, open_pool, public=True) as application,
    ):
        flow = application.initiate_device_flow(list(wanted))
    if "user_code" not in flow:
        raise sign_in_error(flow, asked)
    return DeviceCode(
        str(flow["user_code"]),
        str(flow.get("verification_uri") or flow.get("verification_url") or ""),
        min(float(flow["expires_at"]), time.time() + LONGEST_VALIDITY),
        str(flow.get("message") or ""),
        app,
        wanted,
        account,
        flow,
    )


def sign_in_with_device_code(
    app: AppRegistration,
    scopes: Iterable[str],
    *,
    show: Callable[[DeviceCode], None],
    cancel: threading.Event | None = None,
    account: Account | None = None,
    http: Http | None = None,
) -> SignIn:
    """`begin_device_code`, `show` it to the person, and wait."""
    with pool(http, cancel) as open_pool:
        code = begin_device_code(app, scopes, account=account, http=open_pool)
        show(code)
        return code.wait(cancel, http=open_pool)
