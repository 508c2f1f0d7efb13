"""The real rclone against the emulated OneDrive: every kind of drive, every cloud, and faults."""

from __future__ import annotations

import json
import os
import random
from pathlib import Path

import pytest

from pluton_rclone.emulator import Emulator
from pluton_rclone.emulator.drives.changes import Order
from pluton_rclone.emulator.drives.quota import Quota

from .graph_client import ADMIN, BERT
from .rclone_client import Rclone, remote


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A folder with an empty file, odd names, and one file of more than one chunk."""
    folder = tmp_path / "source"
    (folder / "sub dir" / "deep").mkdir(parents=True)
    (folder / "empty").write_bytes(b"")
    (folder / "-rf").write_text("leading dash")
    (folder / 'q"uo:te? $(x) é😀.txt').write_text("odd")
    (folder / " lead and trail .txt").write_text("spaces")
    (folder / "sub dir" / "deep" / "100% #1 + it's.bin").write_bytes(
        random.Random(1).randbytes(350 << 10)
    )
    os.utime(folder / "-rf", (1_600_000_000, 1_600_000_000))
    return folder


def files_below(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.mark.parametrize("kind", ["personal", "business"])
def test_backup_check_restore(cloud: Emulator, kind: str, source: Path, tmp_path: Path) -> None:
    rclone = remote(cloud, kind)
    rclone.run("copy", str(source), "od:backup")
    seen = len(cloud.requests)
    rclone.run("copy", str(source), "od:backup")
    assert {request.method for request in cloud.requests[seen:]} == {"GET"}  # nothing is sent again
    rclone.run("check", str(source), "od:backup")
    rclone.run("copy", "od:backup", str(tmp_path / "restored"))
    assert files_below(tmp_path / "restored") == files_below(source)
    listing = rclone.listing()
    assert listing["backup/-rf"]["ModTime"].startswith("2020-09-13T12:26:40")
    assert rclone.listing("--fast-list", "--onedrive-delta") == listing
    about = json.loads(rclone.run("about", "od:", "--json"))
    assert about["used"] == rclone.drive.used
    uploads = [request for request in cloud.requests if request.method == "PUT"]
    assert {request.user_agent for request in uploads} == {"rclone/v1.75.2"}


@pytest.mark.parametrize("kind", ["personal", "documentLibrary"])
def test_folders_moves_copies_deletions(cloud: Emulator, kind: str) -> None:
    rclone = remote(cloud, kind)
    drive = rclone.drive
    for path in ("a/one.txt", "a/two.txt", "b/three.txt"):
        drive.write(path, path.encode())
    number = drive.folder("a").id
    rclone.run("mkdir", "od:new/folder")
    rclone.run("moveto", "od:a", "od:new/moved")
    assert drive.folder("new/moved").id == number  # moved by the server, not copied
    rclone.run("moveto", "od:new/moved/one.txt", "od:new/uno.txt")
    rclone.run("copyto", "od:new/uno.txt", "od:copy.txt")
    rclone.run("deletefile", "od:copy.txt")
    rclone.run("deletefile", "od:b/three.txt", "--onedrive-hard-delete")
    rclone.run("rmdir", "od:b")
    rclone.run("purge", "od:new/moved")
    assert sorted(rclone.run("lsf", "-R", "od:").splitlines()) == [
        "new/",
        "new/folder/",
        "new/uno.txt",
    ]
    assert drive.bin.names() == ["copy.txt", "b", "moved"]


@pytest.mark.parametrize(
    "username",
    [
        "carla@fabrikam.onmicrosoft.us",
        "dora@nordwind.onmicrosoft.de",
        "chen@tailspin.partner.onmschina.cn",
    ],
)
def test_every_cloud(cloud: Emulator, username: str, source: Path, tmp_path: Path) -> None:
    rclone = Rclone(cloud, username, cloud.files.drive_of(username))
    rclone.run("copy", str(source), "od:deep/backup")
    rclone.run("check", str(source), "od:deep/backup", "--download")
    hosts = {request.host.rpartition(".")[2] for request in cloud.requests}
    assert hosts == {username.rpartition(".")[2]}


def test_versions_are_cleaned_up_and_can_be_avoided(cloud: Emulator, source: Path) -> None:
    rclone = remote(cloud, "business")
    file = source / "-rf"
    for text in ("first", "second one", "the third"):
        file.write_text(text)
        rclone.run("copy", str(file), "od:")
    item = rclone.drive.find("-rf")
    assert item is not None
    assert len(item.rarities.versions) == 2
    rclone.run("cleanup", "od:")
    assert item.rarities.versions == []
    file.write_text("the fourth of them")
    rclone.run("copy", str(file), "od:", "--onedrive-no-versions")
    assert item.rarities.versions == []


def test_links(cloud: Emulator) -> None:
    for kind, start in (
        ("personal", "https://api.onedrive.com/v1.0/shares/u!"),
        (
            "business",
            "https://contoso-my.sharepoint.com/personal/bert_contoso_onmicrosoft_com/_layouts/15/download",
        ),
        (
            "documentLibrary",
            "https://contoso.sharepoint.com/sites/Backups/_layouts/15/download.aspx?share=",
        ),
    ):
        rclone = remote(cloud, kind)
        rclone.drive.write("a.txt", b"x")
        assert rclone.run("link", "od:a.txt").startswith(start)


def test_a_team_folder_is_reached_through_its_shortcut(cloud: Emulator, tmp_path: Path) -> None:
    team = cloud.files.drive_of(ADMIN)
    team.write("Team/sub/report.txt", b"report")
    team.share(team.folder("Team"), BERT)
    cloud.files.drive_of(BERT).add_shortcut(team, team.folder("Team"), "TeamFolder")
    least = remote(cloud, "business", "Files.ReadWrite")
    assert "accessDenied" in least.run("lsf", "od:TeamFolder", expect=1)
    rclone = remote(cloud, "business", "Files.ReadWrite.All")
    rclone.run("copy", "od:TeamFolder/sub", str(tmp_path / "down"))
    assert (tmp_path / "down" / "report.txt").read_bytes() == b"report"
    rclone.run("copy", str(tmp_path / "down"), "od:TeamFolder/new")
    assert team.read("Team/new/report.txt") == b"report"


# ---- trouble -------------------------------------------------------------------------------------


def test_throttling_is_waited_for(cloud: Emulator) -> None:
    rclone = remote(cloud, "business")
    cloud.faults.throttle("1", times=2)
    rclone.run("lsd", "od:")
    assert [request.status for request in cloud.requests if request.status == 429] == [429, 429]


def test_a_lost_session_needs_a_second_round(cloud: Emulator, source: Path) -> None:
    rclone = remote(cloud, "business")
    cloud.faults.lose_session(after_fragments=1)
    large = str(source / "sub dir")
    assert "uploadSessionNotFound" in rclone.run("copy", large, "od:", expect=6)
    rclone.run("copy", large, "od:")
    file = "deep/100% #1 + it's.bin"
    assert rclone.drive.read(file) == (source / "sub dir" / file).read_bytes()


@pytest.mark.parametrize("status", [500, 503, 504])
def test_a_fragment_is_sent_again(cloud: Emulator, source: Path, status: int) -> None:
    rclone = remote(cloud, "business")
    if status == 503:
        cloud.faults.unavailable("1", where="uploadSession")
    else:
        cloud.faults.refuse(status, where="uploadSession")
    rclone.run("copy", str(source / "sub dir"), "od:")
    assert [request.status for request in cloud.requests].count(status) == 1
    large = "deep/100% #1 + it's.bin"
    assert rclone.drive.read(large) == (source / "sub dir" / large).read_bytes()


def test_a_damaged_upload_is_noticed_and_removed(cloud: Emulator, source: Path) -> None:
    rclone = remote(cloud, "personal")
    cloud.faults.damaged_uploads = 1
    assert "corrupted on transfer" in rclone.run("copy", str(source / "-rf"), "od:", expect=1)
    assert rclone.drive.find("-rf") is None


def test_office_files_in_a_library_change_on_arrival(cloud: Emulator, tmp_path: Path) -> None:
    rclone = remote(cloud, "documentLibrary")
    rclone.drive.rewrites_office_files = True
    (tmp_path / "a.docx").write_text("document")
    assert "corrupted on transfer" in rclone.run("copy", str(tmp_path / "a.docx"), "od:", expect=1)
    rclone.run("copy", str(tmp_path / "a.docx"), "od:", "--ignore-size", "--ignore-checksum")
    assert rclone.drive.read("a.docx").startswith(b"document")


def test_a_full_drive_ends_the_run(cloud: Emulator, source: Path) -> None:
    rclone = remote(cloud, "business")
    rclone.drive.quota = Quota(1 << 18)
    assert "quotaLimitReached" in rclone.run("copy", str(source / "sub dir"), "od:", expect=7)


def test_what_onedrive_refuses_rclone_cannot_send(cloud: Emulator, tmp_path: Path) -> None:
    rclone = remote(cloud, "business")
    refused = ["CON", ".lock", "desktop.ini", "a_vti_b", "forms"]
    for name in [
        *refused,
        "~$taken.docx",
        "taken .",
        "taken?",
    ]:  # rclone encodes the last three
        (tmp_path / name).write_text(name)
    rclone.run("copy", str(tmp_path), "od:", "--exclude", "home/**", expect=1)
    assert len(rclone.run("lsf", "od:").splitlines()) == 3
    long = tmp_path / "home" / ("d" * 200)
    long.mkdir(parents=True)
    (long / ("e" * 200)).write_text("x")
    assert "pathIsTooLong" in rclone.run("copy", str(long.parent), "od:", expect=6)


def test_rclone_loses_what_comes_before_its_parent_in_the_feed(cloud: Emulator) -> None:
    rclone = remote(cloud, "business")
    rclone.drive.write("a/b/c.txt", b"x")
    rclone.drive.changes.order = Order.CHILDREN_FIRST
    assert rclone.run("lsf", "-R", "--fast-list", "--onedrive-delta", "od:").split() == ["a/"]
    rclone.drive.changes.order = Order.PARENTS_FIRST
    rclone.drive.changes.repeats = 2
    assert len(rclone.run("lsf", "-R", "--fast-list", "--onedrive-delta", "od:").split()) == 3


def test_the_personal_vault_breaks_a_listing(cloud: Emulator) -> None:
    rclone = remote(cloud, "personal")
    rclone.drive.folder("Personal Vault").rarities.vault = True
    assert "ObjectHandle is Invalid" in rclone.run("lsf", "-R", "od:", expect=1)


def test_a_folder_that_is_too_large_times_out(cloud: Emulator) -> None:
    rclone = remote(cloud, "business")
    for number in range(5):
        rclone.drive.write(f"large/{number}", b"")
    cloud.faults.large_folder = 5
    assert "UnknownError" in rclone.run("lsf", "od:large", "--low-level-retries", "1", expect=1)
    assert rclone.run("lsf", "od:") == "large/\n"
