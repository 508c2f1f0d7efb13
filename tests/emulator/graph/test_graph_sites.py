"""Sites, libraries and pasted addresses, with every list in pages."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from pluton_rclone.emulator.graph.sharing import encode_address

from .graph_client import ADMIN, ANNA, BERT, Asking


def bert() -> Asking:
    return Asking(BERT, "Files.ReadWrite.All", "Sites.Read.All")


def test_450_sites_come_in_pages_of_200() -> None:
    ask = bert()
    for number in range(448):
        ask.files.add_site(ask.world.person(BERT).tenant, f"Project {number}")
    page = ask.get("/sites?search=*").json
    assert len(page["value"]) == 200
    names = {each["displayName"] for each in ask.everything("/sites?search=*")}
    assert len(names) == 450  # with the root site and "Backups"


@pytest.mark.parametrize(
    ("term", "found"),
    [
        ("backup", {"Backups"}),
        ("BACK*", {"Backups"}),
        ("R&D 100% #1", {"R&D 100% #1"}),
        ("nothing", set()),
        ("closed", set()),
    ],
)
def test_a_search_takes_any_term(term: str, found: set[str]) -> None:
    ask = bert()
    tenant = ask.world.person(BERT).tenant
    ask.files.add_site(tenant, "R&D 100% #1", path="/sites/rnd")
    ask.files.add_site(tenant, "Closed", members={ADMIN})
    values = ask.everything(f"/sites?search={quote(term, safe='')}")
    assert {each["displayName"] for each in values} == found


def test_personal_accounts_have_no_sites() -> None:
    ask = Asking(ANNA, "Files.ReadWrite.All", "Sites.Read.All")
    for address in ("/sites?search=*", "/sites/root", "/sites/root/drives", "/me/followedSites"):
        reply = ask.get(address)
        assert (reply.status, reply.code) == (400, "BadRequest")


def test_sites_need_their_own_permission() -> None:
    ask = Asking(BERT, "Files.ReadWrite.All")
    for address in ("/sites?search=*", "/sites/root", "/me/followedSites"):
        reply = ask.get(address)
        assert (reply.status, reply.code) == (403, "accessDenied")
    assert ask.get("/sites/root/drives").status == 200  # file permissions give access to libraries


def test_a_site_is_found_by_id_and_by_address() -> None:
    ask = bert()
    site = ask.files.site_at("contoso.sharepoint.com", "/sites/Backups")
    assert site is not None
    for name in (
        site.id,
        site.id.upper(),
        site.collection_id,
        "contoso.sharepoint.com:/sites/backups",
        "contoso.sharepoint.com:/sites/Backups:",
        "root:/sites/Backups",
    ):
        assert ask.get(f"/sites/{name}").json["id"] == site.id, name
    assert ask.get("/sites/root:/sites/Backups:/drives").json["value"][0]["name"] == "Documents"
    assert ask.get("/sites/contoso.sharepoint.com").json["root"] == {}
    assert ask.get("/sites/contoso.sharepoint.com:/sites/Nothing").status == 404


def test_subsites_and_followed_sites() -> None:
    ask = bert()
    site = ask.files.site_at("contoso.sharepoint.com", "/sites/Backups")
    assert site is not None
    inner = ask.files.add_site(site.tenant, "Inner", parent=site, followed_by=(BERT,))
    assert inner.path == "/sites/Backups/Inner"
    assert [each["id"] for each in ask.get(f"/sites/{site.id}/sites").json["value"]] == [inner.id]
    assert [each["id"] for each in ask.get("/me/followedSites").json["value"]] == [inner.id]
    assert ask.get(f"/sites/{inner.id}/drive").json["driveType"] == "documentLibrary"


def test_all_libraries_of_a_site_come_in_pages() -> None:
    ask = bert()
    site = ask.files.site_at("contoso.sharepoint.com", "/sites/Backups")
    assert site is not None
    for number in range(230):
        ask.files.add_library(site, f"Library {number}")
    assert len(ask.get(f"/sites/{site.id}/drives").json["value"]) == 200
    assert len({each["id"] for each in ask.everything(f"/sites/{site.id}/drives")}) == 231


def test_the_personal_site_of_a_onedrive_has_the_drive_as_its_library() -> None:
    ask = bert()
    address = "/sites/contoso-my.sharepoint.com:/personal/bert_contoso_onmicrosoft_com"
    site = ask.get(address).json
    assert site["isPersonalSite"] is True
    assert ask.get(f"{address}:/drive").json["id"] == ask.drive.id
    assert site["id"] not in {each["id"] for each in ask.everything("/sites?search=*")}
    assert (
        ask.get("/sites/contoso-my.sharepoint.com:/personal/admin_contoso_onmicrosoft_com").status
        == 403
    )


def test_phantoms_are_listed_and_their_root_is_not_readable() -> None:
    ask = Asking(ANNA)
    phantom = ask.files.add_phantom(ANNA)
    assert [each["id"] for each in ask.get("/me/drives").json["value"]] == [
        ask.files.drive_of(ANNA).id,
        phantom.id,
    ]
    reply = ask.get(f"/drives/{phantom.id}/root")
    assert (reply.status, reply.json["error"]["message"]) == (400, "ObjectHandle is Invalid")


# ---- addresses -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "path"),
    [
        ("https://contoso.sharepoint.com/sites/Backups/Shared%20Documents", ""),
        ("https://contoso.sharepoint.com/sites/Backups/Shared Documents/a/b.txt", "a/b.txt"),
        ("https://contoso.sharepoint.com/sites/BACKUPS/shared%20documents/A?web=1", "a"),
        (
            "https://contoso.sharepoint.com/:f:/r/sites/Backups/Shared%20Documents/a?csf=1&web=1&e=x",
            "a",
        ),
    ],
)
def test_addresses_in_a_library(address: str, path: str) -> None:
    ask = bert()
    site = ask.files.site_at("contoso.sharepoint.com", "/sites/Backups")
    assert site is not None
    site.libraries[0].write("a/b.txt", b"x")
    reply = ask.get(f"/shares/{encode_address(address)}/driveItem")
    found = site.libraries[0].find(path)
    assert found is not None
    assert (reply.status, reply.json["id"]) == (200, found.id)


def test_the_web_address_of_every_item_leads_back_to_it() -> None:
    ask = bert()
    ask.drive.write("Ordner ü/it's 100% #1.txt", b"x")
    anna = Asking(ANNA, world=ask.world)
    ask.files.drive_of(ANNA).write("a/b", b"x")
    for who in (ask, anna):
        for item in who.everything("/me/drive/root/delta"):
            share = encode_address(item["webUrl"])
            assert who.get(f"/shares/{share}/driveItem").json["id"] == item["id"]


def test_sharing_links_lead_to_their_item() -> None:
    ask = bert()
    ask.drive.write("a/b", b"x")
    link = ask.post("/me/drive/root:/a:/createLink", {"type": "view"}).json["link"]["webUrl"]
    assert link.startswith(
        "https://contoso-my.sharepoint.com/:f:/g/personal/bert_contoso_onmicrosoft_com/"
    )
    assert ask.get(f"/shares/{encode_address(link)}/driveItem").json["name"] == "a"
    assert (
        ask.get(f"/shares/{encode_address(link)}/driveItem/children").json["value"][0]["name"]
        == "b"
    )


@pytest.mark.parametrize(
    ("share", "status"),
    [
        (
            encode_address(
                "https://contoso.sharepoint.com/sites/Backups/Shared%20Documents/nothing"
            ),
            404,
        ),
        (encode_address("https://contoso.sharepoint.com/sites/Backups"), 404),
        (encode_address("https://elsewhere.example/"), 404),
        (
            encode_address(
                "https://contoso-my.sharepoint.com/personal/admin_contoso_onmicrosoft_com/Documents"
            ),
            403,
        ),
        ("u!***", 400),
        ("nonsense", 400),
    ],
)
def test_addresses_that_lead_nowhere(share: str, status: int) -> None:
    assert bert().get(f"/shares/{share}/driveItem").status == status


def test_the_site_of_an_address() -> None:
    ask = bert()
    for address in (
        "https://contoso.sharepoint.com/sites/Backups",
        "https://contoso.sharepoint.com/sites/Backups/Shared%20Documents/Forms/AllItems.aspx?id=x",
    ):
        assert ask.get(f"/shares/{encode_address(address)}/site").json["displayName"] == "Backups"
