"""The base folder: kept by every operation, found after a move, and never mistaken for another
place."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from pluton_rclone import Storage, Storages, StorageSetup
from pluton_rclone.conf.export import as_conf, as_environment
from pluton_rclone.emulator import Emulator
from pluton_rclone.emulator.drives.drive import Drive
from pluton_rclone.errors import (
    ConfigNotWritable,
    ConnectionTestFailed,
    NameRefused,
    StorageNotFound,
)
from pluton_rclone.rclone.binary import find_binary
from pluton_rclone.setup.connect import DriveKind
from tests.cli.conftest import Command
from tests.command_line import run_here
from tests.connected import BERT, KINDS, connected, emulated_drive, remote_of
from tests.restic_repository import write_repository
from tests.storages.test_storages_restic import PASSWORD, good

ROOT = ["Backups/", "Other/", "above.txt"]


def filled(cloud: Emulator, kind: DriveKind = "business") -> Drive:
    drive = emulated_drive(cloud, kind)
    drive.write("Backups/here.txt", b"in the base folder")
    drive.write("Backups/sub/deep.txt", b"below")
    drive.write("above.txt", b"at the root")
    drive.write("Other/there.txt", b"elsewhere")
    return drive


def rclone(*arguments: str, config: Path | None = None) -> list[str]:
    """The output of rclone itself, without our code around it."""
    environment = {**os.environ, **({"RCLONE_CONFIG": str(config)} if config else {})}
    ran = subprocess.run(
        [find_binary().path, *arguments],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert ran.returncode == 0, ran.stderr
    return sorted(ran.stdout.split())


def added(cloud: Emulator, kind: DriveKind = "business", **options: Any) -> Storage:
    return Storages().add("work", remote_of(cloud, kind, base_folder="Backups", **options))


def pasted(section: dict[str, str]) -> StorageSetup:
    setup = StorageSetup()
    setup.use_token("\n".join(["[old]", *(f"{key} = {value}" for key, value in section.items())]))
    return setup


def names(storage: Storage, path: str = "") -> list[str]:
    return sorted(entry.path for entry in storage.list(path))


def saved_before(cloud: Emulator) -> Storage:
    """A base folder that only we know, as in storages saved by early versions."""
    storage = connected(cloud, "business", name="work")
    with storage.storages.path.open("a") as file:
        file.write("pluton_base_folder = Backups\n")
    return storage


def test_ours_rclone_and_restic_see_one_folder_through_every_change(
    cloud: Emulator,
    command: Command,
    browser: Any,
    restic: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """`rclone lsf work:`, `restic -r rclone:work:r` and ours, before and after export, import,
    rename, reauthorize and encrypt."""
    browser(BERT)
    drive = filled(cloud)
    made = command("connect", "work", "--type", "business", "--base-folder", "/Backups/")
    assert made.code == 0, made.err
    (tmp_path / "single.txt").write_text("one file")
    path = f"{Path(find_binary().path).parent}{os.pathsep}{os.environ['PATH']}"

    def by_hand(name: str, config: Path, *words: str) -> None:
        given = {**os.environ, **PASSWORD, "RCLONE_CONFIG": str(config), "PATH": path}
        argv = [str(restic), "-r", f"rclone:{name}:r", *words]
        ran = subprocess.run(argv, env=given, capture_output=True, timeout=300)
        assert ran.returncode == 0, ran.stderr

    write_repository(drive, "Backups/r", PASSWORD["RESTIC_PASSWORD"])
    by_hand("work", Storages().path, "--no-cache", "backup", str(tmp_path / "single.txt"))
    assert drive.folder("Backups/r/snapshots").children

    def everybody_agrees(name: str, config: Path | None = None) -> None:
        where = () if config is None else ("--config", str(config))
        ours = command("ls", f"{name}:", *where, "--json")
        assert sorted(entry["path"] for entry in ours.lines) == ["here.txt", "r", "sub"]
        storage = Storages(config)[name]
        assert storage.at("sub") == f"{name}:sub"
        assert rclone("lsf", f"{name}:", config=config) == ["here.txt", "r/", "sub/"]
        assert names(storage, "sub") == ["deep.txt"]
        assert rclone("lsf", storage.at("/"), config=config) == ["Backups/", "Other/", "above.txt"]
        assert names(storage, "/") == ["Backups", "Other", "above.txt"]
        rclone("copyto", str(tmp_path / "single.txt"), f"{name}:sub/single.txt", config=config)
        assert drive.read("Backups/sub/single.txt") == b"one file"
        storage.delete_file("sub/single.txt").result()
        by_hand(name, storage.storages.path, "cat", "config")
        with storage.restic("r", binary=restic, environment=PASSWORD) as again:
            good(again.run("cat", "config", timeout=300))

    everybody_agrees("work")
    exported = tmp_path / "exported.conf"
    assert command("export", "work", "--output", str(exported)).code == 0
    everybody_agrees("work", exported)
    assert command("rename", "work", "office", "--remote").code == 0
    everybody_agrees("office")
    pasted = exported.read_text()
    assert run_here("connect", "again", "--method", "token", stdin=pasted).returncode == 0
    everybody_agrees("again")
    assert command("reauthorize", "office").code == 0
    everybody_agrees("office")
    monkeypatch.setenv("PLUTON_RCLONE_NEW_PASSWORD", "secret")
    assert command("encrypt").code == 0
    monkeypatch.setenv("RCLONE_CONFIG_PASS", "secret")
    everybody_agrees("office")
    assert command("remove", "office", "--yes").code == 0
    assert rclone("listremotes") == ["again-drive:", "again:"]


def test_an_export_as_variables_is_the_same_place_for_rclone_and_for_us(
    cloud: Emulator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    filled(cloud)
    export = as_environment("my work", added(cloud).section_with_secrets())
    assert "base folder" not in " ".join(export.warnings)
    Storages()["work"].remove()
    for variable, value in export.variables.items():
        monkeypatch.setenv(variable, value)
    storage = Storages()["my_work"]
    assert [one.remote_name for one in storage.storages.values()] == ["my_work"]
    assert rclone("lsf", "my_work:", config=tmp_path / "none.conf") == ["here.txt", "sub/"]
    assert names(storage) == ["here.txt", "sub"]
    assert names(storage, "/") == ["Backups", "Other", "above.txt"]
    assert storage.test().ok
    with pytest.raises(ConfigNotWritable, match="RCLONE_CONFIG_MY_WORK"):
        storage.update(base_folder="Other")
    with pytest.raises(StorageNotFound, match="it holds the drive of 'my_work'"):
        Storages()["my_work_drive"]


def test_a_pasted_export_keeps_the_base_folder_and_a_sync_stays_in_it(
    cloud: Emulator, tmp_path: Path
) -> None:
    """Formerly, `connect B --method token < export; sync /data B:` emptied the drive."""
    drive = filled(cloud)
    storage = added(cloud)
    setup = StorageSetup()
    setup.use_token(as_conf("work", storage.section_with_secrets()).decode())
    setup.name = "again"
    again = setup.save(Storages())
    assert again.remote.base_folder == "Backups"
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "new.txt").write_text("new")
    again.rclone.sync(str(tmp_path / "data"), again.at()).result()
    assert drive.read("above.txt") == b"at the root"
    assert drive.read("Other/there.txt") == b"elsewhere"
    assert names(again) == ["new.txt"]


def test_a_base_folder_given_beside_a_pasted_remote_counts(cloud: Emulator) -> None:
    filled(cloud)
    section = remote_of(cloud, "business").to_section()
    pasted = "\n".join(["[old]", *(f"{key} = {value}" for key, value in section.items())])
    ran = run_here("connect", "B", "--method", "token", "--base-folder", "Backups", stdin=pasted)
    assert ran.returncode == 0, ran.stderr
    assert names(Storages()["B"], "sub") == ["deep.txt"]


def test_a_moved_or_renamed_base_folder_is_found_by_its_id_and_its_path_follows(
    cloud: Emulator,
) -> None:
    drive = filled(cloud)
    storage = added(cloud)
    assert storage.remote.base_folder_id
    drive.move(drive.folder("Backups"), drive.folder("Other"), "Moved")
    assert storage.check_health().ok
    assert storage.remote.base_folder == "Other/Moved"
    assert names(storage, "sub") == ["deep.txt"]


def test_a_deleted_base_folder_is_an_error_with_a_way_out(
    cloud: Emulator, command: Command
) -> None:
    drive = filled(cloud)
    storage = added(cloud)
    drive.delete(drive.folder("Backups"))
    report = storage.check_health()
    (failed,) = [step for step in report.steps if step.status == "failed"]
    assert "'Backups' is no longer on the drive" in failed.text
    assert failed.error is not None
    assert "recycle bin" in failed.error.advice
    assert "base_folder" in failed.error.advice
    assert command("set", "work", "base_folder=Backups").code == 0  # created again
    assert storage.check_health().ok
    assert names(storage) == []


def test_it_is_set_changed_and_cleared_and_old_sections_get_the_id_at_their_next_change(
    cloud: Emulator, command: Command
) -> None:
    filled(cloud)
    storage = saved_before(cloud)
    assert names(storage, "sub") == ["deep.txt"]
    assert storage.test().ok
    assert storage.check_health().ok
    assert storage.remote.base_folder_id == ""
    assert command("set", "work", "chunk_size=5Mi").code == 0
    assert storage.remote.base_folder_id
    assert rclone("lsf", "work:") == ROOT  # as expected by scripts that were written for it
    storage.update(base_folder="Other")
    assert storage.remote.base_folder == "Other"
    assert names(storage) == rclone("lsf", "work:") == ["there.txt"]
    assert command("set", "work", "base_folder=").code == 0
    assert (storage.remote.base_folder, storage.remote.base_folder_id) == ("", "")
    assert rclone("listremotes") == ["work:"]
    assert rclone("lsf", "work:") == ROOT
    storage.update(base_folder="made/by/the test")
    assert names(storage) == rclone("lsf", "work:") == []
    assert names(storage, "/made/by") == ["the test"]


def test_what_passed_the_test_is_saved_with_the_folder_that_the_test_made(cloud: Emulator) -> None:
    setup = pasted(remote_of(cloud, "business").to_section())
    setup.set_options(base_folder="new")
    assert setup.test(Storages()).ok
    setup = StorageSetup.from_record(setup.record_with_secrets())
    before = len(cloud.requests)
    storage = setup.save(Storages(), "work")
    looked = [(one.method, one.path.partition("/drives/")[1]) for one in cloud.requests[before:]]
    assert looked == [("GET", "/drives/")] * 2  # is the drive still there, and its root
    assert storage.remote.base_folder_id
    assert names(storage, "/") == ["new"]


def test_where_it_cannot_be_made_that_is_said(cloud: Emulator) -> None:
    filled(cloud)
    with pytest.raises(ConnectionTestFailed, match="reading only"):
        Storages().add(
            "w", remote_of(cloud, "business", base_folder="nothing", granted_scopes=("Files.Read",))
        )
    with pytest.raises(ConnectionTestFailed, match="a file has that name"):
        Storages().add("w", remote_of(cloud, "business", base_folder="above.txt"))


@pytest.mark.parametrize("kind", KINDS)
def test_the_feeds_listing_and_rclones_agree_below_a_base_folder(
    cloud: Emulator, kind: DriveKind
) -> None:
    filled(cloud, kind)
    storage = added(cloud, kind)
    for path in ("", "sub", "/", "/Other"):
        by_folders = sorted(entry.path for entry in storage.walk(path, by="folders"))
        assert sorted(entry.path for entry in storage.walk(path, by="feed")) == by_folders, path


def test_names_that_rclone_shows_otherwise_than_onedrive_stores_them(cloud: Emulator) -> None:
    storage = Storages().add("work", remote_of(cloud, "business", base_folder='what: "now"?/x'))
    assert storage.check_health().ok
    assert storage.remote.base_folder == 'what: "now"?/x'
    assert names(storage, "/") == ['what: "now"?']


# ---- why it is not rclone's root_folder_id -------------------------------------------------------


def test_rclone_with_a_root_folder_id_writes_and_deletes_single_files_at_the_drives_root(
    cloud: Emulator, tmp_path: Path
) -> None:
    """rclone 1.75.2; an rclone that fails here could be given the id instead of the path."""
    drive = filled(cloud)
    storage = added(cloud)
    drive.write("sub/deep.txt", b"somebody's own file, outside the base folder")
    folder = storage.remote.base_folder_id
    storage.update(base_folder=None)
    storage.storages.conf.update("work", {"root_folder_id": folder})
    assert rclone("lsf", "work:") == ["here.txt", "sub/"]
    rclone("deletefile", "work:sub/deep.txt")
    assert drive.read("Backups/sub/deep.txt") == b"below"
    assert [item.name for item in (drive.folder("sub").children or {}).values()] == []
    (tmp_path / "new.txt").write_text("new")
    drive.write("fresh/new.txt", b"a namesake at the root")
    rclone("copyto", str(tmp_path / "new.txt"), "work:fresh/new.txt")
    assert "fresh/" not in rclone("lsf", "work:")
    assert drive.read("new.txt") == b"new"


def test_restic_cannot_open_a_repository_below_a_root_folder_id_on_business(
    cloud: Emulator, restic: Path
) -> None:
    filled(cloud)
    storage = added(cloud)
    section = {**storage.section_with_secrets(), "root_folder_id": storage.remote.base_folder_id}
    storage.storages.conf.add(
        "rooted", {key: value for key, value in section.items() if "pluton" not in key}
    )
    rooted = Storages()["rooted"]
    write_repository(emulated_drive(cloud, "business"), "Backups/r", PASSWORD["RESTIC_PASSWORD"])
    with rooted.restic("r", binary=restic, environment=PASSWORD) as opened:
        assert b"config/> does not exist" in opened.run("cat", "config", timeout=300).stderr


@pytest.mark.parametrize("folder", ["con", "Backups/desktop.ini", "x" * 256])
def test_a_base_folder_that_onedrive_takes_nowhere_is_named_and_another_asked_for(
    cloud: Emulator, folder: str
) -> None:
    """Formerly, the advice was "Rename the file.", although a folder was being chosen."""
    with pytest.raises(ConnectionTestFailed) as refused:
        Storages().add("work", remote_of(cloud, "personal", base_folder=folder))
    assert isinstance(refused.value.__cause__, NameRefused)
    assert f"OneDrive does not allow the folder name {folder!r}." in refused.value.what
    assert "The provided name is" in str(refused.value)
    assert refused.value.advice == "Choose another base folder."
    assert refused.value.next_step is None
