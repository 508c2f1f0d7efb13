"""The screens in the pages are what the terminal prints: each is provoked against the emulated
Microsoft.

After a change of the output: REFRESH_SCREENS=1 pytest tests/docs/test_docs_screens.py, then check
the difference.
"""

from __future__ import annotations

import os
import re
import shlex
import threading
from collections.abc import Callable, Iterator

import pytest

from pluton_rclone import Storages
from pluton_rclone.cli.output import Output
from pluton_rclone.emulator import Emulator
from pluton_rclone.emulator.directory import Consent, Tenant
from pluton_rclone.microsoft.entra.device_code import DeviceCode
from tests.connected import ANNA, BERT, connected

from .conftest import Screen
from .pages import DOCS, page

NAME = "OneDrive Personal Backups"


def same_as_page(name: str, file: str, text: str) -> None:
    """The page's block after `<!-- screen: NAME -->` is this text."""
    place = re.compile(rf"(<!-- screen: {name} -->\n```console\n)(.*?)(```)", re.DOTALL)
    found = place.search(page(file))
    assert found is not None, f"docs/{file} has no screen {name}"
    if os.environ.get("REFRESH_SCREENS"):
        renewed = place.sub(lambda match: match[1] + text + match[3], page(file))
        (DOCS / file).write_text(renewed, encoding="utf-8")
    else:
        assert found[2] == text


def ran(screen: Screen, line: str) -> str:
    return screen(line, *shlex.split(line)[1:])


@pytest.fixture
def contoso(cloud: Emulator) -> Tenant:
    return cloud.world.person(BERT).tenant


@pytest.fixture
def typing(cloud: Emulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """`typing(BERT)`: Bert types the device code as soon as it is shown."""
    from pluton_rclone.cli import ask

    threads: list[threading.Thread] = []

    def typed_by(username: str) -> None:
        show = ask.show_code

        def shown(output: Output, code: DeviceCode) -> None:
            show(output, code)
            person = cloud.person(username)
            threads.append(
                threading.Thread(target=person.enter_device_code, args=(code.user_code,))
            )
            threads[-1].start()

        monkeypatch.setattr(ask, "show_code", shown)

    yield typed_by
    for thread in threads:  # the program may have its answer before the person's last page
        thread.join()


def test_authorization_failed_the_person_said_no(
    screen: Screen, browser: Callable[..., None]
) -> None:
    browser(ANNA, accept=False)
    text = ran(screen, f'pluton-rclone connect "{NAME}"')

    assert "AADSTS65004" in text
    same_as_page("declined", "troubleshooting.md", text)


def test_authorization_failed_the_organisation_blocks_device_codes(
    screen: Screen, contoso: Tenant, typing: Callable[[str], None]
) -> None:
    contoso.policies.device_code_allowed = False
    typing(BERT)
    text = ran(screen, "pluton-rclone connect Work --method device --type business")

    assert "AADSTS53003" in text
    same_as_page("blocked", "troubleshooting.md", text)


def test_drive_not_found(screen: Screen, cloud: Emulator, browser: Callable[..., None]) -> None:
    cloud.world.person(BERT).licensed = False
    browser(BERT)
    text = ran(screen, "pluton-rclone connect Work --type business")

    assert "OneDrive licence" in text
    same_as_page("no-drive", "troubleshooting.md", text)


def test_sites_read_all_only_an_administrator_can_grant(
    screen: Screen, contoso: Tenant, browser: Callable[..., None]
) -> None:
    contoso.policies.user_consent = Consent.MANAGED
    browser(BERT)
    text = ran(
        screen, "pluton-rclone connect Team --site https://contoso.sharepoint.com/sites/Backups"
    )

    assert "adminconsent" in text
    same_as_page("admin-consent", "troubleshooting.md", text)


def test_token_expired_and_back_after_signing_in_again(
    screen: Screen, cloud: Emulator, browser: Callable[..., None]
) -> None:
    connected(cloud, name=NAME, seconds=-60)
    kept, cloud.world.lifetimes.refresh_token = cloud.world.lifetimes.refresh_token, 0
    text = ran(screen, f'pluton-rclone ls "{NAME}:"')
    assert "reauthorize" in text
    same_as_page("expired", "troubleshooting.md", text)

    cloud.world.lifetimes.refresh_token = kept
    browser(ANNA)
    text = ran(screen, f'pluton-rclone reauthorize "{NAME}"')
    assert "is connected again" in text
    same_as_page("reauthorized", "troubleshooting.md", text)
    assert Storages()[NAME].list() == []


def test_a_server_without_a_browser(screen: Screen, typing: Callable[[str], None]) -> None:
    typing(ANNA)
    text = ran(screen, "pluton-rclone connect server --method device --type personal")

    assert "Saved as the remote 'server'" in text
    same_as_page("device", "headless.md", text)


def test_tokens_are_kept_alive(screen: Screen, cloud: Emulator) -> None:
    connected(cloud, name="server")
    text = ran(screen, "pluton-rclone keep-alive")

    assert "ok       server" in text
    same_as_page("keep-alive", "headless.md", text)
