"""A storage with a base folder is an alias of the folder and its drive in rclone.conf: converted,
changed by hand, named by its drive, and run again."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pluton_rclone import Storages, StorageSetup
from pluton_rclone.emulator import Emulator
from pluton_rclone.errors import AccessDenied
from tests.cli.conftest import Command
from tests.restic_repository import write_repository
from tests.storages.test_storages_restic import PASSWORD

from .test_walk_base_folder import added, filled, names, rclone, saved_before


def test_one_that_was_saved_before_is_converted_by_repair(
    cloud: Emulator, command: Command, tmp_path: Path
) -> None:
    filled(cloud)
    storage = saved_before(cloud)
    found = command("inspect", "work", "--json").json
    assert [(one["option"], one["severity"]) for one in found] == [("base_folder", "warning")]
    (tmp_path / "new.txt").write_text("new")
    storage.upload(tmp_path / "new.txt").result()
    assert storage.at() == "work:Backups"
    assert command("repair", "work").code == 0
    assert command("inspect", "work", "--json").json == []
    assert storage.at() == "work:"
    assert names(storage) == ["here.txt", "new.txt", "sub"]
    assert rclone("lsf", "work:") == ["here.txt", "new.txt", "sub/"]


def test_what_was_changed_by_hand_is_read_as_rclone_reads_it_and_never_above_a_base_folder(
    cloud: Emulator, command: Command
) -> None:
    filled(cloud)
    storage = added(cloud)
    path = storage.storages.path
    before = path.read_text()

    path.write_text(before.replace("work-drive:Backups\n", "work-drive:Other\n"))
    assert (storage.remote.base_folder, storage.remote.base_folder_id) == ("Other", "")
    assert names(storage) == ["there.txt"]
    assert storage.check_health().ok  # the id of the last folder does not lead back to it
    assert storage.remote.base_folder == "Other"
    storage.update(chunk_size="5Mi")
    assert storage.remote.base_folder_id

    path.write_text(before.replace("work-drive:Backups\n", "work-drive:\n"))
    assert names(storage) == ["Backups", "Other", "above.txt"]
    assert storage.remote.base_folder == ""

    path.write_text(before.replace("work-drive:Backups\n", f"{path.parent}\n"))
    assert [one.remote_name for one in Storages().values()] == ["work-drive"]
    assert names(Storages()["work-drive"]) == ["here.txt", "sub"]
    assert "rclone.conf" in names(Storages().reach("work")) == sorted(os.listdir(path.parent))

    path.write_text(before[before.index("[work-drive]") :])
    assert names(Storages()["work-drive"]) == ["here.txt", "sub"]
    assert command("repair", "work-drive").code == 0
    assert rclone("lsf", "work-drive:") == ["here.txt", "sub/"]


def test_the_drive_of_a_storage_is_none_itself_and_says_whose_it_is(
    cloud: Emulator, command: Command
) -> None:
    filled(cloud)
    storage = added(cloud)
    assert list(Storages()) == ["work"]
    refused = command("ls", "work-drive:Backups", "--json").err
    assert "holds the drive of 'work'" in refused
    assert "work:/ for the whole drive" in refused
    assert command("remove", "work-drive", "--yes").code != 0
    assert storage.storages.rclone("work-drive").cat("work-drive:above.txt") == b"at the root"
    conf = storage.storages.conf
    conf.add("near", {"type": "alias", "remote": "work:sub"})
    conf.add("far", {"type": "alias", "remote": "work-drive:Other"})
    for name, there in (("near", ["deep.txt"]), ("far", ["there.txt"])):
        assert names(Storages().reach(name)) == rclone("lsf", f"{name}:") == there
        assert Storages().below(name) == ["work"]
    conf.update("work", {"pluton_granted_scopes": "Files.Read"})
    for place in ("work:new", "work-drive:new", "far:new"):
        with pytest.raises(AccessDenied, match="for reading only"):
            storage.storages.rclone("work", "far").mkdir(place)


def test_the_section_of_the_drive_alone_is_pasted_with_its_base_folder(cloud: Emulator) -> None:
    filled(cloud)
    shown = added(cloud).storages.path.read_text()
    setup = StorageSetup()
    setup.use_token(shown[shown.index("[work-drive]") :])
    assert setup.remote().base_folder == "Backups"


def test_what_a_run_replaces_is_kept_anywhere_on_the_drive(
    cloud: Emulator, command: Command, tmp_path: Path
) -> None:
    """rclone keeps it only on the same remote, and treats both names as one."""
    drive = filled(cloud)
    storage = added(cloud)
    source = tmp_path / "data"
    source.mkdir()
    for text, old, there in (("1", "work:old", "Backups/old"), ("22", "work:/old", "old")):
        (source / "here.txt").write_text(text)
        drive.write("Backups/data/here.txt", b"before")
        assert command("copy", str(source), "work:data", "--backup-dir", old).code == 0
        assert drive.read("Backups/data/here.txt") == text.encode()
        assert drive.read(f"{there}/here.txt") == b"before"
    storage.rclone.moveto(storage.at("data/here.txt"), storage.at("/moved.txt")).result()
    assert drive.read("moved.txt") == b"22"


def test_a_run_is_done_again_in_the_same_place(
    cloud: Emulator, command: Command, restic: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drive = filled(cloud)
    added(cloud)
    (tmp_path / "new.txt").write_text("new")
    for number, place, there in ((1, "work:c", "Backups/c"), (3, "work:/c", "c")):
        assert command("copy", str(tmp_path / "new.txt"), place).code == 0
        drive.delete(drive.folder(there))
        assert command("again", str(number)).code == 0
        assert drive.read(f"{there}/new.txt") == b"new"
    monkeypatch.setenv("PLUTON_RESTIC_BINARY", str(restic))
    monkeypatch.setenv("RESTIC_PASSWORD", PASSWORD["RESTIC_PASSWORD"])
    for number, place, there in ((5, "work:r", "Backups/r"), (7, "work:/s", "s")):
        write_repository(drive, there, PASSWORD["RESTIC_PASSWORD"])
        assert command("restic", place, "snapshots").code == 0
        assert command("again", str(number)).code == 0
