"""Sign-in with a code that a person types on another device: for machines without a browser."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from pluton_rclone import errors
from pluton_rclone.errors import ForeignAnswer, PlutonRcloneError, SignInTimedOut, Unreachable, Who

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
    """What to show: open `verification_uri` on any device and type `user_code`, before `expires`
    (seconds since 1970). `message` is Microsoft's own sentence."""

    user_code: str
    verification_uri: str
    expires: float
    message: str
    app: AppRegistration
    scopes: tuple[str, ...]
    account: Account | None = None
    flow: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def asked(self) -> Asked:
        """For an explanation of a refusal."""
        secrets = (str(self.flow.get("device_code", "")),)
        return Asked(self.app, self.scopes, "device code", secrets)

    def wait(self, cancel: threading.Event | None = None, *, http: Http | None = None) -> SignIn:
        """Wait for the person; a lost connection does not end it. Raises `SignInTimedOut`,
        `SignInDeclined`, `SignInBlocked`, `Cancelled`, and the rest of `SignInError`."""
        stop, asked, flow = cancel or threading.Event(), self.asked(), dict(self.flow)
        trouble: PlutonRcloneError | None = None
        application: Any = None
        result: Any = None
        with ExitStack() as opened:
            open_pool = opened.enter_context(pool(http, stop))
            while result is None:
                # MSAL's own loop asks at once and then sleeps; Microsoft wants the interval first.
                if stop.wait(max(1.0, min(flow["interval"], self.expires - time.time() + 1))):
                    raise errors.Cancelled("The sign-in was cancelled.")
                if time.time() > self.expires:
                    raise trouble or _too_late()
                try:
                    application = application or opened.enter_context(
                        msal_application(self.app, asked, open_pool, public=True)
                    )
                    result, trouble = _ask(application, flow), None
                except (Unreachable, errors.Throttled, errors.SignInError) as problem:
                    # A cut network can look like the person's fault: a proxy that is gone.
                    if problem.who is not Who.LATER and not isinstance(problem, Unreachable):
                        raise
                    trouble = problem
                    flow["interval"] += 5  # RFC 8628, 3.5: on a timeout ask less often
        return completed(outcome(result, asked), self.app, self.scopes, self.account)


def begin_device_code(
    app: AppRegistration,
    scopes: Iterable[str],
    *,
    account: Account | None = None,
    http: Http | None = None,
) -> DeviceCode:
    """A new code, good for about fifteen minutes. The registration must allow public client flows.

    Raises `RegistrationError` (public flows off, single tenant asked from common) and the rest of
    `SignInError`.
    """
    wanted = short_names(scopes)
    asked = Asked(app, wanted, "device code")
    with pool(http) as open_pool, msal_application(app, asked, open_pool, public=True) as msal:
        flow = msal.initiate_device_flow(list(wanted))
    if "user_code" not in flow:
        raise sign_in_error(flow, asked)
    code, message = str(flow["user_code"]), str(flow.get("message") or "")
    url = str(flow.get("verification_uri") or flow.get("verification_url") or "")
    expires = min(float(flow["expires_at"]), time.time() + LONGEST_VALIDITY)
    return DeviceCode(code, url, expires, message, app, wanted, account, flow)


def _ask(msal: Any, flow: dict[str, Any]) -> Any:
    """MSAL's result of one question; None while the person has not finished. After a slow_down the
    interval in `flow` is wider."""
    flow.pop("latest_attempt_at", None)  # MSAL would warn about our rhythm on stderr
    result = msal.acquire_token_by_device_flow(flow, exit_condition=lambda _: True)
    error = result.get("error") if isinstance(result, dict) else None
    return None if error in ("authorization_pending", "slow_down") else result


def _too_late() -> SignInTimedOut:
    advice = "Start again: you get a new code."
    return SignInTimedOut("The device code's time is over.", advice=advice)


# ---- for a web page, which cannot block: polled, and kept as JSON in between ----


def device_code_record(code: DeviceCode) -> dict[str, Any]:
    """The code as JSON members. Secret until it is used up or has expired."""
    kept = {name: getattr(code, name) for name in ("user_code", "verification_uri", "expires")}
    of_app = {"client_id": code.app.client_id, "region": code.app.region}
    kept |= {"version": 1, "message": code.message, "scopes": list(code.scopes), **of_app}
    account = code.account.record() if code.account else None
    return {**kept, "account": account, "flow": dict(code.flow)}


def device_code_from_record(record: Mapping[str, Any], app: AppRegistration) -> DeviceCode:
    """Raises `ForeignAnswer` if the code is not ours, or of another registration."""
    try:
        account = record["account"]
        code = DeviceCode(
            str(record["user_code"]),
            str(record["verification_uri"]),
            float(record["expires"]),
            str(record["message"]),
            app,
            tuple(str(scope) for scope in record["scopes"]),
            Account.from_record(account) if account else None,
            record["flow"] if isinstance(record["flow"], dict) else dict(record["flow"]),
        )
        same = (record["client_id"], record["region"]) == (app.client_id, app.region)
    except (KeyError, TypeError, ValueError):
        raise ForeignAnswer("This is not a device code that was begun here.") from None
    if not same:
        raise ForeignAnswer("This device code was begun with another app registration.")
    return code


def seconds_between_polls(code: DeviceCode) -> float:
    """Seconds before the next `poll_device_code`: usually five, more after a slow_down."""
    return float(code.flow.get("interval") or 5)


def poll_device_code(code: DeviceCode, *, http: Http | None = None) -> SignIn | None:
    """The sign-in, or None while the person has not finished; see `seconds_between_polls`.

    After a slow_down, the interval in `code.flow` grows by five seconds (RFC 8628, 3.5), and so
    does the one in the record that the code was made from: store that again after each poll. Raises
    as `DeviceCode.wait`; `Unreachable` and `Throttled` do not end the code.
    """
    if time.time() > code.expires:
        raise _too_late()
    asked, flow = code.asked(), dict(code.flow)
    with pool(http) as open_pool, msal_application(code.app, asked, open_pool, public=True) as msal:
        result = _ask(msal, flow)
        if result is None:
            if isinstance(code.flow, dict):
                code.flow["interval"] = flow["interval"]
            return None
    return completed(outcome(result, asked), code.app, code.scopes, code.account)
