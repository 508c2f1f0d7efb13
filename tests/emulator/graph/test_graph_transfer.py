"""Content up and down through Graph: redirects, ranges, small files, sessions, limits."""

from __future__ import annotations

import pytest

from pluton_rclone.emulator.drives.content import Zeros
from pluton_rclone.emulator.drives.quickxor import QuickXor
from pluton_rclone.emulator.drives.quota import Quota

from .graph_client import ANNA, BERT, Asking

DATA = bytes(range(256)) * 8


def address_of(ask: Asking, path: str) -> str:
    return ask.get(f"/me/drive/root:/{path}:/content").headers["location"]


@pytest.mark.parametrize(
    ("wanted", "status", "content_range", "expected"),
    [
        ("", 200, None, DATA),
        ("bytes=0-1023", 206, "bytes 0-1023/2048", DATA[:1024]),
        ("bytes=1024-", 206, "bytes 1024-2047/2048", DATA[1024:]),
        ("bytes=-10", 206, "bytes 2038-2047/2048", DATA[-10:]),
        ("bytes=2047-9999", 206, "bytes 2047-2047/2048", DATA[-1:]),
        ("bytes=2048-", 416, "bytes */2048", None),
        ("bytes=5-2", 200, None, DATA),
        ("bytes=0-1,5-6", 200, None, DATA),
        ("lines=1-2", 200, None, DATA),
    ],
)
def test_ranges(
    wanted: str, status: int, content_range: str | None, expected: bytes | None
) -> None:
    ask = Asking(BERT)
    ask.drive.write("a.bin", DATA)
    headers = {"range": wanted} if wanted else {}
    reply = ask.get(address_of(ask, "a.bin"), **headers)
    assert (reply.status, reply.headers.get("content-range")) == (status, content_range)
    if expected is not None:
        assert reply.body == expected
        assert reply.headers["content-length"] == str(len(expected))


def test_the_hosts_that_content_lies_on() -> None:
    ask = Asking(BERT)
    ask.drive.write("a")
    assert address_of(ask, "a").startswith(
        "https://contoso-my.sharepoint.com/personal/bert_contoso"
    )
    anna = Asking(ANNA)
    anna.files.drive_of(ANNA).write("a")
    assert address_of(anna, "a").startswith("https://b0mpua-by3301.files.1drv.com/")
    session = anna.post("/me/drive/root:/b:/createUploadSession", {})
    assert session.json["uploadUrl"].startswith("https://sn3302.up.1drv.com/up/")


def test_a_file_of_250_gb_can_be_read_in_part() -> None:
    ask = Asking(BERT)
    ask.drive.write("large", Zeros(250_000_000_000))
    reply = ask.get(address_of(ask, "large"), range="bytes=249999999990-")
    assert (reply.body, reply.headers["content-range"]) == (
        bytes(10),
        "bytes 249999999990-249999999999/250000000000",
    )


def test_a_session_carries_times_and_makes_missing_folders() -> None:
    ask = Asking(BERT)
    moment = {
        "createdDateTime": "2020-01-01T00:00:00Z",
        "lastModifiedDateTime": "2021-01-01T00:00:00Z",
    }
    reply = ask.upload("/me/drive/root:/new/folder/a.bin", DATA, fileSystemInfo=moment)
    assert (reply.status, reply.json["fileSystemInfo"]) == (201, moment)
    assert reply.json["file"]["hashes"]["quickXorHash"] == QuickXor(DATA).base64()
    again = ask.upload("/me/drive/root:/new/folder/A.BIN", b"x")
    assert (again.status, again.json["id"], again.json["name"]) == (200, reply.json["id"], "a.bin")


def test_a_finished_session_is_gone() -> None:
    ask = Asking(BERT)
    url = ask.post("/me/drive/root:/a:/createUploadSession", {}).json["uploadUrl"]
    assert ask.put(url, b"x", content_range="bytes 0-0/1").status == 201
    reply = ask.put(url, b"x", content_range="bytes 0-0/1")
    assert (reply.status, reply.inner_code) == (404, "uploadSessionNotFound")
    assert ask.get(url).status == 404


def test_a_session_grows_too_old() -> None:
    ask = Asking(BERT)
    url = ask.post("/me/drive/root:/a:/createUploadSession", {}).json["uploadUrl"]
    ask.world.advance(2 * 86400)
    assert ask.put(url, b"x", content_range="bytes 0-0/1").status == 404


def test_names_are_refused_before_a_byte_is_sent() -> None:
    ask = Asking(BERT)
    ask.drive.folder("folder")
    for name, status in (("CON", 400), ("folder", 409), ("x" * 256, 400)):
        assert ask.post(f"/me/drive/root:/{name}:/createUploadSession", {}).status == status
        assert ask.put(f"/me/drive/root:/{name}:/content", b"x").status == status
    assert [each.name for each in ask.drive.walk()] == ["root", "folder"]


def test_a_full_drive_refuses_at_the_session_only_what_is_announced() -> None:
    ask = Asking(BERT)
    ask.drive.quota = Quota(10)
    address = "/me/drive/root:/a:/createUploadSession"
    assert ask.post(address, {"item": {"fileSize": 11}}).status == 507
    url = ask.post(address, {"item": {}}).json["uploadUrl"]  # rclone does not announce the size
    reply = ask.put(url, bytes(11), content_range="bytes 0-10/11")
    assert (reply.status, reply.code) == (507, "quotaLimitReached")


def test_a_small_file_in_one_request_and_its_conflicts() -> None:
    ask = Asking(BERT)
    address = "/me/drive/root:/f/a.txt:/content"
    assert ask.put(address, b"").status == 201
    assert ask.put(address, b"22").status == 200
    fail = f"{address}?@microsoft.graph.conflictBehavior=fail"
    assert ask.put(fail, b"3").code == "nameAlreadyExists"
    rename = ask.put(f"{address}?@microsoft.graph.conflictBehavior=rename", b"4")
    assert (rename.status, rename.json["name"]) == (201, "a 1.txt")
    assert ask.put(f"/drives/{ask.drive.id}/items/{rename.json['id']}/content", b"5").status == 200
    assert ask.put(address, b"", content_length="250000001").status == 413


def test_content_can_lie_on_disk(tmp_path_factory: pytest.TempPathFactory) -> None:
    ask = Asking(BERT)
    ask.world.content_folder = folder = tmp_path_factory.mktemp("content")
    ask.upload("/me/drive/root:/a.bin", DATA)
    ask.put("/me/drive/root:/b.bin:/content", DATA)
    assert [path.stat().st_size for path in folder.iterdir()] == [2048, 2048]
    assert ask.get(address_of(ask, "a.bin"), range="bytes=1-2").body == DATA[1:3]
    assert ask.drive.read("b.bin") == DATA
