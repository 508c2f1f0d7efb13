"""Every quirk of the catalogue, as met by a plain client and by the real rclone."""

from __future__ import annotations

import base64
import json
import uuid
from http import HTTPStatus
from pathlib import Path

import msal
import pytest
import requests
from cryptography.hazmat.primitives.serialization import Encoding

from pluton_rclone.emulator import DAEMON_CLIENT_ID, PUBLIC_CLIENT_ID, Emulator
from pluton_rclone.emulator.drives.drive import Site
from pluton_rclone.emulator.drives.identifiers import CurrentIds
from pluton_rclone.emulator.quirks import FRESH_SIGNING_KEY, NO_DRIVE, QUOTAS, Quirks
from pluton_rclone.emulator.switches import CATALOGUE

from .graph.graph_client import ADMIN, ANNA, BERT, Asking
from .graph.rclone_client import Rclone, remote
from .test_entra_clients import certificate

LOGIN = "https://login.microsoftonline.com"
ONCE = ("--low-level-retries", "1")
PAST = "2020-01-01T00:00:00Z"
STATUSES = [401, 403, 404, 429, 503, 504]
BODIES = ["html", "text", "empty"]


def quirks_of(ask: Asking) -> Quirks:
    return ask.world.part(Quirks)


def backups(ask: Asking) -> Site:
    site = ask.files.site_at("contoso.sharepoint.com", "/sites/Backups")
    assert site is not None
    return site


def token_answer(
    cloud: Emulator, form: dict[str, str], tenant: str = "common"
) -> requests.Response:
    return requests.post(f"{LOGIN}/{tenant}/oauth2/v2.0/token", data=form)


def refreshed(cloud: Emulator, refresh_token: str, tenant: str = "common") -> requests.Response:
    form = {
        "grant_type": "refresh_token",
        "client_id": PUBLIC_CLIENT_ID,
        "refresh_token": refresh_token,
    }
    return token_answer(cloud, form, tenant)


# ---- the catalogue -------------------------------------------------------------------------------


def test_every_quirk_says_what_it_is_and_where_people_met_it() -> None:
    for name, quirk in CATALOGUE.items():
        assert callable(getattr(Quirks, name))
        assert quirk.name == name
        assert quirk.meaning.strip()
        assert quirk.source.strip()
    public = {name for name in vars(Quirks) if not name.startswith("_")}
    assert public - {"on"} == set(CATALOGUE)


def test_a_quirk_is_on_by_its_name_and_off_again() -> None:
    ask = Asking(BERT)
    quirk = quirks_of(ask).on("no_license", BERT)
    assert ask.get("/me/drive").status == 400
    quirk.off()
    quirk.off()
    assert ask.get("/me/drive").status == 200
    assert quirk.met == 1
    with pytest.raises(KeyError):
        quirks_of(ask).on("no such quirk")


def test_a_quirk_of_one_person_leaves_the_others_alone() -> None:
    bert = Asking(BERT)
    admin = Asking(ADMIN, world=bert.world)
    with quirks_of(bert).no_license(BERT):
        assert (bert.get("/me/drive").status, admin.get("/me/drive").status) == (400, 200)
    assert bert.get("/me/drive").status == 200


# ---- answers without a body of Graph's -----------------------------------------------------------


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("body", BODIES)
def test_graph_answers_without_json(status: int, body: str) -> None:
    ask = Asking(BERT)
    quirks_of(ask).bare_answer(status, body)
    reply = ask.get("/me/drive")
    assert reply.status == status
    with pytest.raises(json.JSONDecodeError):
        reply.json  # noqa: B018 - reading it is what fails
    assert (reply.body == b"") == (body == "empty")
    assert (
        reply.headers.get("content-type", "").partition(";")[0]
        == {
            "html": "text/html",
            "text": "text/plain",
            "empty": "",
        }[body]
    )
    assert ask.get("/me/drive").status == 200


@pytest.mark.parametrize("username", [ANNA, BERT])
def test_an_upload_address_answers_with_a_page(username: str) -> None:
    ask = Asking(username)
    url = ask.post("/me/drive/root:/a:/createUploadSession", {}).json["uploadUrl"]
    quirk = quirks_of(ask).bare_answer(503, at="upload")
    assert ask.put(url, b"x", content_range="bytes 0-0/1").body.startswith(b"<!DOCTYPE html>")
    assert quirk.met == 1
    assert ask.put(url, b"x", content_range="bytes 0-0/1").status == 201


@pytest.mark.parametrize("username", [ANNA, BERT])
def test_a_download_address_answers_with_nothing(username: str) -> None:
    ask = Asking(username)
    ask.files.drive_of(username).write("a", b"x")
    url = ask.get("/me/drive/root:/a").json["@microsoft.graph.downloadUrl"]
    quirks_of(ask).bare_answer(403, "empty", at="download")
    reply = ask.get(url)
    assert (reply.status, reply.body) == (403, b"")
    assert ask.get(url).body == b"x"


@pytest.mark.parametrize("status", [403, 503])
@pytest.mark.parametrize("body", BODIES)
def test_the_sign_in_service_answers_without_json(cloud: Emulator, status: int, body: str) -> None:
    token = cloud.sign_in(BERT)["refresh_token"]
    quirk = cloud.quirks.bare_answer(status, body, at="sign-in")
    answer = refreshed(cloud, token)
    assert answer.status_code == status
    assert (answer.text == "") == (body == "empty")
    assert quirk.met == 1
    assert refreshed(cloud, token).status_code == 200


@pytest.mark.parametrize("status", [401, 403, 404, 503, 504])
def test_rclone_prints_the_status_alone_when_there_is_no_json(cloud: Emulator, status: int) -> None:
    rclone = remote(cloud, "business")
    cloud.quirks.bare_answer(status, times=None)
    said = rclone.run("lsf", "od:", *ONCE, expect=1)
    assert f"failed to get root: {status} {HTTPStatus(status).phrase}: \n" in said


def test_rclone_prints_the_page_of_the_sign_in_service(cloud: Emulator) -> None:
    rclone = remote(cloud, "business", expiry=PAST)
    cloud.quirks.bare_answer(503, at="sign-in", times=None)
    said = rclone.run("lsf", "od:", *ONCE, expect=1)
    assert "couldn't fetch token" in said
    assert "503 Service Unavailable" in said


def test_rclone_fails_at_an_upload_address_that_answers_with_a_page(
    cloud: Emulator, tmp_path: Path
) -> None:
    rclone = remote(cloud, "business")
    (tmp_path / "a").write_bytes(bytes(5 << 20))
    cloud.quirks.bare_answer(403, at="upload", times=None)
    assert "403 Forbidden" in rclone.run("copy", str(tmp_path / "a"), "od:", *ONCE, expect=1)


@pytest.mark.parametrize("at", ["sign-in", "graph"])
def test_a_connection_is_reset_instead_of_an_answer(cloud: Emulator, at: str) -> None:
    signed_in = cloud.sign_in(BERT)
    quirk = cloud.quirks.connection_reset(at=at)

    def ask() -> requests.Response:
        if at == "sign-in":
            return refreshed(cloud, signed_in["refresh_token"])
        bearer = {"Authorization": f"Bearer {signed_in['access_token']}"}
        return requests.get("https://graph.microsoft.com/v1.0/me/drive", headers=bearer)

    with pytest.raises(requests.ConnectionError):
        ask()
    assert cloud.requests[-1].status == 0
    quirk.off()
    assert ask().status_code == 200


def test_rclone_cannot_renew_its_token_when_the_sign_in_service_resets(cloud: Emulator) -> None:
    rclone = remote(cloud, "business", expiry=PAST)
    with cloud.quirks.connection_reset() as quirk:
        said = rclone.run("lsf", "od:", *ONCE, expect=1)
    assert "connection reset by peer" in said or "EOF" in said
    assert quirk.met
    assert rclone.run("lsf", "od:") == ""


# ---- codes that mean something else --------------------------------------------------------------


@pytest.mark.parametrize("form", NO_DRIVE)
def test_an_account_without_a_onedrive_is_said_in_many_ways(form: str) -> None:
    ask = Asking(BERT)
    status, code, message = NO_DRIVE[form]
    quirks_of(ask).no_license(BERT, form)
    for address in ("/me/drive", "/me/drives", f"/drives/{ask.drive.id}/root"):
        reply = ask.get(address)
        assert (reply.status, reply.code, reply.json["error"]["message"]) == (status, code, message)
    assert ask.get("/sites/root").status != status or status == 404


@pytest.mark.parametrize("form", NO_DRIVE)
def test_rclone_prints_code_and_message_of_an_account_without_a_onedrive(
    cloud: Emulator, form: str
) -> None:
    rclone = remote(cloud, "business")
    cloud.quirks.no_license(BERT, form)
    _, code, message = NO_DRIVE[form]
    assert f"{code}: {message}" in rclone.run("lsf", "od:", *ONCE, expect=1)


def test_a_file_that_is_open_elsewhere_can_be_looked_at_but_not_written() -> None:
    ask = Asking(BERT)
    ask.drive.write("folder/open.docx", b"x")
    quirks_of(ask).open_elsewhere(ask.drive, "folder/open.docx")
    assert ask.get("/me/drive/root:/folder/open.docx").status == 200
    for reply in (
        ask.put("/me/drive/root:/folder/open.docx:/content", b"y"),
        ask.delete("/me/drive/root:/folder/open.docx"),
        ask.get("/me/drive/root:/folder/open.docx:/content"),
    ):
        assert (reply.status, reply.code) == (423, "accessDenied")
    assert ask.put("/me/drive/root:/folder/other.docx:/content", b"y").status == 201


def test_rclone_can_neither_replace_nor_fetch_a_file_that_is_open_elsewhere(
    cloud: Emulator, tmp_path: Path
) -> None:
    rclone = remote(cloud, "business")
    rclone.drive.write("folder/open.docx", b"x")
    cloud.quirks.open_elsewhere(rclone.drive, "folder/open.docx")
    (tmp_path / "open.docx").write_bytes(b"newer")
    for way in (
        ("copy", str(tmp_path / "open.docx"), "od:folder"),
        ("copy", "od:folder", str(tmp_path / "down")),
    ):
        assert "accessDenied" in rclone.run(*way, *ONCE, expect=1)


def test_a_site_that_an_administrator_blocked_is_closed_with_its_libraries() -> None:
    ask = Asking(BERT, "Files.ReadWrite.All", "Sites.Read.All")
    site = backups(ask)
    quirks_of(ask).site_blocked(site)
    for address in (
        f"/sites/{site.id}",
        "/sites/contoso.sharepoint.com:/sites/Backups",
        f"/drives/{site.libraries[0].id}/root",
    ):
        reply = ask.get(address)
        assert (reply.status, reply.code, reply.inner_code) == (423, "notAllowed", "resourceLocked")
    assert ask.get("/sites/root").status == 200
    assert ask.get("/me/drive").status == 200


def test_rclone_names_a_blocked_site(cloud: Emulator) -> None:
    rclone = remote(cloud, "documentLibrary")
    site = rclone.drive.site
    assert site is not None
    cloud.quirks.site_blocked(site)
    said = rclone.run("lsf", "od:", *ONCE, expect=1)
    assert "notAllowed: resourceLocked: Access to this site has been blocked" in said


def test_a_store_that_is_read_only_refuses_the_drive() -> None:
    ask = Asking(ANNA)
    quirks_of(ask).service_read_only(ANNA)
    for address in ("/me/drive", "/me/drives"):
        reply = ask.get(address)
        assert (reply.status, reply.code, reply.inner_code) == (
            403,
            "accessDenied",
            "serviceReadOnly",
        )


def test_rclone_prints_the_inner_code_of_a_read_only_store(cloud: Emulator) -> None:
    rclone = remote(cloud, "personal")
    cloud.quirks.service_read_only(ANNA)
    said = rclone.run("lsf", "od:", *ONCE, expect=1)
    assert "accessDenied: serviceReadOnly: Database Is Read Only" in said


def test_a_handle_is_invalid_for_a_drive_or_for_one_item() -> None:
    ask = Asking(BERT)
    ask.drive.write("folder/a", b"x")
    item = ask.get("/me/drive/root:/folder/a").json["id"]
    with quirks_of(ask).handle_invalid(ask.drive):
        assert ask.get("/me/drive/root").code == "invalidRequest"
    with quirks_of(ask).handle_invalid(ask.drive, "folder/a"):
        for address in ("/me/drive/root:/folder/a", f"/me/drive/items/{item}"):
            reply = ask.get(address)
            assert (reply.status, reply.inner_code) == (400, "invalidResourceId")
        assert ask.get("/me/drive/root:/folder").status == 200
    assert ask.get(f"/me/drive/items/{item}").status == 200


def test_rclone_cannot_copy_an_item_whose_handle_is_invalid_on_the_server(cloud: Emulator) -> None:
    rclone = remote(cloud, "business")
    rclone.drive.write("folder/a", b"x")
    cloud.quirks.handle_invalid(rclone.drive, "folder/a")
    said = rclone.run("copyto", "od:folder/a", "od:b", *ONCE, expect=1)
    assert "invalidResourceId: ObjectHandle is Invalid" in said
    cloud.quirks.handle_invalid(rclone.drive)
    assert "ObjectHandle is Invalid" in rclone.run("lsf", "od:", *ONCE, expect=1)


def test_a_personal_drive_may_not_support_permanent_deletion() -> None:
    ask = Asking(ANNA)
    drive = ask.files.drive_of(ANNA)
    item = drive.write("a", b"x")
    quirks_of(ask).permanent_delete_unsupported(drive)
    assert ask.post(f"/drives/{drive.id}/items/{item.id}/permanentDelete").code == "notSupported"
    assert ask.delete(f"/drives/{drive.id}/items/{item.id}").status == 204


def test_rclone_with_hard_delete_cannot_delete_there(cloud: Emulator) -> None:
    rclone = remote(cloud, "personal")
    rclone.drive.write("a", b"x")
    cloud.quirks.permanent_delete_unsupported(rclone.drive)
    said = rclone.run("deletefile", "od:a", "--onedrive-hard-delete", *ONCE, expect=1)
    assert "notSupported" in said
    rclone.run("deletefile", "od:a")


@pytest.mark.parametrize("form", QUOTAS)
def test_the_quota_is_told_as_people_got_it(form: str) -> None:
    ask = Asking(ANNA)
    drive = ask.files.drive_of(ANNA)
    with quirks_of(ask).quota(drive, form):
        assert ask.get("/me/drive").json["quota"] == QUOTAS[form]
        stored = ask.put("/me/drive/root:/a:/content", b"x").status
        assert stored == (507 if form == "exceeded" else 201)
    assert ask.get("/me/drive").json["quota"]["state"] == "normal"


def test_rclone_cannot_upload_to_a_drive_whose_quota_is_exceeded(
    cloud: Emulator, tmp_path: Path
) -> None:
    rclone = remote(cloud, "personal")
    cloud.quirks.quota(rclone.drive)
    (tmp_path / "a").write_bytes(b"x")
    assert "quotaLimitReached" in rclone.run("copy", str(tmp_path / "a"), "od:", *ONCE, expect=7)


# ---- drives that are not drives ------------------------------------------------------------------


@pytest.mark.parametrize("first", [False, True])
def test_bundles_are_listed_with_the_id_of_the_own_drive(first: bool) -> None:
    ask = Asking(ANNA)
    quirks_of(ask).bundles(ANNA, first=first)
    listed = ask.get("/me/drives").json["value"]
    assert {each["id"] for each in listed} == {ask.get("/me/drive").json["id"]}
    assert [each["name"].startswith("Bundles_") for each in listed] == [first, not first]


def test_albums_and_archives_are_listed_and_cannot_be_read() -> None:
    ask = Asking(ANNA)
    quirk = quirks_of(ask).unreadable_drive(ANNA)
    quirks_of(ask).unreadable_drive(ANNA, "ODCMetadataArchive")
    _, *phantoms = ask.get("/me/drives").json["value"]
    assert [each["name"][:3] for each in phantoms] == ["AEE", "ODC"]
    for each in phantoms:
        for address in (f"/drives/{each['id']}", f"/drives/{each['id']}/root"):
            assert ask.get(address).json["error"]["message"] == "ObjectHandle is Invalid"
    quirk.off()
    assert len(ask.get("/me/drives").json["value"]) == 2


def test_a_work_account_lists_the_cache_library_and_the_logos_of_the_organisation() -> None:
    ask = Asking(BERT, "Files.ReadWrite.All")
    quirks_of(ask).cache_library(BERT)
    quirks_of(ask).organization_logos(BERT)
    listed = [(each["name"], each["driveType"]) for each in ask.get("/me/drives").json["value"]]
    assert listed == [
        ("Organization Logos", "documentLibrary"),
        ("OneDrive", "business"),
        ("PersonalCacheLibrary", "business"),
    ]
    for each in ask.get("/me/drives").json["value"]:
        assert ask.get(f"/drives/{each['id']}/root").status == 200


def test_the_list_of_drives_may_say_another_name_than_the_drive() -> None:
    ask = Asking(ANNA)
    own = ask.get("/me/drive").json
    with quirks_of(ask).drives_say(ANNA, "Documents"):
        (listed,) = ask.get("/me/drives").json["value"]
        assert (listed["id"], listed["name"]) == (own["id"], "Documents")
        assert listed["webUrl"] != own["webUrl"]
        assert ask.get("/me/drive").json["name"] == own["name"]
    assert ask.get("/me/drives").json["value"][0]["name"] == own["name"]


def test_rclones_own_setup_offers_the_phantoms_with_the_drive(cloud: Emulator) -> None:
    rclone = remote(cloud, "personal")
    cloud.quirks.bundles(ANNA, first=True)
    cloud.quirks.unreadable_drive(ANNA)
    answered = (
        "--non-interactive",
        "--continue",
        "--state",
        "choose_type_done",
        "--result",
        "onedrive",
    )
    asked = json.loads(rclone.run("config", "update", "od", *answered))
    offered = [each["Help"] for each in asked["Option"]["Examples"]]
    assert [each.partition(" ")[0][:4] for each in offered] == ["Bund", "OneD", "AEEE"]


def test_the_list_of_drives_may_be_refused_while_the_drive_answers() -> None:
    ask = Asking(ANNA)
    quirks_of(ask).drives_refused(ANNA)
    assert (ask.get("/me/drives").status, ask.get("/me/drive").status) == (403, 200)


def test_the_profile_may_time_out_while_the_drive_answers() -> None:
    ask = Asking(ANNA, "User.Read", "Files.ReadWrite")
    quirks_of(ask).profile_unavailable(ANNA)
    assert (ask.get("/me").status, ask.get("/me").code) == (504, "GatewayTimeout")
    assert ask.get("/me/drive").status == 200


# ---- shortcuts -----------------------------------------------------------------------------------


def names(ask: Asking, address: str, **headers: str) -> set[str]:
    return {each["name"] for each in ask.get(address, **headers).json["value"]}


def test_shortcuts_are_listed_only_when_a_header_asks_for_them() -> None:
    ask = Asking(BERT)
    team = ask.files.drive_of(ADMIN)
    ask.drive.write("a", b"x")
    ask.drive.add_shortcut(team, team.folder("Team"), "Team")
    prefer = {"prefer": "Include-Feature=AddToOneDrive"}
    lists = ("/me/drive/root/children", "/me/drive/root/delta")
    for address in lists:
        assert names(ask, address) - {"root"} == {"a", "Team"}
    with quirks_of(ask).shortcuts_on_request(ask.drive):
        for address in lists:
            assert names(ask, address) - {"root"} == {"a"}
            assert names(ask, address, **prefer) - {"root"} == {"a", "Team"}
        assert "remoteItem" in ask.get("/me/drive/root:/Team").json


def test_rclone_lists_shortcuts_when_it_is_given_the_header(cloud: Emulator) -> None:
    rclone = remote(cloud, "business")
    team = cloud.files.drive_of(ADMIN)
    rclone.drive.add_shortcut(team, team.folder("Team"), "Team")
    cloud.quirks.shortcuts_on_request(rclone.drive)
    assert rclone.run("lsf", "od:") == ""
    assert (
        rclone.run("lsf", "od:", "--header", "Prefer: Include-Feature=AddToOneDrive") == "Team/\n"
    )


def test_rclone_lists_a_renamed_shortcut_by_the_name_of_its_folder(cloud: Emulator) -> None:
    rclone = remote(cloud, "business")
    team = cloud.files.drive_of(ADMIN)
    team.write("Team/report.txt", b"x")
    team.share(team.folder("Team"), BERT)
    quirk = cloud.quirks.renamed_shortcut(rclone.drive, "Our team", team, "Team")
    assert rclone.run("lsf", "od:") == "Team/\n"
    assert rclone.run("lsf", "od:Our team") == "report.txt\n"
    quirk.off()
    assert rclone.run("lsf", "od:") == ""


# ---- who may what --------------------------------------------------------------------------------


def test_a_site_is_forbidden_to_one_person_whatever_was_granted() -> None:
    ask = Asking(BERT, "Files.ReadWrite.All", "Sites.Read.All")
    admin = Asking(ADMIN, "Files.ReadWrite.All", "Sites.Read.All", world=ask.world)
    site = backups(ask)
    with quirks_of(ask).site_forbidden(site, BERT):
        for address in (
            "/sites/contoso.sharepoint.com:/sites/Backups",
            f"/drives/{site.libraries[0].id}",
        ):
            assert (ask.get(address).status, ask.get(address).code) == (403, "accessDenied")
            assert admin.get(address).status == 200
    assert ask.get(f"/sites/{site.id}").status == 200


def test_rclone_is_denied_at_the_library_of_such_a_site(cloud: Emulator) -> None:
    rclone = remote(cloud, "documentLibrary")
    site = rclone.drive.site
    assert site is not None
    cloud.quirks.site_forbidden(site, BERT)
    assert "accessDenied" in rclone.run("lsf", "od:", *ONCE, expect=1)


def test_a_closed_drive_with_a_shared_folder_is_reached_at_the_folder() -> None:
    ask = Asking(BERT, "Files.ReadWrite.All")
    theirs = ask.files.drive_of(ADMIN)
    theirs.write("Team/a", b"x")
    quirk = quirks_of(ask).only_a_folder(theirs, "Team", BERT)
    folder = theirs.folder("Team")
    assert ask.get(f"/drives/{theirs.id}").status == 403
    assert ask.get(f"/drives/{theirs.id}/root").status == 403
    assert names(ask, f"/drives/{theirs.id}/items/{folder.id}/children") == {"a"}
    quirk.off()
    assert ask.get(f"/drives/{theirs.id}/items/{folder.id}").status == 403


def test_rclone_reaches_a_shared_folder_by_its_id_and_not_the_root(cloud: Emulator) -> None:
    theirs = cloud.files.drive_of(ADMIN)
    theirs.write("Team/a", b"x")
    cloud.quirks.only_a_folder(theirs, "Team", BERT)
    closed = Rclone(cloud, BERT, theirs)
    assert "accessDenied" in closed.run("lsf", "od:", *ONCE, expect=1)
    open_ = Rclone(cloud, BERT, theirs, root_folder_id=theirs.folder("Team").id)
    assert open_.run("lsf", "od:") == "a\n"


# ---- tokens and sign-in --------------------------------------------------------------------------


@pytest.mark.parametrize("message", [None, FRESH_SIGNING_KEY])
def test_an_access_token_is_refused_before_its_end_while_the_refresh_token_is_good(
    cloud: Emulator, message: str | None
) -> None:
    first = cloud.sign_in(BERT)
    cloud.quirks.access_token_refused(BERT, *([] if message is None else [message]))
    address = "https://graph.microsoft.com/v1.0/me/drive"
    refused = requests.get(address, headers={"Authorization": f"Bearer {first['access_token']}"})
    assert refused.status_code == 401
    said = refused.json()["error"]
    assert said["code"] == "InvalidAuthenticationToken"
    assert (message or "TokenIssuedBeforeRevocationTimestamp") in said["message"]
    fresh = refreshed(cloud, first["refresh_token"]).json()["access_token"]
    assert requests.get(address, headers={"Authorization": f"Bearer {fresh}"}).status_code == 200


def test_rclone_does_not_renew_a_token_that_is_refused_before_its_end(cloud: Emulator) -> None:
    rclone = remote(cloud, "business")
    quirk = cloud.quirks.access_token_refused(BERT)
    said = rclone.run("lsf", "od:", *ONCE, expect=1)
    assert "TokenIssuedBeforeRevocationTimestamp" in said
    assert not any("/token" in request.path for request in cloud.requests)
    quirk.off()
    assert rclone.run("lsf", "od:") == ""


def test_a_token_that_is_refused_for_a_moment_is_taken_again(cloud: Emulator) -> None:
    ask = Asking(BERT)
    quirks_of(ask).access_token_refused_once(BERT)
    assert [ask.get("/me/drive").status for _ in range(2)] == [401, 200]
    rclone = remote(cloud, "business")
    quirk = cloud.quirks.access_token_refused_once(BERT)
    assert rclone.run("lsf", "od:") == ""  # rclone tries again
    assert quirk.met == 1


@pytest.mark.parametrize("username", [ANNA, BERT])
def test_a_refresh_token_is_good_for_one_use(cloud: Emulator, username: str) -> None:
    cloud.quirks.refresh_tokens_once()
    first = cloud.sign_in(username)["refresh_token"]
    second = refreshed(cloud, first).json()["refresh_token"]
    assert refreshed(cloud, first).json()["error"] == "invalid_grant"
    assert refreshed(cloud, second).status_code == 200


def test_rclone_keeps_the_newer_of_two_refresh_tokens(cloud: Emulator) -> None:
    cloud.quirks.refresh_tokens_once()
    cloud.world.lifetimes.access_token = 0
    rclone = remote(cloud, "business", expiry=PAST)
    cloud.world.lifetimes.access_token = 3599
    assert rclone.run("lsf", "od:") == ""
    assert rclone.run("lsf", "od:") == ""


@pytest.mark.parametrize("tenant", ["common", "organizations"])
def test_a_registration_for_personal_accounts_has_to_be_asked_at_consumers(
    cloud: Emulator, tenant: str
) -> None:
    token = cloud.sign_in(ANNA)["refresh_token"]
    cloud.quirks.personal_accounts_only(PUBLIC_CLIENT_ID)
    assert refreshed(cloud, token, tenant).json()["error_codes"] == [9002331]
    form = {"client_id": PUBLIC_CLIENT_ID, "scope": "Files.ReadWrite"}
    answer = requests.post(f"{LOGIN}/{tenant}/oauth2/v2.0/devicecode", data=form).json()
    assert answer["error_description"].startswith("AADSTS9002331: Application")
    assert (
        "device_code"
        in requests.post(f"{LOGIN}/consumers/oauth2/v2.0/devicecode", data=form).json()
    )
    assert refreshed(cloud, token, "consumers").status_code == 200


REDIRECT = "https://client.example/back"


def authorize(cloud: Emulator, tenant: str) -> str:
    cloud.world.registrations[PUBLIC_CLIENT_ID].native_redirects = (REDIRECT,)
    return (
        f"{LOGIN}/{tenant}/oauth2/v2.0/authorize?client_id={PUBLIC_CLIENT_ID}&response_type=code"
        f"&redirect_uri={REDIRECT}&scope=Files.ReadWrite+offline_access&state=s"
    )


def test_a_browser_comes_back_with_the_user_audience_of_such_a_registration(
    cloud: Emulator,
) -> None:
    cloud.quirks.personal_accounts_only(PUBLIC_CLIENT_ID)
    sent_back = requests.get(authorize(cloud, "common"), allow_redirects=False).headers["Location"]
    assert "error=invalid_request" in sent_back
    assert "userAudience" in sent_back
    page = requests.get(authorize(cloud, "consumers"), allow_redirects=False)
    assert page.status_code == 200


def test_rclone_cannot_renew_its_token_with_such_a_registration(cloud: Emulator) -> None:
    rclone = remote(cloud, "personal", expiry=PAST)
    cloud.quirks.personal_accounts_only(PUBLIC_CLIENT_ID)
    assert "couldn't fetch token" in rclone.run("lsf", "od:", *ONCE, expect=1)


def test_a_personal_account_is_refused_by_number_at_a_registration_for_organisations(
    cloud: Emulator,
) -> None:
    with cloud.quirks.personal_account_refused(ANNA):
        visit = cloud.person(ANNA).visit(authorize(cloud, "common"))
    words = f"AADSTS500200: User account '{ANNA}' is a personal Microsoft account."
    assert visit.answer["error_description"].startswith(words)


def test_a_code_is_refused_with_70000_before_anything_is_stored(cloud: Emulator) -> None:
    code = cloud.person(ANNA).visit(authorize(cloud, "common")).answer["code"]
    form = {
        "grant_type": "authorization_code",
        "client_id": PUBLIC_CLIENT_ID,
        "code": code,
        "redirect_uri": REDIRECT,
    }
    with cloud.quirks.code_refused(ANNA):
        answer = token_answer(cloud, form).json()
        assert (answer["error"], answer["error_codes"]) == ("invalid_grant", [70000])
        assert "'code' parameter" in answer["error_description"]
        assert refreshed(cloud, cloud.sign_in(ANNA)["refresh_token"]).status_code == 200
    assert "access_token" in token_answer(cloud, form).json()


def test_a_certificate_is_taken_off_the_registration(cloud: Emulator) -> None:
    key, cert = certificate()
    app = cloud.world.registrations[DAEMON_CLIENT_ID]
    app.certificates.append(cert.public_bytes(Encoding.DER))
    credential = {
        "private_key": key,
        "public_certificate": cert.public_bytes(Encoding.PEM).decode(),
    }
    authority = f"{LOGIN}/{app.tenant.id}"

    def acquire() -> dict[str, object]:
        client = msal.ConfidentialClientApplication(
            DAEMON_CLIENT_ID, authority=authority, client_credential=credential
        )
        answer: dict[str, object] = client.acquire_token_for_client(
            ["https://graph.microsoft.com/.default"]
        )
        return answer

    with cloud.quirks.certificate_removed(DAEMON_CLIENT_ID):
        assert acquire()["error_codes"] == [700027]
    assert "access_token" in acquire()


# ---- ids of the current backend of personal drives -----------------------------------------------


@pytest.mark.parametrize(
    ("guid", "shown"),
    [
        ("ea8cc6beffdb43d7976fbc7da445c639", "F6Y2GOVW7725BZO354PWSELRRZ"),
        ("c790a7c3aabc4257a7d00b0d7711dc7d", "GDU6IMPPFKK5BKPUALBV3RDXD5"),
    ],
)
def test_the_id_in_an_address_is_the_guid_in_base32(guid: str, shown: str) -> None:
    ids = CurrentIds("0a1b2c3d4e5f6a42")
    unique = int(guid, 16)
    assert ids.of(unique) == f"A1B2C3D4E5F6A42!s{guid}"
    assert ids.in_address(unique)[8:] == shown


def guid_in(address: str) -> str:
    """The GUID of an address's id, read the other way round: 130 bits of which two are empty."""
    text = address.rpartition("id=01")[2][6:]
    number = int.from_bytes(base64.b32decode(text + "A" * 6), "big") >> 30
    return uuid.UUID(bytes_le=(number & (1 << 128) - 1).to_bytes(16, "big")).hex


def test_ids_and_addresses_of_a_personal_drive_on_the_current_backend() -> None:
    ask = Asking(ANNA)
    drive = ask.files.drive_of(ANNA)
    drive.write("old/a", b"x")
    quirks_of(ask).current_personal_ids(ANNA)
    drive.write("new/b", b"y")
    assert ask.get("/me/drive").json["webUrl"].endswith(f"/personal/{drive.id}/Documents")
    root = ask.get("/me/drive/root").json
    assert root["webUrl"].endswith("F6Y2GOVW7725BZO354PWSELRRZ")
    for path in ("old", "old/a", "new", "new/b"):
        item = ask.get(f"/me/drive/root:/{path}").json
        cid, _, guid = item["id"].partition("!s")
        assert cid == drive.id.lstrip("0").upper()
        assert guid_in(item["webUrl"]) == guid
        assert item["webUrl"].startswith(f"https://onedrive.live.com?cid={drive.id}&id=01")
        for wanted in (item["id"], item["id"].lower(), f"0{item['id']}"):
            assert ask.get(f"/drives/{drive.id}/items/{wanted}").json["name"] == item["name"]
        assert (
            ask.get(f"/drives/{drive.id}/items/{item['webUrl'].rpartition('=')[2]}").status == 404
        )


def test_rclone_works_on_a_personal_drive_of_the_current_backend(
    cloud: Emulator, tmp_path: Path
) -> None:
    rclone = remote(cloud, "personal")
    rclone.drive.write("old/a", b"x")
    cloud.quirks.current_personal_ids(ANNA)
    (tmp_path / "b").write_bytes(b"y")
    rclone.run("copy", str(tmp_path / "b"), "od:new")
    rclone.run("moveto", "od:old", "od:new/old")
    assert sorted(rclone.run("lsf", "-R", "od:").split()) == [
        "new/",
        "new/b",
        "new/old/",
        "new/old/a",
    ]
    rclone.run("check", str(tmp_path / "b"), "od:new")
    rclone.run("purge", "od:new")


# ---- upload sessions that are left open ----------------------------------------------------------


def test_an_upload_session_is_seen_until_it_is_finished_cancelled_lost_or_too_old() -> None:
    ask = Asking(BERT)
    other = ask.files.drive_of(ADMIN)

    def begin(name: str) -> str:
        return str(ask.post(f"/me/drive/root:/{name}:/createUploadSession", {}).json["uploadUrl"])

    finished, cancelled, left = begin("folder/a"), begin("b"), begin("c")
    part = 320 * 1024
    ask.put(left, bytes(part), content_range=f"bytes 0-{part - 1}/{2 * part}")
    seen = [(each.path, each.received, each.total) for each in ask.files.open_uploads()]
    assert seen == [("folder/a", 0, None), ("b", 0, None), ("c", part, 2 * part)]
    assert ask.files.open_uploads(other) == []
    ask.put(finished, b"x", content_range="bytes 0-0/1")
    ask.delete(cancelled)
    (only,) = ask.files.open_uploads(ask.drive)
    assert (only.drive, only.path) == (ask.drive, "c")
    ask.faults.lose_session(after_fragments=1)
    lost = begin("d")
    ask.put(lost, bytes(part), content_range=f"bytes 0-{part - 1}/{2 * part}")
    assert (
        ask.put(lost, bytes(part), content_range=f"bytes {part}-{2 * part - 1}/{2 * part}").status
        == 404
    )
    assert [each.path for each in ask.files.open_uploads()] == ["c"]
    ask.world.advance(25 * 3600)
    assert ask.files.open_uploads() == []


def test_rclone_leaves_no_upload_session_after_a_copy(cloud: Emulator, tmp_path: Path) -> None:
    rclone = remote(cloud, "business")
    (tmp_path / "large").write_bytes(bytes(11 << 20))
    rclone.run("copy", str(tmp_path / "large"), "od:")
    assert cloud.open_upload_sessions() == []


def test_rclone_takes_back_the_session_of_an_upload_that_is_refused(
    cloud: Emulator, tmp_path: Path
) -> None:
    rclone = remote(cloud, "business")
    (tmp_path / "large").write_bytes(bytes(11 << 20))
    cloud.quirks.bare_answer(403, at="upload", method="PUT", skip=1)
    rclone.run("copy", str(tmp_path / "large"), "od:", *ONCE, expect=1)
    assert cloud.open_upload_sessions(rclone.drive) == []
