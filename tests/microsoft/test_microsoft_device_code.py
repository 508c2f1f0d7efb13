"""Sign-in with a device code: the polling interval, and every way it can end."""

from __future__ import annotations

import dataclasses
import math
import threading
import time
from types import SimpleNamespace
from typing import Any

import pytest

from pluton_rclone import errors
from pluton_rclone.emulator import (
    PUBLIC_CLIENT_ID,
    SINGLE_TENANT_CLIENT_ID,
    WEB_CLIENT_ID,
    WEB_CLIENT_SECRET,
    Emulator,
)
from pluton_rclone.microsoft.entra.account import Account
from pluton_rclone.microsoft.entra.app import AppRegistration
from pluton_rclone.microsoft.entra.device_code import (
    DeviceCode,
    begin_device_code,
)
from pluton_rclone.microsoft.entra.scopes import least
from pluton_rclone.microsoft.http import Answer, Http

from .waitless import Clock, sign_in_with_device_code

APP = AppRegistration(PUBLIC_CLIENT_ID)
ANNA = "anna@outlook.com"
BERT = "bert@contoso.onmicrosoft.com"


def polls(cloud: Emulator) -> int:
    return sum(
        request.method == "POST" and request.path.endswith("/token") for request in cloud.requests
    )


@pytest.mark.parametrize(("username", "kind"), [(ANNA, "personal"), (BERT, "work")])
def test_a_person_types_the_code_elsewhere(
    cloud: Emulator, clock: Clock, username: str, kind: str
) -> None:
    shown: list[DeviceCode] = []

    def show(code: DeviceCode) -> None:
        shown.append(code)
        cloud.person(username).enter_device_code(code.user_code, code.verification_uri)

    signed_in = sign_in_with_device_code(APP, least(), show=show, cancel=clock)

    assert (signed_in.account.username, signed_in.account.kind) == (username, kind)
    assert shown[0].verification_uri == "https://microsoft.com/devicelogin"
    assert signed_in.token.refresh_token


def test_the_interval_is_waited_before_the_first_question(cloud: Emulator, clock: Clock) -> None:
    cloud.world.lifetimes.device_poll_interval = 5
    code = begin_device_code(APP, least())
    cloud.person(ANNA).enter_device_code(code.user_code)

    code.wait(clock)

    assert clock.waits == [5]
    assert polls(cloud) == 1


def test_a_code_without_an_interval_is_asked_about_once_a_second(
    cloud: Emulator, clock: Clock
) -> None:
    cloud.world.lifetimes.device_poll_interval = 0
    cloud.world.lifetimes.device_code = 3
    code = dataclasses.replace(begin_device_code(APP, least()), expires=math.inf)

    with pytest.raises(errors.SignInTimedOut):  # as Microsoft says; our own clock continues
        code.wait(clock)

    assert polls(cloud) == len(clock.waits)
    assert set(clock.waits) == {1}


def test_microsoft_may_ask_to_slow_down(
    cloud: Emulator, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloud.world.lifetimes.device_poll_interval = 5
    code = begin_device_code(APP, least())
    hasty = dataclasses.replace(code, flow={**code.flow, "interval": 1})
    cloud.world.refuse_sign_in("slow_down", times=1)
    wait = clock.wait

    def typed_after_two_polls(seconds: float | None = None) -> bool:
        if polls(cloud) == 2:
            cloud.person(ANNA).enter_device_code(code.user_code)
        return wait(seconds)

    monkeypatch.setattr(clock, "wait", typed_after_two_polls)
    signed_in = hasty.wait(clock)

    assert signed_in.account.username == ANNA
    assert clock.waits == [1, 6, 6]  # RFC 8628, 3.5: five more seconds from then on


def test_a_code_that_nobody_types_expires(cloud: Emulator, clock: Clock) -> None:
    code = begin_device_code(APP, least())
    cloud.world.advance(1000)

    with pytest.raises(errors.SignInTimedOut) as refusal:
        code.wait(clock)

    assert refusal.value.details["error"] == "expired_token"


def test_our_own_clock_ends_it_too(cloud: Emulator, clock: Clock) -> None:
    code = dataclasses.replace(begin_device_code(APP, least()), expires=0.0)

    with pytest.raises(errors.SignInTimedOut, match="has expired"):
        code.wait(clock)


def test_a_person_declines(cloud: Emulator, clock: Clock) -> None:
    code = begin_device_code(APP, least())
    cloud.person(ANNA).enter_device_code(code.user_code, accept=False)

    with pytest.raises(errors.SignInDeclined) as refusal:
        code.wait(clock)

    assert refusal.value.details["error"] == "authorization_declined"


def test_an_organisation_that_blocks_device_codes_is_named_and_the_browser_offered(
    cloud: Emulator, clock: Clock
) -> None:
    cloud.world.tenant("contoso.onmicrosoft.com").policies.device_code_allowed = False
    code = begin_device_code(APP, least())
    cloud.person(BERT).enter_device_code(code.user_code)

    with pytest.raises(errors.SignInBlocked) as refusal:
        code.wait(clock)

    assert refusal.value.details["aadsts"] == "AADSTS53003"
    assert refusal.value.who is errors.Who.ADMINISTRATOR
    assert "blocks signing in with a device code" in refusal.value.what
    assert "browser" in refusal.value.advice


def test_a_busy_service_does_not_end_the_waiting(cloud: Emulator, clock: Clock) -> None:
    code = begin_device_code(APP, least())
    cloud.person(ANNA).enter_device_code(code.user_code)
    cloud.world.refuse_sign_in("temporarily_unavailable", times=8)

    signed_in = code.wait(clock)

    assert signed_in.account.username == ANNA


class CutOff(Http):
    """A network that fails for some requests, which seems to be the person's to fix."""

    def __init__(self, requests: int, clock: Clock) -> None:
        super().__init__(cancel=clock, now=clock.now)
        self.left = requests

    def request(self, *arguments: Any, **options: Any) -> Answer:
        self.left -= 1
        if self.left >= 0:
            raise errors.Unreachable("Nobody there.", who=errors.Who.YOU)
        return super().request(*arguments, **options)


@pytest.mark.parametrize("requests", [1, 2, 7])
def test_a_network_that_is_cut_does_not_end_the_waiting(
    cloud: Emulator, clock: Clock, requests: int
) -> None:
    """Even if it fails before the first request."""
    code = begin_device_code(APP, least())
    cloud.person(ANNA).enter_device_code(code.user_code)

    assert code.wait(clock, http=CutOff(requests, clock)).account.username == ANNA


def test_a_network_that_stays_away_until_the_code_ends_is_the_reason(
    cloud: Emulator, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, began = begin_device_code(APP, least()), time.time()
    passing = SimpleNamespace(time=lambda: began + clock.now())
    monkeypatch.setattr("pluton_rclone.microsoft.entra.device_code.time", passing)
    with pytest.raises(errors.Unreachable, match="Nobody there"):
        code.wait(clock, http=CutOff(10**9, clock))


def test_cancelling_ends_the_waiting(cloud: Emulator) -> None:
    cancel = threading.Event()
    cancel.set()

    with pytest.raises(errors.Cancelled):
        begin_device_code(APP, least()).wait(cancel)


def test_somebody_else_than_expected_is_refused(cloud: Emulator, clock: Clock) -> None:
    anna = Account("", "Anna Berg", ANNA, "", "personal")
    code = begin_device_code(APP, least(), account=anna)
    cloud.person(BERT).enter_device_code(code.user_code)

    with pytest.raises(errors.AccountError):
        code.wait(clock)


def test_public_flows_that_are_off_are_for_the_developer(cloud: Emulator, clock: Clock) -> None:
    app = AppRegistration(WEB_CLIENT_ID, client_secret=WEB_CLIENT_SECRET)

    def sign_in() -> None:
        code = begin_device_code(app, least())
        cloud.person(ANNA).enter_device_code(code.user_code)
        code.wait(clock)

    with pytest.raises(errors.RegistrationError) as refusal:
        sign_in()

    assert refusal.value.details["aadsts"] == "AADSTS7000218"
    assert "Allow public client flows" in refusal.value.advice


def test_a_single_tenant_registration_needs_its_tenant(cloud: Emulator, clock: Clock) -> None:
    with pytest.raises(errors.RegistrationError) as refusal:
        begin_device_code(AppRegistration(SINGLE_TENANT_CLIENT_ID), least())
    assert refusal.value.details["aadsts"] in ("AADSTS50059", "AADSTS50194")

    code = begin_device_code(
        AppRegistration(SINGLE_TENANT_CLIENT_ID, tenant="contoso.onmicrosoft.com"), least()
    )
    cloud.person(BERT).enter_device_code(code.user_code)
    assert code.wait(clock).account.username == BERT


def test_the_device_code_itself_is_not_shown(cloud: Emulator) -> None:
    code = begin_device_code(APP, least())

    assert str(code.flow["device_code"]) not in repr(code)
