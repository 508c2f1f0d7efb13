"""Reading, listing, changing and deleting items through Graph, in every form of address that rclone
uses."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pluton_rclone.emulator import World
from pluton_rclone.emulator.drives.drive import Drive
from pluton_rclone.emulator.graph.call import Call

from .graph_client import ADMIN, ANNA, BERT, Asking

SHARED = World()


def addresses(drive: Drive, path: str) -> list[str]:
    """One item in all forms: by id, by path from the root or from a folder, and as rclone writes it
    for China."""
    item = drive.find(path)
    assert item is not None
    assert item.parent is not None
    root = f"/drives/{drive.id}"
    folder, name = quote(item.parent.path()), quote(item.name)
    return [
        f"{root}/items/{item.id}",
        f"{root}/items/{item.id}:/",
        f"{root}/root:/{quote(path)}",
        f"{root}/root:/{quote(path)}:",
        f"{root}/items/{item.parent.id}:/{name}:",
        f"{root}/items/root:/{quote(path)}",
        f"{root}/items/{item.parent.id}/children('{quote(item.name.replace(chr(39), chr(39) * 2))}"
        f"')",
        f"{root}/root/children('@a1')?@a1=" + quote("'" + path.replace("'", "''") + "'", safe=""),
        f"/me/drive/root:/{folder}/{name}",
        f"/users/{BERT}/drive/items/{item.id}",
    ]


@pytest.mark.parametrize(
    "name", ["a.txt", "it's, (100%) #1 & more+.txt", "ünï 😀", "children", "a b'c"]
)
def test_every_form_of_address_means_the_same_item(name: str) -> None:
    ask = Asking(BERT)
    item = ask.drive.write(f"folder one/{name}", b"x")
    for address in addresses(ask.drive, f"folder one/{name}"):
        reply = ask.get(address)
        assert (reply.status, reply.json.get("id")) == (200, item.id), address
        assert reply.json["name"] == name


def test_the_chinese_form_reaches_what_does_not_exist_yet() -> None:
    ask = Asking(BERT)
    folder = ask.drive.folder("f")
    reply = ask.put(f"/drives/{ask.drive.id}/items/{folder.id}/children('new.txt')/content", b"1")
    assert reply.status == 201
    address = (
        f"/drives/{ask.drive.id}/root/children('@a1')/createUploadSession?@a1=%27f%2Fsecond.txt%27"
    )
    session = ask.post(address, {"item": {}})
    assert ask.put(session.json["uploadUrl"], b"22", content_range="bytes 0-1/2").status == 201
    assert ask.drive.read("f/new.txt") + ask.drive.read("f/second.txt") == b"122"


def test_times_of_business_drives_are_whole_seconds_those_of_personal_ones_are_not() -> None:
    moment = {
        "lastModifiedDateTime": "2026-01-02T03:04:05.678Z",
        "createdDateTime": "2026-01-02T03:04:05Z",
    }
    for who, expected in ((BERT, "2026-01-02T03:04:05Z"), (ANNA, "2026-01-02T03:04:05.678Z")):
        ask = Asking(who)
        ask.files.drive_of(who).write("a", b"x")
        ask.patch("/me/drive/root:/a", {"fileSystemInfo": moment})
        info = ask.get("/me/drive/root:/a").json["fileSystemInfo"]
        assert info == {"lastModifiedDateTime": expected, "createdDateTime": "2026-01-02T03:04:05Z"}


@pytest.mark.parametrize("size", [0, 1, 199, 200, 201, 450])
def test_children_come_in_pages_of_200(size: int) -> None:
    ask = Asking(BERT)
    for number in range(size):
        ask.drive.write(f"many/{number}")
    ask.drive.folder("many")
    assert len(ask.get("/me/drive/root:/many:/children").json["value"]) == min(size, 200)
    names = [each["name"] for each in ask.everything("/me/drive/root:/many:/children")]
    assert sorted(names, key=int) == [str(number) for number in range(size)]


def test_top_and_select_and_orderby() -> None:
    ask = Asking(BERT)
    for name in ("b", "c", "a"):
        ask.drive.write(name, name.encode() * 3)
    page = ask.get("/me/drive/root/children?$top=2&$select=id,name&$orderby=name desc").json
    assert [each["name"] for each in page["value"]] == ["c", "b"]
    assert all(set(each) == {"id", "name"} for each in page["value"])
    rest = ask.get(page["@odata.nextLink"]).json
    assert [each["name"] for each in rest["value"]] == ["a"]
    assert "@odata.nextLink" not in rest
    assert ask.get("/me/drive/root/children?$top=nonsense").status == 400


def test_folders_are_made_once() -> None:
    ask = Asking(BERT)
    body = {"name": "new", "folder": {}, "@name.conflictBehavior": "fail"}  # as rclone writes it
    made = ask.post("/me/drive/root/children", body)
    assert (made.status, made.json["folder"]) == (201, {"childCount": 0})
    again = ask.post("/me/drive/root/children", body)
    assert (again.status, again.code) == (409, "nameAlreadyExists")
    body["@name.conflictBehavior"] = "rename"
    assert ask.post("/me/drive/root/children", body).json["name"] == "new 1"
    body["@name.conflictBehavior"] = "whatever"
    assert ask.post("/me/drive/root/children", body).status == 400


def test_an_item_is_renamed_moved_and_dated_in_one_request() -> None:
    ask = Asking(BERT)
    item = ask.drive.write("a.txt", b"x")
    folder = ask.drive.folder("deep/folder")
    reply = ask.patch(
        f"/drives/{ask.drive.id}/items/{item.id}",
        {
            "name": "b.txt",
            "parentReference": {"driveId": ask.drive.id, "id": folder.id},
            "fileSystemInfo": {"lastModifiedDateTime": "2020-02-29T12:00:00Z"},
        },
    )
    assert (reply.status, reply.json["id"]) == (200, item.id)
    assert reply.json["parentReference"]["path"] == f"/drives/{ask.drive.id}/root:/deep/folder"
    assert reply.json["fileSystemInfo"]["lastModifiedDateTime"] == "2020-02-29T12:00:00Z"
    assert ask.drive.find("deep/folder/b.txt") is item


def test_items_do_not_move_between_drives() -> None:
    ask = Asking(BERT, "Files.ReadWrite.All")
    item = ask.drive.write("a.txt", b"x")
    site = ask.files.site_at("contoso.sharepoint.com", "/sites/Backups")
    assert site is not None
    other = site.libraries[0]
    reference = {"driveId": other.id, "id": other.root.id}
    reply = ask.patch(f"/drives/{ask.drive.id}/items/{item.id}", {"parentReference": reference})
    assert (reply.status, reply.code) == (400, "invalidRequest")


@pytest.mark.parametrize("moment", ["2026-13-01T00:00:00Z", "1500-01-01T00:00:00Z", "yesterday", 5])
def test_dates_that_are_none_are_refused(moment: object) -> None:
    ask = Asking(BERT)
    ask.drive.write("a", b"x")
    reply = ask.patch("/me/drive/root:/a", {"fileSystemInfo": {"lastModifiedDateTime": moment}})
    assert reply.status == 400


def test_etags_guard_changes_and_deletions() -> None:
    ask = Asking(BERT)
    ask.drive.write("a", b"x")
    tag = ask.get("/me/drive/root:/a").json["eTag"]
    assert ask.patch("/me/drive/root:/a", {"name": "b"}, if_match=tag).status == 200
    assert ask.delete("/me/drive/root:/b", if_match=tag).status == 412
    assert ask.delete("/me/drive/root:/b", if_match="*").status == 204


@pytest.mark.parametrize("by_id", [True, False])
def test_an_item_that_is_deleted_while_its_change_is_on_the_way_is_not_found(
    monkeypatch: pytest.MonkeyPatch, by_id: bool
) -> None:
    ask = Asking(BERT)
    item, read = ask.drive.write("a.txt"), Call.json

    async def late(call: Call) -> Any:
        ask.drive.delete(item)
        return await read(call)

    monkeypatch.setattr(Call, "json", late)
    address = f"/me/drive/items/{item.id}" if by_id else "/me/drive/root:/a.txt"
    assert ask.patch(address, {"name": "b.txt"}).status == 404
    assert ask.drive.find("b.txt") is None


def test_delete_fills_the_recycle_bin_permanent_delete_does_not() -> None:
    ask = Asking(BERT)
    first, second = ask.drive.write("first", b"x"), ask.drive.write("second", b"x")
    assert ask.delete(f"/drives/{ask.drive.id}/items/{first.id}").status == 204
    assert ask.post(f"/drives/{ask.drive.id}/items/{second.id}/permanentDelete").status == 204
    assert ask.drive.bin.names() == ["first"]
    assert ask.get(f"/drives/{ask.drive.id}/items/{second.id}").status == 404
    assert ask.delete("/me/drive/root").status == 400


def test_old_versions_are_listed_read_and_deleted() -> None:
    ask = Asking(BERT)
    for data in (b"1", b"22", b"333"):
        ask.drive.write("a", data)
    address = "/me/drive/root:/a:/versions"
    listed = ask.get(address).json["value"]
    assert [(each["id"], each["size"]) for each in listed] == [("3.0", 3), ("2.0", 2), ("1.0", 1)]
    old = ask.get(ask.get(f"{address}/1.0/content").headers["location"])
    assert old.body == b"1"
    assert ask.delete(f"{address}/2.0").status == 204
    assert ask.delete(f"{address}/3.0").status == 400
    assert [each["id"] for each in ask.get(address).json["value"]] == ["3.0", "1.0"]


def test_a_notebook_is_neither_file_nor_folder() -> None:
    ask = Asking(BERT)
    ask.drive.add_notebook("My notebook")
    body = ask.get("/me/drive/root:/My notebook").json
    assert body["package"] == {"type": "oneNote"}
    assert "file" not in body
    assert "folder" not in body
    assert ask.get("/me/drive/root:/My notebook:/content").status == 400
    assert ask.put("/me/drive/root:/My notebook:/content", b"x").status == 409


def test_the_personal_vault_cannot_be_listed() -> None:
    ask = Asking(ANNA)
    vault = ask.files.drive_of(ANNA).folder("Personal Vault")
    vault.rarities.vault = True
    assert ask.get("/me/drive/root:/Personal Vault").status == 200
    reply = ask.get("/me/drive/root:/Personal Vault:/children")
    assert (reply.status, reply.inner_code) == (400, "invalidResourceId")


def test_copies_run_on_the_server_and_are_asked_about() -> None:
    ask = Asking(BERT)
    ask.drive.write("a/b", b"x")
    ask.faults.copy_looks = 1
    reply = ask.post("/me/drive/root:/a:/copy", {"name": "c"})
    monitor = reply.headers["location"]
    assert (reply.status, ask.get(monitor).json["status"]) == (202, "inProgress")
    assert ask.get(monitor).json["status"] == "completed"
    assert ask.drive.read("c/b") == b"x"
    ask.faults.clear()
    failed = ask.get(ask.post("/me/drive/root:/a:/copy", {"name": "c"}).headers["location"])
    assert (failed.json["status"], failed.json["error"]["code"]) == ("failed", "nameAlreadyExists")


def test_a_copy_replaces_or_renames_when_asked_to() -> None:
    ask = Asking(BERT)
    ask.drive.write("a", b"1")
    ask.drive.write("b", b"2")
    for behaviour in ("replace", "rename"):
        address = f"/me/drive/root:/a:/copy?@microsoft.graph.conflictBehavior={behaviour}"
        assert (
            ask.get(ask.post(address, {"name": "b"}).headers["location"]).json["status"]
            == "completed"
        )
    assert ask.drive.read("b") + ask.drive.read("b 1") == b"11"


def test_links_are_made_once_and_lead_to_the_file() -> None:
    ask = Asking(ANNA)
    ask.files.drive_of(ANNA).write("a.txt", b"shared")
    body = {"type": "view", "scope": "anonymous"}
    first = ask.post("/me/drive/root:/a.txt:/createLink", body)
    again = ask.post("/me/drive/root:/a.txt:/createLink", body)
    assert (first.status, again.status) == (201, 200)
    assert first.json["link"] == again.json["link"]
    share = first.json["shareId"]
    assert ask.get(f"https://api.onedrive.com/v1.0/shares/{share}/root/content").body == b"shared"
    assert (
        ask.post(
            "/me/drive/root:/a.txt:/createLink", {"type": "view", "scope": "organization"}
        ).status
        == 400
    )


@pytest.mark.parametrize(
    ("method", "address", "status"),
    [
        ("GET", "/me/drive/items/nothing", 404),
        ("GET", "/drives/b!nothing/root", 404),
        ("GET", "/me/drive/root:/a/b/c", 404),
        ("GET", "/me/drive/nonsense", 400),
        ("GET", "/me/drive/root/nonsense", 400),
        ("GET", "/nonsense", 400),
        ("POST", "/me/drive/root/nonsense", 400),
        ("PUT", "/me/drive/root", 405),
        ("DELETE", "/me/drive", 405),
        ("DELETE", "/sites/root", 405),
        ("POST", "/me/drives", 405),
    ],
)
def test_what_is_not_there_is_refused_in_words(method: str, address: str, status: int) -> None:
    reply = Asking(BERT, "Files.ReadWrite.All", "Sites.Read.All").ask(method, address, b"", {})
    assert reply.status == status
    assert set(reply.json["error"]) == {"code", "message", "innerError"}


def test_bodies_that_are_no_json_objects_are_refused() -> None:
    ask = Asking(BERT)
    for body in (b"{", b"[]", b"\xff", b'"x"'):
        reply = ask.ask("POST", "/me/drive/root/children", body, {})
        assert (reply.status, reply.code) == (400, "invalidRequest")


def test_answers_carry_a_date_and_an_id_for_support() -> None:
    ask = Asking(BERT)
    ask.world.advance(-86400 * 365)
    reply = ask.get("/me/drive/root:/nothing", client_request_id="mine")
    assert reply.headers["request-id"] == reply.json["error"]["innerError"]["request-id"]
    assert reply.json["error"]["innerError"]["client-request-id"] == "mine"
    assert reply.headers["date"].endswith(" GMT")


def test_somebody_elses_changes_carry_their_name() -> None:
    ask = Asking(BERT)
    shared = ask.drive.folder("shared")
    ask.drive.share(shared, ADMIN)
    other = Asking(ADMIN, "Files.ReadWrite.All", world=ask.world)
    reply = other.put(f"/drives/{ask.drive.id}/root:/shared/a.txt:/content", b"x")
    assert reply.json["createdBy"]["user"]["displayName"] == "Contoso Administrator"


SEGMENTS = st.sampled_from(
    [
        "drives",
        "me",
        "drive",
        "root",
        "root:",
        "items",
        "sites",
        "shares",
        "users",
        "children",
        "content",
        "delta",
        "versions",
        "createUploadSession",
        "children('@a1')",
        "children('x')",
        ":",
        "a:",
        "u!aHR0cHM6Ly94",
        "%ff",
        "%00",
        "..",
        "",
        "permissions",
        "copy",
        "createLink",
        "delta(token='x')",
        "b!x",
        "1.0",
        "$count",
    ]
)


@settings(max_examples=300, deadline=None)
@given(
    method=st.sampled_from(["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"]),
    segments=st.lists(SEGMENTS, max_size=7),
    query=st.sampled_from(
        [
            "",
            "?$top=0",
            "?$skiptoken=x",
            "?token=x",
            "?@a1=%27",
            "?$select=,",
            "?search=%2a",
            "?$orderby=x",
        ]
    ),
    body=st.sampled_from(
        [b"", b"{}", b'{"name": 1}', b'{"folder": {}, "name": "x"}', b'{"item": 1}', b"[", b"x"]
    ),
)
def test_no_request_at_all_breaks_the_service(
    method: str, segments: list[str], query: str, body: bytes
) -> None:
    ask = Asking(BERT, "Files.ReadWrite.All", "Sites.Read.All", world=SHARED)
    for host in ("", "https://contoso.sharepoint.com", "https://api.onedrive.com"):
        reply = ask.ask(method, f"{host}/{'/'.join(segments)}{query}", body, {})
        assert 200 <= reply.status < 500


def test_a_client_that_leaves_in_the_middle_leaves_no_half_fragment() -> None:
    ask = Asking(BERT)
    url = ask.post("/me/drive/root:/a:/createUploadSession", {}).json["uploadUrl"]
    ask.leave("PUT", url, b"half", content_range="bytes 0-9/10")
    assert ask.get(url).json["nextExpectedRanges"] == ["0-"]
    assert ask.put(url, bytes(10), content_range="bytes 0-9/10").status == 201
    ask.leave("PUT", "/me/drive/root:/b:/content", b"half")
    assert ask.drive.find("b") is None
