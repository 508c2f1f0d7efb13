"""Which permissions give access to what: own drives, other people's drives, libraries, shared
folders; apps without a person."""

from __future__ import annotations

import pytest

from pluton_rclone.emulator.drives.drive import Drive

from .graph_client import ADMIN, ANNA, BERT, Asking

OWN_READ = ("Files.Read", "Files.ReadWrite")
ALL_READ = ("Files.Read.All", "Files.ReadWrite.All")
SITES = ("Sites.Read.All", "Sites.ReadWrite.All")


def library(ask: Asking) -> Drive:
    site = ask.files.site_at("contoso.sharepoint.com", "/sites/Backups")
    assert site is not None
    return site.libraries[0]


def can(ask: Asking, drive: Drive) -> tuple[bool, bool]:
    """Whether a drive can be read and written."""
    read = ask.get(f"/drives/{drive.id}/root/children").status
    write = ask.post(f"/drives/{drive.id}/root/children", {"name": "new", "folder": {}}).status
    assert {read, write} <= {200, 201, 403}
    return read == 200, write == 201


@pytest.mark.parametrize("who", [ANNA, BERT])
@pytest.mark.parametrize(
    ("scope", "allowed"),
    [
        ("User.Read", (False, False)),
        ("Files.Read", (True, False)),
        ("Files.ReadWrite", (True, True)),
        ("Files.Read.All", (True, False)),
        ("Files.ReadWrite.All", (True, True)),
    ],
)
def test_the_own_drive(who: str, scope: str, allowed: tuple[bool, bool]) -> None:
    ask = Asking(who, scope)
    assert can(ask, ask.files.drive_of(who)) == allowed


@pytest.mark.parametrize(
    ("scope", "allowed"),
    [
        ("Files.Read", (False, False)),
        ("Files.ReadWrite", (False, False)),
        ("Files.Read.All", (True, False)),
        ("Files.ReadWrite.All", (True, True)),
        ("Sites.Read.All", (True, False)),
        ("Sites.ReadWrite.All", (True, True)),
    ],
)
def test_a_library(scope: str, allowed: tuple[bool, bool]) -> None:
    ask = Asking(BERT, scope)
    assert can(ask, library(ask)) == allowed


def test_scopes_for_sites_open_nothing_on_a_personal_account() -> None:
    ask = Asking(ANNA, "Sites.ReadWrite.All")
    assert can(ask, ask.files.drive_of(ANNA)) == (False, False)


def test_others_drives_stay_closed_whatever_was_granted() -> None:
    ask = Asking(BERT, "Files.ReadWrite.All", "Sites.ReadWrite.All")
    assert can(ask, ask.files.drive_of(ADMIN)) == (False, False)
    assert can(ask, ask.files.drive_of(ANNA)) == (False, False)


def test_a_library_of_a_site_that_does_not_admit_the_person_stays_closed() -> None:
    ask = Asking(BERT, "Files.ReadWrite.All")
    site = ask.files.add_site(ask.app.tenant, "Board", members={ADMIN})
    assert can(ask, site.libraries[0]) == (False, False)


def test_a_shortcut_shows_the_folder_and_opens_with_all_permissions_only() -> None:
    ask = Asking(BERT, "Files.ReadWrite")
    other = ask.files.drive_of(ADMIN)
    other.write("Team/report.txt", b"x")
    team = other.folder("Team")
    other.share(team, BERT)
    ask.drive.add_shortcut(other, team, "TeamFolder")
    shown = ask.get("/me/drive/root/children").json["value"][0]
    assert shown["name"] == "TeamFolder"
    assert shown["remoteItem"]["id"] == team.id
    address = (
        f"/drives/{shown['remoteItem']['parentReference']['driveId']}/items/{team.id}/children"
    )
    refused = ask.get(address)
    assert (refused.status, refused.code) == (403, "accessDenied")
    assert (
        ask.get("/me/drive/root:/TeamFolder/report.txt").status == 404
    )  # shortcuts do not resolve in paths
    more = Asking(BERT, "Files.ReadWrite.All", world=ask.world)
    assert [each["name"] for each in more.get(address).json["value"]] == ["report.txt"]
    assert more.get(f"/drives/{other.id}/root/children").status == 403  # its siblings stay closed


def test_a_folder_shared_to_read_cannot_be_written() -> None:
    ask = Asking(BERT, "Files.ReadWrite.All")
    other = ask.files.drive_of(ADMIN)
    folder = other.folder("Read only")
    other.share(folder, BERT, write=False)
    address = f"/drives/{other.id}/items/{folder.id}"
    assert ask.get(f"{address}/children").status == 200
    assert ask.put(f"{address}:/a.txt:/content", b"x").status == 403


def test_an_app_without_a_person_reaches_all_drives_of_its_organisation() -> None:
    ask = Asking(None, "Files.ReadWrite.All")
    assert can(ask, ask.drive) == (True, True)
    assert can(ask, library(ask)) == (True, True)
    assert can(ask, ask.files.drive_of(ANNA)) == (False, False)
    assert ask.get(f"/users/{BERT}/drive").json["id"] == ask.drive.id
    assert ask.get("/me/drive").status == 400


def test_sites_selected_reaches_the_sites_that_an_administrator_named() -> None:
    ask = Asking(None, "Sites.Selected")
    site = ask.files.site_at("contoso.sharepoint.com", "/sites/Backups")
    assert site is not None
    assert can(ask, site.libraries[0]) == (False, False)
    site.selected_apps[ask.app.client_id] = "read"
    assert can(ask, site.libraries[0]) == (True, False)
    site.selected_apps[ask.app.client_id] = "write"
    assert can(ask, site.libraries[0]) == (True, True)
    assert ask.get(f"/sites/{site.id}/drives").status == 200
    assert ask.get("/sites?search=*").status == 403


def test_upload_addresses_need_no_token_and_refuse_one() -> None:
    ask = Asking(BERT)
    url = ask.post("/me/drive/root:/a:/createUploadSession", {}).json["uploadUrl"]
    sent = {"content_range": "bytes 0-0/1"}
    assert ask.put(url, b"x", authorization=f"Bearer {ask.token}", **sent).status == 401
    assert ask.get(url, authorization=f"Bearer {ask.token}").status == 200  # as rclone does
    assert ask.put(url, b"x", **sent).status == 201


def test_download_addresses_live_an_hour_and_hold_for_nobody_else() -> None:
    ask = Asking(BERT)
    ask.drive.write("a", b"x")
    url = ask.get("/me/drive/root:/a:/content").headers["location"]
    assert ask.get(url).body == b"x"
    assert ask.get(url[:-1] + ("0" if url[-1] != "0" else "1")).status == 401
    ask.world.advance(3700)
    assert ask.get(url).status == 401


def test_no_token_and_one_of_another_cloud_are_refused() -> None:
    ask = Asking(BERT)
    assert ask.get("/me/drive", authorization="").status == 401
    german = Asking("dora@nordwind.onmicrosoft.de", world=ask.world)
    assert german.get("/me/drive").status == 401  # at graph.microsoft.com
    home = german.get(
        "https://graph.microsoft.de/v1.0/me/drive", authorization=f"Bearer {german.token}"
    )
    assert home.json["webUrl"].startswith("https://nordwind-my.sharepoint.de/personal/")


def test_me_needs_user_read() -> None:
    assert Asking(BERT, "Files.ReadWrite").get("/me").code == "Authorization_RequestDenied"
    me = Asking(BERT, "User.Read").get("/me").json
    assert (me["userPrincipalName"], me["displayName"]) == (BERT, "Bert Jansen")
    anna = Asking(ANNA, "User.Read")
    assert anna.get("/me").json["id"] == anna.world.person(ANNA).cid


def test_ids_of_personal_drives_are_found_in_any_case_and_without_leading_zeros() -> None:
    ask = Asking(ANNA)
    ask.world.person(ANNA).id = "00000000-0000-0000-00ab-cdef01234567"
    drive_id = ask.get("/me/drive").json["id"]
    assert drive_id == "00abcdef01234567"
    for other in (drive_id.upper(), "abcdef01234567", "0ABCDEF01234567"):
        assert ask.get(f"/drives/{other}/root").status == 200
