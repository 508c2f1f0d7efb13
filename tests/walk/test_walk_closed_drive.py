"""A shared folder of a drive whose root is closed: connected by its link, by its address, and by a
paste."""

from __future__ import annotations

from pathlib import Path

import pytest

from pluton_rclone import AppRegistration, Storage, Storages, StorageSetup
from pluton_rclone.conf.export import as_conf
from pluton_rclone.emulator import WEB_CLIENT_ID, WEB_CLIENT_SECRET, WEB_REDIRECT_URI, Emulator
from pluton_rclone.emulator.drives.drive import Drive
from pluton_rclone.emulator.drives.item import Link
from pluton_rclone.errors import AccessDenied, Who
from tests.connected import BERT

ADMIN = "admin@contoso.onmicrosoft.com"
LINK = "https://contoso-my.sharepoint.com/:f:/g/personal/admin/Eabc"
FILE = "https://contoso-my.sharepoint.com/:t:/g/personal/admin/Efile"
DIRECT = "https://contoso-my.sharepoint.com/:f:/r/personal/admin_contoso_onmicrosoft_com/Documents/Team?csf=1&web=1"
ADDRESS = "https://contoso-my.sharepoint.com/personal/admin_contoso_onmicrosoft_com/Documents/Team"


@pytest.fixture
def theirs(cloud: Emulator) -> Drive:
    drive = cloud.files.drive_of(ADMIN)
    drive.write("Team/plan.txt", b"plan")
    drive.write("private.txt", b"closed to others")
    folder = drive.folder("Team")
    drive.share(folder, BERT)
    for link in (LINK, DIRECT.partition("?")[0].replace("/:f:/r", ""), ADDRESS):
        cloud.files.links[link] = (drive, folder, Link("1", "edit", "users", link))
    return drive


def connect(cloud: Emulator, address: str, folder: str = "") -> Storage:
    setup = StorageSetup(AppRegistration(WEB_CLIENT_ID, client_secret=WEB_CLIENT_SECRET))
    flow = setup.begin_sign_in(WEB_REDIRECT_URI, place="sharepoint")
    setup.finish_sign_in(flow, cloud.person(BERT).visit(flow.url).answer)
    setup.choose_address(address)
    if folder:
        setup.set_options(base_folder=folder)
    setup.name = "Team"
    setup = StorageSetup.from_record(setup.record_with_secrets())
    return setup.save(Storages())


@pytest.mark.parametrize("address", [DIRECT, ADDRESS])
def test_every_form_of_its_address_leads_there(
    cloud: Emulator, theirs: Drive, address: str
) -> None:
    storage = connect(cloud, address)
    assert storage.remote.root_folder_id.endswith(f"#{theirs.folder('Team').id}")
    assert [entry.path for entry in storage.list()] == ["plan.txt"]


def test_it_is_connected_and_the_test_starts_at_that_folder(
    cloud: Emulator, theirs: Drive, tmp_path: Path
) -> None:
    storage = connect(cloud, LINK)
    assert storage.remote.root_folder_id.endswith(f"#{theirs.folder('Team').id}")
    assert (
        [entry.path for entry in storage.list()]
        == [entry.path for entry in storage.list("/")]
        == ["plan.txt"]
    )
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "new.txt").write_text("new")
    storage.upload(tmp_path / "source", "sub/deep").result()
    assert theirs.read("Team/sub/deep/new.txt") == b"new"
    assert theirs.read("private.txt") == b"closed to others"
    assert storage.check_health().ok
    assert storage.drive().name == "Team"
    assert [entry.path for entry in storage.walk("sub")] == ["deep", "deep/new.txt"]


def test_the_link_of_a_file_in_it_leads_to_the_folder(cloud: Emulator, theirs: Drive) -> None:
    file = theirs.find("Team/plan.txt")
    assert file is not None
    cloud.files.links[FILE] = (theirs, file, Link("1", "edit", "users", FILE))
    storage = connect(cloud, FILE)
    assert [entry.path for entry in storage.list("/")] == ["plan.txt"]


def test_the_link_of_a_file_that_is_shared_alone_says_what_has_to_be_shared(
    cloud: Emulator, theirs: Drive
) -> None:
    file = theirs.find("private.txt")
    assert file is not None
    theirs.share(file, BERT)
    cloud.files.links[FILE] = (theirs, file, Link("1", "edit", "users", FILE))
    with pytest.raises(AccessDenied, match="points to a single file") as refusal:
        connect(cloud, FILE)
    assert refusal.value.who is Who.YOU
    assert "share its folder" in refusal.value.advice


def test_a_base_folder_in_it_and_a_paste_of_it_stay_below_that_folder(
    cloud: Emulator, theirs: Drive
) -> None:
    storage = connect(cloud, LINK, folder="Backups")
    assert storage.list() == []
    setup = StorageSetup()
    setup.use_token(as_conf("x", storage.section_with_secrets()).decode())
    setup.name = "again"
    again = setup.save(Storages())
    assert again.remote.root_folder_id == storage.remote.root_folder_id
    assert again.remote.base_folder == "Backups"
    assert [entry.path for entry in again.list("/")] == ["Backups", "plan.txt"]


def test_a_paste_with_a_root_folder_id_in_an_open_drive_gets_the_path_in_its_place(
    cloud: Emulator,
) -> None:
    """With the id, rclone reads single files from the drive's root
    (tests/walk/test_walk_base_folder.py)."""
    drive = cloud.files.drive_of(BERT)
    drive.write("Backups/here.txt")
    storage = connect(
        cloud, "https://contoso-my.sharepoint.com/personal/bert_contoso_onmicrosoft_com/Documents"
    )
    section = {**storage.section_with_secrets(), "root_folder_id": drive.folder("Backups").id}
    setup = StorageSetup()
    setup.use_token(as_conf("x", section).decode())
    remote = setup.remote()
    assert (remote.root_folder_id, remote.base_folder) == ("", "Backups")
