"""The web address of a folder in a current personal OneDrive: at the terminal and on the page."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pluton_rclone import Storages
from pluton_rclone.emulator import Emulator
from pluton_rclone.emulator.drives.item import Link
from tests.connected import ANNA, BERT, connected, link_to_another_drive
from tests.web.client import at_the_page, until_over

from .conftest import Command


@pytest.fixture
def address(cloud: Emulator) -> str:
    drive = cloud.files.drive_of(ANNA)
    drive.write("Server/2026/a.txt", b"a")
    cloud.quirks.current_personal_ids(ANNA)
    with connected(cloud, name="other").graph() as graph:
        return str(graph.get(f"/drives/{drive.id}/root:/Server/2026")["webUrl"])


def test_at_the_terminal_it_is_the_folder_and_not_the_root(command: Command, address: str) -> None:
    assert "id=01" in address
    ran = command("connect", "Mine", "--type", "personal", "--site", address)
    assert ran.code == 0, ran.err
    assert Storages()["mine"].remote.base_folder == "Server/2026"
    assert "a.txt" in command("ls", "mine:").out


@pytest.mark.parametrize(
    ("person", "drive_type"), [(ANNA, "personal"), (BERT, "business")], ids=["personal", "business"]
)
def test_the_address_of_an_own_folder_asks_for_own_files_alone(
    command: Command,
    cloud: Emulator,
    browser: Callable[..., None],
    person: str,
    drive_type: str,
) -> None:
    """Formerly, SharePoint permissions were requested, which often only administrators grant."""
    browser(person)
    drive = cloud.files.drive_of(person)
    drive.folder("Server")
    address = f"{drive.web_url}/Server"
    if drive_type == "personal":
        address = f"https://onedrive.live.com/personal/{drive.id}/Documents/Server"
    ran = command("connect", "Mine", "--site", address)
    assert ran.code == 0, ran.err
    assert "read and write your own files" in ran.err
    remote = Storages()["mine"].remote
    assert (remote.drive_type, remote.base_folder) == (drive_type, "Server")
    assert not any(scope.endswith(".All") for scope in remote.granted_scopes)


def test_the_path_of_a_folder_of_somebody_else_asks_for_what_finds_it(
    command: Command, cloud: Emulator, browser: Callable[..., None]
) -> None:
    browser(BERT)
    link_to_another_drive(cloud)
    theirs = cloud.files.drive_of("admin@contoso.onmicrosoft.com")
    address = f"{theirs.web_url}/Team"
    cloud.files.links[address] = (
        theirs,
        theirs.folder("Team"),
        Link("1", "edit", "users", address),
    )
    ran = command("connect", "Team", "--site", address)
    assert ran.code == 0, ran.err
    assert Storages()["team"].remote.root_folder_id
    assert command("ls", "team:").code == 0


def test_on_the_page_it_is_the_folder_and_not_the_root(cloud: Emulator, address: str) -> None:
    with at_the_page() as page:
        draft = page.begin("Mine")
        page.sign_in(cloud, draft, ANNA)
        page.post(f"{draft}/type", {"kind": "personal"})
        page.post(f"{draft}/address", {"address": address})
        assert 'value="Server/2026"' in page.get(f"{draft}/options").text
        page.post(f"{draft}/options", {"base_folder": "Server/2026"})
        page.post(f"{draft}/test")
        until_over(page)
        page.post(f"{draft}/save")
        until_over(page)
    assert Storages()["mine"].remote.base_folder == "Server/2026"


def test_an_address_whose_folder_is_gone_is_never_the_root(
    command: Command, cloud: Emulator, address: str
) -> None:
    drive = cloud.files.drive_of(ANNA)
    drive.delete_for_good(drive.folder("Server/2026"))
    ran = command("connect", "Mine", "--type", "personal", "--site", address)
    assert ran.code != 0
    assert "folder of this address" in ran.err
