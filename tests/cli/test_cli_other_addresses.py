"""Pasted addresses of folders in China, links into Teams and links of another organisation, at the
terminal and on the page."""

from __future__ import annotations

import html
from collections.abc import Callable

import pytest

from pluton_rclone import DeviceCode, Storages
from pluton_rclone.cli import ask
from pluton_rclone.emulator import PUBLIC_CLIENT_ID, Emulator
from pluton_rclone.emulator.inhabitants import client_id
from tests.connected import BERT, link_to_another_drive
from tests.web.client import Person, at_the_page, until_over

from .conftest import Command

CHEN = "chen@tailspin.partner.onmschina.cn"
IN_CHINA = client_id(PUBLIC_CLIENT_ID, "cn")
# As browsers show it; for its other forms see tests/microsoft/test_microsoft_locations.py.
IN_A_VIEW = (
    "/Shared%20Documents/Forms/AllItems.aspx?id=%2Fsites%2FProjects%2FShared%20Documents%2FA%2FB"
)
CHANNEL = "https://teams.microsoft.com/l/channel/19%3Aabc%40thread.tacv2/Plans?groupId=1&tenantId=2"
FILE = (
    "https://teams.microsoft.com/l/file/1?objectUrl="
    "https%3A%2F%2Fcontoso.sharepoint.com%2Fsites%2FBackups%2FShared%20Documents%2FServer"
)
FABRIKAM = {
    "a site": "https://fabrikam.sharepoint.com/sites/X",
    "a sharing link": "https://fabrikam.sharepoint.com/:f:/s/X/Eabc?e=1",
}


@pytest.fixture
def in_china(cloud: Emulator) -> str:
    """The site's address in the Chinese cloud."""
    tenant = cloud.world.tenant("tailspin.partner.onmschina.cn")
    site = cloud.files.add_site(tenant, "Projects")
    site.libraries[0].write("A/B/plan.txt", b"plan")
    return site.web_url


def test_a_folder_in_china_at_the_terminal(
    command: Command, in_china: str, browser: Callable[..., None]
) -> None:
    browser(CHEN)
    ran = command(
        *("connect", "Team", "--type", "sharepoint", "--region", "cn", "--client-id", IN_CHINA),
        *("--site", in_china + IN_A_VIEW),
    )
    assert ran.code == 0, ran.err
    assert Storages()["team"].remote.base_folder == "A/B"
    assert "plan.txt" in command("ls", "team:").out


def test_a_folder_in_china_without_its_region_is_refused_before_the_sign_in(
    command: Command, cloud: Emulator, in_china: str
) -> None:
    ran = command("connect", "Team", "--type", "sharepoint", "--site", in_china + IN_A_VIEW)
    assert ran.code != 0
    assert "cn" in ran.err
    assert cloud.requests == []


def test_a_folder_in_china_on_the_page(cloud: Emulator, in_china: str) -> None:
    with at_the_page() as page:
        draft = page.begin("Team")
        page.sign_in(cloud, draft, CHEN, region="cn", client_id=IN_CHINA, tenant="")
        page.post(f"{draft}/type", {"kind": "sharepoint"})
        page.sign_in(cloud, draft, CHEN)
        page.post(f"{draft}/address", {"address": in_china + IN_A_VIEW})
        assert 'value="A/B"' in page.get(f"{draft}/options").text
        page.post(f"{draft}/options", {"base_folder": "A/B"})
        page.post(f"{draft}/test")
        until_over(page)
        page.post(f"{draft}/save")
    assert Storages()["team"].remote.base_folder == "A/B"
    assert Storages()["team"].remote.region == "cn"


def sharepoint(cloud: Emulator, page: Person) -> str:
    """Bert at the step that takes an address; libraries need one more permission."""
    draft = page.begin("Library")
    page.sign_in(cloud, draft, BERT)
    if page.post(f"{draft}/type", {"kind": "sharepoint"}).url.path.endswith("/authorize"):
        page.sign_in(cloud, draft, BERT)
    return draft


def test_a_link_to_a_channel_of_teams_says_what_to_copy_instead(
    command: Command, cloud: Emulator
) -> None:
    ran = command("connect", "Team", "--type", "sharepoint", "--site", CHANNEL)
    assert ran.code != 0
    assert cloud.requests == []
    with at_the_page() as page:
        draft = sharepoint(cloud, page)
        shown = html.unescape(page.post(f"{draft}/address", {"address": CHANNEL}).text)
    for text in (ran.err, shown):
        assert "This is a link into Microsoft Teams." in text
        assert "Open in SharePoint" in text


def test_a_link_of_teams_to_a_file_leads_to_its_place(
    command: Command, cloud: Emulator, browser: Callable[..., None]
) -> None:
    browser(BERT)
    tenant = cloud.world.person(BERT).tenant
    (site,) = [site for site in cloud.files.sites_of(tenant) if site.title == "Backups"]
    site.libraries[0].folder("Server")
    ran = command("connect", "Team", "--type", "sharepoint", "--site", FILE)
    assert ran.code == 0, ran.err
    assert Storages()["team"].remote.base_folder == "Server"
    with at_the_page() as page:
        draft = sharepoint(cloud, page)
        page.post(f"{draft}/address", {"address": FILE})
        assert 'value="Server"' in page.get(f"{draft}/options").text


@pytest.mark.parametrize("form", FABRIKAM)
def test_a_link_of_another_organisation_says_whose_it_is(
    command: Command, cloud: Emulator, browser: Callable[..., None], form: str
) -> None:
    browser(BERT)
    ran = command("connect", "Team", "--type", "sharepoint", "--site", FABRIKAM[form])
    assert ran.code == 3
    with at_the_page() as page:
        draft = sharepoint(cloud, page)
        shown = html.unescape(page.post(f"{draft}/address", {"address": FABRIKAM[form]}).text)
    for text in (ran.err, shown):
        assert "fabrikam.sharepoint.com belongs to another organisation" in text
        assert "set its tenant" in text


@pytest.mark.parametrize("method", ["browser", "device"])
def test_a_folder_of_somebody_else_is_connected_at_the_terminal_after_one_more_permission(
    command: Command,
    cloud: Emulator,
    browser: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    method: str,
) -> None:
    def type_it(_: object, code: DeviceCode) -> None:
        cloud.person(BERT).enter_device_code(code.user_code)

    browser(BERT if method == "browser" else "admin@contoso.onmicrosoft.com")
    monkeypatch.setattr(ask, "show_code", type_it)
    cloud.world.lifetimes.device_poll_interval = 1
    link = link_to_another_drive(cloud)
    words = ("--type", "business", "--site", link, "--method", method)
    ran = command("connect", "Team", *words)
    assert ran.code == 0, ran.err
    assert "This folder needs a further permission: Microsoft asks for it now." in ran.err
    assert "Files.ReadWrite.All" in Storages()["team"].remote.granted_scopes


def test_a_folder_of_somebody_else_is_connected_on_the_page_after_one_more_permission(
    cloud: Emulator,
) -> None:
    link = link_to_another_drive(cloud)
    with at_the_page() as page:
        draft = page.begin("Team")
        page.sign_in(cloud, draft, BERT)
        page.post(f"{draft}/type", {"kind": "business"})
        page.post(f"{draft}/address", {"address": link})
        asked = page.get(f"{draft}/location")
        assert asked.url.path.endswith("/authorize")
        assert "This folder needs one more permission" in asked.text
        assert "all files that you can open" in asked.text
        page.sign_in(cloud, draft, BERT)
        answer = page.post(f"{draft}/address", {"address": link})
        assert answer.url.path.endswith("/options")
