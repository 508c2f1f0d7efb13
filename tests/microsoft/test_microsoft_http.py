"""The HTTP layer: how long to wait, what is repeated, and what cannot be reached."""

from __future__ import annotations

import json
import os
import pickle
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pluton_rclone import errors
from pluton_rclone.emulator import PUBLIC_CLIENT_ID, Emulator
from pluton_rclone.emulator.drives.files import Files
from pluton_rclone.emulator.entra.shortcut import sign_in
from pluton_rclone.emulator.graph.faults import Faults
from pluton_rclone.microsoft.entra.app import AppRegistration
from pluton_rclone.microsoft.entra.redirect import begin_redirect
from pluton_rclone.microsoft.http import ATTEMPTS, LONGEST_WAIT, Http, decoded, retry_after
from tests.connected import connected

from .waitless import Clock

NOW = datetime(2026, 11, 23, 12, 0, 0, tzinfo=timezone.utc)
ME = "https://graph.microsoft.com/v1.0/me"


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("31", 31.0),
        ("2.128", 2.128),  # error-429-graph.json: Graph documents a decimal
        (" 0 ", 0.0),
        ("-5", 0.0),
        (format_datetime(NOW + timedelta(seconds=90), usegmt=True), 90.0),
        ("Mon, 23 Nov 2026 12:00:07 GMT", 7.0),
        ("Mon, 23 Nov 2026 12:00:07 -0000", 7.0),
        ("Mon, 23 Nov 2020 12:00:07 GMT", 0.0),
        (None, None),
        ("", None),
        ("soon", None),
        ("inf", None),
        ("nan", None),
    ],
)
def test_retry_after(header: str | None, seconds: float | None) -> None:
    assert retry_after(header, now=NOW) == seconds


@given(st.text())
def test_an_odd_header_is_no_trouble(header: str) -> None:
    seconds = retry_after(header)

    assert seconds is None or seconds >= 0


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(JSON)
def test_json_is_read_as_it_was_written(value: Any) -> None:
    assert decoded(json.dumps(value).encode()) == json.loads(json.dumps(value))


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (rb'{"name": "\ud800.txt"}', {"name": "\ud800.txt"}),  # OneDrive stores such names
        (
            b'{"size": 1e999, "b": -1e999, "c": NaN, "d": Infinity, "e": 1.5}',
            {"size": None, "b": None, "c": None, "d": None, "e": 1.5},
        ),
        ("{}".encode("utf-16"), {}),
        (b"", None),
        (b"<html>", None),
        (b"\xff\xfe\xff", None),
        (b"[" * 100_000, None),
    ],
)
def test_what_is_not_quite_json_is_read_too_and_what_is_none_is_none(
    body: bytes, value: Any
) -> None:
    assert decoded(body) == value


@contextmanager
def pool(clock: Clock) -> Iterator[Http]:
    with Http(cancel=clock, now=clock.now) as http:
        yield http


def asked(cloud: Emulator) -> int:
    return len(cloud.requests)


def test_what_changes_nothing_is_repeated_within_bounds(cloud: Emulator, clock: Clock) -> None:
    cloud.world.part(Faults).refuse(500, times=None)

    with pool(clock) as http:
        answer = http.request("GET", ME)

    assert answer.status == 500
    assert asked(cloud) == ATTEMPTS
    assert [wait for wait in clock.waits if wait] == [1.0, 2.0, 4.0, 8.0]


def test_what_changes_something_is_not_repeated_on_a_fault(cloud: Emulator, clock: Clock) -> None:
    cloud.world.part(Faults).refuse(500, times=None, method="POST")

    with pool(clock) as http:
        http.request("POST", ME, data={"code": "good for one use"})

    assert asked(cloud) == 1


def test_when_one_request_is_asked_to_wait_all_wait(cloud: Emulator, clock: Clock) -> None:
    cloud.world.part(Faults).throttle(retry_after="30", times=1)

    with pool(clock) as http:
        http.request("GET", ME)
        before = clock.now()
        http.request("GET", ME)

    assert before == 30.0
    assert clock.now() == before  # the time is over for the second call as well


@pytest.mark.parametrize(("seconds", "level"), [("30", "WARNING"), ("2", "INFO")])
def test_a_long_wait_is_told_while_it_lasts(
    cloud: Emulator, clock: Clock, caplog: pytest.LogCaptureFixture, seconds: str, level: str
) -> None:
    caplog.set_level("INFO", "pluton_rclone.microsoft.http")
    cloud.world.part(Faults).throttle(retry_after=seconds, times=1)

    with pool(clock) as http:
        http.request("GET", ME)

    (told,) = caplog.records
    assert told.levelname == level
    assert told.getMessage() == f"graph.microsoft.com answered 429: waiting {seconds}.0 s"


def test_the_waiting_has_an_end(cloud: Emulator, clock: Clock) -> None:
    cloud.world.part(Faults).throttle(retry_after=str(LONGEST_WAIT / 2), times=None)

    with pool(clock) as http:
        answer = http.request("GET", ME)

    assert answer.status == 429
    assert clock.now() <= LONGEST_WAIT


def test_cancelling_ends_a_wait(cloud: Emulator, clock: Clock) -> None:
    cloud.world.part(Faults).throttle(retry_after="30", times=None)
    clock.set()

    with pool(clock) as http, pytest.raises(errors.Cancelled):
        http.request("GET", ME)


def test_redirects_are_not_followed(cloud: Emulator, clock: Clock) -> None:
    item = cloud.world.part(Files).drive_of("anna@outlook.com").write("file.txt", b"content")
    token = sign_in(cloud.world, "anna@outlook.com", "Files.Read", PUBLIC_CLIENT_ID)["access_token"]

    with pool(clock) as http:
        answer = http.request(
            "GET",
            f"{ME}/drive/items/{item.id}/content",
            headers={"Authorization": f"Bearer {token}"},
        )

    assert answer.status == 302
    assert {request.host for request in cloud.requests} == {"graph.microsoft.com"}


# ---- what cannot be reached


@pytest.fixture
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "HTTPS_PROXY",
        "https_proxy",
        "ALL_PROXY",
        "all_proxy",
        "SSL_CERT_FILE",
        "REQUESTS_CA_BUNDLE",
    ):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port held without a listener: otherwise another program could take it meanwhile, or the
    connection could connect to itself."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield int(held.getsockname()[1])


def test_nobody_listens(
    no_proxy: None,
    cloud: Emulator,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
    closed_port: int,
) -> None:
    monkeypatch.delenv("HTTPS_PROXY")

    with pool(clock) as http, pytest.raises(errors.Unreachable) as refusal:
        http.request("POST", f"https://127.0.0.1:{closed_port}/token?code=planted")

    assert "refused" in str(refusal.value)
    assert refusal.value.details["host"] == "127.0.0.1"
    assert "planted" not in str(refusal.value.record()) + repr(refusal.value)
    assert pickle.loads(pickle.dumps(refusal.value)).what == refusal.value.what


def test_a_proxy_that_refuses_is_named(cloud: Emulator, clock: Clock) -> None:
    with pool(clock) as http, pytest.raises(errors.Unreachable) as refusal:
        http.request("POST", "https://unknown.example/")

    assert "proxy" in str(refusal.value)
    assert "HTTPS_PROXY" in refusal.value.advice


def test_a_certificate_that_is_not_trusted(
    cloud: Emulator, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    monkeypatch.delenv("REQUESTS_CA_BUNDLE")

    with pool(clock) as http, pytest.raises(errors.Unreachable) as refusal:
        http.request("POST", ME)

    assert "certificate" in str(refusal.value)
    assert "SSL_CERT_FILE" in refusal.value.advice
    assert refusal.value.who is errors.Who.YOU


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("REQUESTS_CA_BUNDLE", "/missing/ca.pem", "invalid path: /missing/ca.pem"),
        ("HTTPS_PROXY", "http://127.0.0.1:port", "the address of the proxy cannot be used"),
        ("HTTPS_PROXY", "nonsense://127.0.0.1", "the address of the proxy cannot be used"),
        ("HTTPS_PROXY", "http://a..b:80", "the address of the proxy cannot be used"),
        ("HTTPS_PROXY", f"http://{'a' * 70}:80", "the address of the proxy cannot be used"),
    ],
)
def test_what_is_wrong_with_this_machines_variables_is_said_with_who_can_fix_it(
    cloud: Emulator, clock: Clock, monkeypatch: pytest.MonkeyPatch, name: str, value: str, why: str
) -> None:
    """Formerly: "(OSError)" or "(InvalidURL)", and that no one can fix it."""
    monkeypatch.setenv(name, value)
    app = AppRegistration(PUBLIC_CLIENT_ID)
    with pool(clock) as http:
        for ask in (
            lambda: http.request("POST", ME),
            lambda: begin_redirect(app, ["Files.Read"], "http://localhost"),
        ):
            with pytest.raises(errors.Unreachable, match=why) as refusal:
                ask()
            assert name in refusal.value.advice
            assert refusal.value.who is errors.Who.YOU


def test_the_ca_that_rclone_reads_is_enough(
    cloud: Emulator, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("REQUESTS_CA_BUNDLE")  # SSL_CERT_FILE is left

    with pool(clock) as http:
        assert http.request("GET", ME).status == 401


@pytest.mark.parametrize("name", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_one_variable_with_certificates_holds_for_the_sign_in_and_for_rclone(
    cloud: Emulator, clock: Clock, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """rclone reads only SSL_CERT_FILE: with REQUESTS_CA_BUNDLE one could sign in but copy
    nothing."""
    storage = connected(cloud, "personal")
    authority = os.environ["SSL_CERT_FILE"]
    for variable in ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE"):
        monkeypatch.delenv(variable)
    monkeypatch.setenv(name, authority)
    with pool(clock) as http:
        assert http.request("GET", ME).status == 401
    assert storage.list() == []


def test_germany_says_why_it_does_not_answer(
    cloud: Emulator, clock: Clock, monkeypatch: pytest.MonkeyPatch, closed_port: int
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{closed_port}")

    with pool(clock) as http, pytest.raises(errors.Unreachable) as refusal:
        http.request(
            "GET", "https://login.microsoftonline.de/common/v2.0/.well-known/openid-configuration"
        )

    assert "2021-10-29" in str(refusal.value)
    assert "global" in refusal.value.advice
    assert asked(cloud) == 0
