"""rclone's own sign-in: the real `rclone authorize`, a simulated person, and every ending."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import parse_qs

import pytest

from pluton_rclone import AppRegistration, StorageSetup, errors
from pluton_rclone.emulator import PUBLIC_CLIENT_ID, Emulator
from pluton_rclone.rclone.authorize import authorize, refusal
from pluton_rclone.setup.imported import import_token
from tests.rclone_port import rclone_port, visit
from tests.setup.signing_in import by_device_code

ANNA = "anna@outlook.com"


@pytest.fixture(autouse=True)
def the_only_one() -> Iterator[None]:
    with rclone_port():
        yield


@pytest.fixture
def person(cloud: Emulator) -> Iterator[Callable[[str], None]]:
    """Opens the address as Anna, in a thread, as a browser would."""
    visits: list[threading.Thread] = []

    def open_address(address: str) -> None:
        visits.append(threading.Thread(target=lambda: visit(cloud, ANNA, address)))
        visits[-1].start()

    yield open_address
    for thread in visits:
        thread.join()


def test_a_newcomer_without_a_registration_signs_in(
    cloud: Emulator, person: Callable[[str], None]
) -> None:
    printed = authorize(show_address=person)

    imported = import_token(printed)
    assert imported.sign_in.account.name == "Anna Berg"
    assert imported.sign_in.token.refresh_token
    assert imported.app is None


def test_another_accounts_sign_in_takes_nobodys_registration_away(
    cloud: Emulator, person: Callable[[str], None]
) -> None:
    app = AppRegistration(PUBLIC_CLIENT_ID)
    setup = StorageSetup(app)
    by_device_code(setup, cloud, "bert@contoso.onmicrosoft.com")

    with pytest.raises(errors.AccountError):
        setup.sign_in_with_rclone(show_address=person)

    assert setup.has_app
    assert setup.app == app


def test_the_least_is_asked_for(cloud: Emulator, person: Callable[[str], None]) -> None:
    authorize(show_address=person, scopes=("Files.ReadWrite",))

    (asked,) = [request for request in cloud.requests if request.path.endswith("/authorize")]
    assert parse_qs(asked.query)["scope"] == ["Files.ReadWrite offline_access"]


def test_no_configuration_is_read_or_written(
    cloud: Emulator, person: Callable[[str], None], home: Path
) -> None:
    (home / "rclone.conf").write_text("[onedrive]\ntype = s3\n")
    before = sorted(home.rglob("*"))

    authorize(show_address=person)

    assert sorted(home.rglob("*")) == before
    assert (home / "rclone.conf").read_text() == "[onedrive]\ntype = s3\n"


def test_who_refuses_is_told_so(cloud: Emulator) -> None:
    visits: list[threading.Thread] = []

    def refuse(address: str) -> None:
        visits.append(threading.Thread(target=lambda: visit(cloud, ANNA, address, accept=False)))
        visits[-1].start()

    with pytest.raises(errors.SignInDeclined) as caught:
        authorize(show_address=refuse)
    visits[0].join()

    assert caught.value.details["aadsts"] == "AADSTS65004"
    assert "Correlation ID" in caught.value.details["error_description"]


def test_two_at_a_time_cannot_be(cloud: Emulator) -> None:
    cancel = threading.Event()
    second: list[BaseException] = []

    def start_another(_: str) -> None:
        try:
            authorize(show_address=lambda _: None)
        except errors.RcloneError as problem:
            second.append(problem)
        cancel.set()

    with pytest.raises(errors.Cancelled):
        authorize(show_address=start_another, cancel=cancel)

    assert "another rclone" in str(second[0])


def test_nobody_comes(cloud: Emulator) -> None:
    with pytest.raises(errors.SignInTimedOut):
        authorize(show_address=lambda _: None, timeout=0.01)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Error: unknown flag: --auth-no-open-browser", errors.RcloneUsage),
        (
            "Fatal error: config failed to refresh token: x509: unknown authority",
            errors.AuthorizationFailed,
        ),
        ("", errors.AuthorizationFailed),
        (
            "Description: No code returned by remote server: server_error: AADSTS90036: Oh.",
            errors.AuthorizationFailed,
        ),
    ],
)
def test_other_ends(text: str, kind: type[Exception]) -> None:
    assert type(refusal(text, 1)) is kind
