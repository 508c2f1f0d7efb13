"""A device code that is asked about now and then, and may wait as JSON in between: for a web page,
which cannot block.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from pluton_rclone.errors import ForeignAnswer, SignInTimedOut

from ..http import Http, pool
from .account import Account
from .app import AppRegistration
from .client import msal_application, outcome
from .device_code import DeviceCode
from .faults import Asked
from .sign_in import SignIn, completed


def device_code_record(code: DeviceCode) -> dict[str, Any]:
    """The code as JSON members. Secret until it is used up or has expired."""
    return {
        "version": 1,
        "user_code": code.user_code,
        "verification_uri": code.verification_uri,
        "expires": code.expires,
        "message": code.message,
        "scopes": list(code.scopes),
        "client_id": code.app.client_id,
        "region": code.app.region,
        "account": code.account.record() if code.account else None,
        "flow": dict(code.flow),
    }


def device_code_from_record(record: Mapping[str, Any], app: AppRegistration) -> DeviceCode:
    """Raises `ForeignAnswer` when this is no code of ours, or another registration's."""
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
    """How long to wait before the next `poll_device_code`: five seconds usually, more after a
    slow_down."""
    return float(code.flow.get("interval") or 5)


def poll_device_code(code: DeviceCode, *, http: Http | None = None) -> SignIn | None:
    """The sign-in, or None while the person has not finished; wait `seconds_between_polls` before
    each.

    Where Microsoft says slow_down, the interval in `code.flow` grows by five seconds (RFC 8628,
    3.5), and with it the one in the record that the code was made from: store the record again
    after each poll, and it is kept.

    Raises `SignInTimedOut` when the code has expired, `SignInDeclined`, `SignInBlocked` when the
    organisation blocks device codes, and the rest of `SignInError`; `Unreachable` and `Throttled`
    do not end the code.
    """
    if time.time() > code.expires:
        raise SignInTimedOut(
            "The device code's time is over.", advice="Start again: you get a new code."
        )
    asked = Asked(code.app, code.scopes, "device code", (str(code.flow.get("device_code", "")),))
    with (
        pool(http) as open_pool,
        msal_application(code.app, asked, open_pool, public=True) as application,
    ):
        flow = dict(code.flow)  # MSAL writes into it: the wider interval, and when it asked
        result = application.acquire_token_by_device_flow(flow, exit_condition=lambda _: True)
        if isinstance(result, dict) and result.get("error") in (
            "authorization_pending",
            "slow_down",
        ):
            if isinstance(code.flow, dict):
                code.flow["interval"] = flow["interval"]
            return None
    return completed(outcome(result, asked), code.app, code.scopes, code.account)
