"""The door for ordinary browsers: plain HTTP on loopback, and the control page behind it."""

from __future__ import annotations

import re
from collections.abc import Iterator

import msal
import pytest
import requests

from pluton_rclone.emulator import PUBLIC_CLIENT_ID, Emulator
from pluton_rclone.emulator.control import FAILURES

ANNA, BERT = "anna@outlook.com", "bert@contoso.onmicrosoft.com"


@pytest.fixture
def cloud() -> Iterator[Emulator]:
    with Emulator(door=True) as emulator:
        yield emulator
    assert emulator.crashes == []


def press(cloud: Emulator, action: str, **fields: str) -> requests.Response:
    return requests.post(f"{cloud.world.door}/{action}", data=fields, allow_redirects=False)


def test_programs_are_told_addresses_that_a_browser_without_proxy_can_open(
    cloud: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in cloud.environment.items():
        monkeypatch.setenv(name, value)
    app = msal.PublicClientApplication(
        PUBLIC_CLIENT_ID, authority="https://login.microsoftonline.com/common"
    )
    url = app.initiate_auth_code_flow(
        ["Files.Read"], "http://localhost", response_mode="form_post"
    )["auth_uri"]
    code = app.initiate_device_flow(["Files.Read"])
    session = requests.Session()
    session.trust_env = False
    assert "Anna Berg" in session.get(url).text
    assert 'name="otc"' in session.get(code["verification_uri"]).text


def test_every_failure_is_switched_on_and_off_again(cloud: Emulator) -> None:
    for name in FAILURES:
        for shown in ("true", "false"):
            assert press(cloud, "switch", failure=name).status_code == 303
            page = requests.get(cloud.world.door).text
            assert f'id="switch-{name}" aria-pressed="{shown}"' in page
    assert cloud.world.sign_in_faults == []
    assert all(not tenant.policies.withheld for tenant in cloud.world.tenants.values())
    assert cloud.files.drive_of(ANNA).remaining > 1 << 30
    assert cloud.world.person(BERT).licensed


def test_an_address_of_microsoft_is_opened_and_no_other(cloud: Emulator) -> None:
    there = press(cloud, "address", address="https://login.microsoftonline.com/x?a=1&b=2")
    assert there.headers["location"] == "/login.microsoftonline.com/x?a=1&b=2"
    assert press(cloud, "address", address="https://example.org/x").headers["location"] == "/"


def test_another_site_presses_nothing_and_no_other_name_is_answered(cloud: Emulator) -> None:
    door = cloud.world.door
    requests.post(
        f"{door}/switch", data={"failure": "down"}, headers={"Origin": "http://evil.test"}
    )
    assert not re.search('aria-pressed="true"', requests.get(door).text)
    assert requests.get(door, headers={"Host": "evil.test"}).status_code == 421
