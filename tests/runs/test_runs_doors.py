"""Every interface records its runs, shows them and repeats them: the command line, Python, the
page."""

from __future__ import annotations

import datetime
import json
import shlex
import shutil
import signal
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from pluton_rclone import Storage
from pluton_rclone.emulator import Emulator
from pluton_rclone.emulator.drives.drive import Drive
from pluton_rclone.emulator.drives.item import Item
from pluton_rclone.errors import (
    AccessDenied,
    StorageNotFound,
    TooManyDeletions,
    TransferFailed,
    UsageError,
)
from pluton_rclone.runs.record import RunRecord
from tests.command_line import run_here
from tests.connected import connected, emulated_drive
from tests.forked import Forks
from tests.gates import Gate
from tests.restic_repository import write_repository
from tests.storages.debian_restic import debian_restic
from tests.terminal import PATIENCE
from tests.web.client import at_the_page, until_over

FILES = 3


@pytest.fixture
def storage(cloud: Emulator) -> Storage:
    return connected(cloud, name="Work")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    folder.mkdir()
    for number in range(FILES):
        (folder / f"{number}.txt").write_text(str(number))
    return folder


def found(drive: Drive, path: str) -> Item:
    item = drive.find(path)
    assert item is not None
    return item


def names(drive: Drive, path: str) -> list[str]:
    return sorted(item.name for item in drive.walk(found(drive, path)) if item.name != path)


def last(storage: Storage) -> RunRecord:
    return storage.storages.runs.last(storage.remote_name, limit=1)[0]


def test_what_python_transfers_is_recorded_and_can_be_done_again(
    cloud: Emulator, storage: Storage, source: Path
) -> None:
    storage.upload(source, "up", filters=["- 0.txt"]).result()
    one = last(storage)
    assert (one.run.command, one.run.source) == ("copy", str(source))
    assert (one.run.destination, one.ended, one.exit_code) == ("work:up", "done", 0)
    assert (one.files, one.bytes, one.failures) == (2, 2, 0)
    drive = emulated_drive(cloud, "personal")
    drive.delete(found(drive, "up"))
    # as another machine would get it
    run = type(one.run).from_record(json.loads(json.dumps(one.run.record())))
    assert storage.storages.start(run).result().transfers == 2
    assert names(drive, "up") == ["1.txt", "2.txt"]
    assert last(storage).id == one.id + 1


def test_failures_are_recorded_with_their_errors_also_when_nobody_asks_for_the_result(
    cloud: Emulator, storage: Storage, source: Path
) -> None:
    cloud.faults.refuse(423, where="1.txt", times=None)
    for _ in storage.upload(source, "up", retries=1):
        pass
    one = last(storage)
    assert (one.ended, one.exit_code, one.failures) == ("failed", TransferFailed.exit_code, 1)
    assert one.failed[0]["path"] == "1.txt"
    assert one.error is not None
    assert one.error["error"] == "transfer_failed"


def test_what_was_refused_or_cancelled_is_recorded_too(
    cloud: Emulator, storage: Storage, source: Path
) -> None:
    readable = connected(cloud, "business", name="Look", granted_scopes=("Files.Read",))
    with pytest.raises(AccessDenied):
        readable.upload(source, "x")
    assert (last(readable).ended, last(readable).exit_code) == ("failed", AccessDenied.exit_code)
    storage.upload(source, "up").cancel()
    assert last(storage).ended in ("cancelled", "done")
    empty = source / "empty"
    empty.mkdir()
    storage.upload(source, "full").result()
    with pytest.raises(TooManyDeletions):
        storage.rclone.sync(empty, storage.at("full")).result()
    sync = last(storage)
    assert (sync.run.command, sync.ended) == ("sync", "failed")


def test_other_runs_are_recorded_and_what_nobody_asked_for_is_not(
    storage: Storage, source: Path
) -> None:
    assert storage.test().ok
    storage.upload(source, "up", dry_run=True).result()
    assert storage.storages.runs.last() == []
    storage.upload(source, "up").result()
    storage.check(source, "up")
    (source / "0.txt").write_text("other")
    storage.check(source, "up")
    storage.delete_file("up/0.txt").result()
    storage.delete("up").result()
    ran = [(one.run.command, one.ended) for one in reversed(storage.storages.runs.last())]
    assert ran == [
        ("copy", "done"), ("check", "done"), ("check", "differs"), ("deletefile", "done"),
        ("purge", "done"),
    ]  # fmt: skip
    with pytest.raises(UsageError, match="not a transfer"):
        storage.storages.start(storage.storages.runs.get(2).run)


def test_no_secret_of_the_storage_or_its_options_is_in_the_file(
    cloud: Emulator, storage: Storage, source: Path
) -> None:
    secret = "hunter2-geheim"
    extra = [f"--metadata-set=token={secret}", f"--header-upload=X-A: {secret}"]
    storage.upload(source, "up", extra=extra).result()
    cloud.faults.refuse(401, times=None)
    storage.upload(source, "again", extra=extra, retries=1).wait()
    runs = storage.storages.runs
    files = b"".join(file.read_bytes() for file in runs.path.parent.glob(f"{runs.path.name}*"))
    assert b"work:again" in files
    section = storage.section_with_secrets()
    token = json.loads(section["token"])
    for one in (secret, token["access_token"], token["refresh_token"], section["token"]):
        assert one.encode() not in files
    with pytest.raises(UsageError, match="--header-upload"):
        storage.storages.start(runs.get(1).run)


def test_the_command_line_records_shows_and_repeats(
    cloud: Emulator, storage: Storage, source: Path
) -> None:
    assert run_here("history").stderr == "No run is recorded yet.\n"
    assert run_here("copy", source, "Work:up").returncode == 0
    assert run_here("check", source, "Work:up").returncode == 0
    cloud.faults.refuse(423, where="1.txt", times=None)
    assert run_here("copy", source, "Work:new", "--", "--retries=1").returncode == 7
    cloud.faults.clear()
    table = run_here("history").stdout.splitlines()
    assert [line.split()[0] for line in table] == ["ID", "3", "2", "1"]
    assert "failed" in table[1]
    assert len(run_here("history", "Work", "-n", 1).stdout.splitlines()) == 2
    one = run_here("history", 3).stdout
    assert "1.txt" in one
    assert "exit code 7" in one
    assert run_here("again", 3).returncode == 0
    assert emulated_drive(cloud, "personal").read("new/1.txt") == b"1"
    assert run_here("again", 2).returncode == 0
    records = json.loads(run_here("history", "--json").stdout)
    assert [record["run"]["command"] for record in records] == [
        "check",
        "copy",
        "copy",
        "check",
        "copy",
    ]
    assert run_here("history", 99).returncode == 2


def test_the_history_of_a_storage_that_is_gone_answers_by_its_old_name(
    storage: Storage, source: Path
) -> None:
    assert run_here("copy", source, "Work:up").returncode == 0
    assert run_here("rename", "--remote", "Work", "office").returncode == 0
    for name in ("work", "work:"):
        assert "work:up" in run_here("history", name).stdout
    told = run_here("again", 1)
    assert told.returncode == StorageNotFound.exit_code
    assert "since been removed or renamed" in told.stderr
    assert run_here("remove", "Work", "--yes").returncode == 0
    for name in ("work", "Work"):
        assert "work:up" in run_here("history", name).stdout
    told = run_here("history", "other")
    assert told.returncode == StorageNotFound.exit_code
    assert "no storage called 'other'" in told.stderr


@pytest.mark.parametrize("base", ["", "Backups"])
def test_a_run_stays_with_its_storage_and_is_not_done_again_in_another(
    cloud: Emulator, storage: Storage, source: Path, base: str
) -> None:
    """Formerly, if another account's storage had taken its name, `again` copied there."""
    storage.update(base_folder=base)
    storage.storages.conf.add("secret", {"type": "alias", "remote": "work:"})
    for place in ("Work:up", "secret:up"):
        assert run_here("copy", source, place).returncode == 0
    storage.storages.conf.delete("secret")
    assert run_here("rename", "--remote", "Work", "office").returncode == 0
    assert run_here("rename", "office", "Office").returncode == 0
    other = connected(cloud, "business", name="Work")
    storage.storages.conf.add("secret", {"type": "alias", "remote": "work:"})
    assert [one.id for one in storage.storages.runs.last("office")] == [2, 1]
    for name in ("work", "secret"):
        assert run_here("history", name).stderr == "No run is recorded yet.\n"
    for number, name in ((1, "work"), (2, "secret")):
        told = run_here("again", number)
        assert told.returncode == StorageNotFound.exit_code
        assert f"'{name}' no longer belongs to the drive of run" in told.stderr
    assert other.list() == []


@pytest.mark.parametrize(("then", "now"), [("Backups", ""), ("", "Backups"), ("A", "B")])
def test_a_run_is_not_done_again_in_another_base_folder(
    cloud: Emulator, storage: Storage, source: Path, then: str, now: str
) -> None:
    """Formerly, `work:up` led elsewhere, and a repeated sync would have deleted files there."""
    storage.update(base_folder=then)
    storage.storages.conf.add("secret", {"type": "alias", "remote": "work:"})
    for place in ("Work:up", "secret:up"):
        assert run_here("copy", source, place).returncode == 0
    storage.update(base_folder=now)
    for number, name in ((1, "work"), (2, "secret")):
        told = run_here("again", number)
        assert told.returncode == UsageError.exit_code
        assert f"{name}: is no longer the same folder as in run {number}" in told.stderr
    assert storage.stat("up") is None
    storage.update(base_folder=then)
    assert run_here("again", 1).returncode == 0


def test_a_run_is_done_again_in_a_base_folder_that_was_moved(
    cloud: Emulator, storage: Storage, source: Path
) -> None:
    storage.update(base_folder="Backups")
    assert run_here("copy", source, "Work:up").returncode == 0
    drive = emulated_drive(cloud, "personal")
    drive.move(found(drive, "Backups"), drive.root, "Archive")
    assert storage.test().ok
    assert storage.remote.base_folder == "Archive"
    assert run_here("again", 1).returncode == 0
    assert names(drive, "Archive") == [
        *(f"{number}.txt" for number in range(FILES)),
        "up",
    ]


def test_a_run_is_done_again_in_a_base_folder_that_was_made_anew(
    cloud: Emulator, storage: Storage, source: Path
) -> None:
    """It has another id, but the paths lead to the same place: formerly, again refused."""
    storage.update(base_folder="Backups")
    assert run_here("copy", source, "Work:up").returncode == 0
    drive = emulated_drive(cloud, "personal")
    drive.delete(found(drive, "Backups"))
    storage.update(base_folder="Backups")
    told = run_here("again", 1)
    assert told.returncode == 0, told.stderr
    assert len(storage.list("up")) == FILES


def test_a_run_at_the_drives_root_is_done_again_below_another_base_folder(
    cloud: Emulator, storage: Storage, source: Path
) -> None:
    storage.update(base_folder="A")
    assert run_here("copy", source, "Work:/up").returncode == 0
    storage.update(base_folder="B")
    told = run_here("again", 1)
    assert told.returncode == 0, told.stderr
    assert len(storage.list("/up")) == FILES
    storage.update(base_folder="")  # this removes the remote that the run named
    assert run_here("again", 1).returncode == UsageError.exit_code


def test_a_run_through_an_alias_of_the_drive_is_done_again_below_another_base_folder(
    cloud: Emulator, storage: Storage, source: Path
) -> None:
    """A user's own alias of the drive bypasses the base folder: formerly, again refused."""
    storage.update(base_folder="A")
    storage.storages.conf.add("deep", {"type": "alias", "remote": "work-drive:deep"})
    assert run_here("copy", source, "deep:up").returncode == 0
    storage.update(base_folder="B")
    told = run_here("again", 1)
    assert told.returncode == 0, told.stderr
    assert len(storage.list("/deep/up")) == FILES


def test_options_are_shown_as_a_shell_takes_them_and_again_says_what_failed(
    cloud: Emulator, storage: Storage, source: Path
) -> None:
    cloud.faults.refuse(423, where="1.txt", times=None)
    options = ("--retries=1", "--suffix=.it's a $(copy)")
    assert run_here("copy", source, "Work:up", "--", *options).returncode == 7
    cloud.faults.clear()
    lines = run_here("history", 1).stdout.splitlines()
    line = next(line for line in lines if line.startswith("  options"))
    assert set(options) <= set(shlex.split(line))
    again = run_here("again", 1)
    assert again.returncode == 0
    assert again.stderr.startswith("Run 1 failed: ")


@pytest.mark.parametrize("words", ["copy {} Work:up", "copy Work:here {}/to", "check {} Work:here"])
def test_a_source_that_is_gone_is_named_again(
    cloud: Emulator, storage: Storage, source: Path, words: str
) -> None:
    storage.upload(source, "here").result()
    assert run_here(*words.format(source).split()).returncode == 0
    gone = words.format(source).split()[1].replace("Work:", "work:")
    shutil.rmtree(source)
    storage.delete("here").result()
    again = run_here("again", 2)
    assert (again.returncode, f"There is nothing at {gone!r}." in again.stderr) == (7, True)


def test_what_deletes_is_done_again_after_a_question_alone(
    cloud: Emulator, storage: Storage, source: Path
) -> None:
    storage.upload(source, "kept").result()
    assert run_here("sync", "--yes", source, "Work:up").returncode == 0
    (source / "0.txt").unlink()
    assert run_here("again", 2).returncode == 2
    told = run_here("again", 2, "--dry-run")
    assert (told.returncode, "would delete: 0.txt" in told.stdout) == (0, True)
    assert run_here("again", 2, "--yes").returncode == 0
    assert names(emulated_drive(cloud, "personal"), "up") == ["1.txt", "2.txt"]


@pytest.mark.parametrize("began", ["12:00:00", "00:00:01"])
def test_what_is_kept_for_days_goes_to_todays_folder_again(
    cloud: Emulator, storage: Storage, source: Path, monkeypatch: pytest.MonkeyPatch, began: str
) -> None:
    """Even if midnight comes between naming the folder and starting the run."""
    day = datetime.date.today()
    tomorrow = day + datetime.timedelta(1)
    monkeypatch.setattr("pluton_rclone.cli.transfers.today", lambda: day)
    kept = ("--backup-dir", "Work:old", "--keep-days", "5")
    for text in ("first", "second"):
        (source / "0.txt").write_text(text)
        assert run_here("copy", source, "Work:up", *kept).returncode == 0
    moment = datetime.datetime.fromisoformat(f"{day if began[0] == '1' else tomorrow}T{began}")
    with closing(sqlite3.connect(storage.storages.runs.path)) as db, db:
        db.execute("UPDATE runs SET began = ?", (moment.timestamp(),))
    monkeypatch.setattr("pluton_rclone.cli.history.today", lambda: tomorrow)
    (source / "0.txt").write_text("the third")
    assert run_here("again", 2).returncode == 0
    drive = emulated_drive(cloud, "personal")
    assert [drive.read(f"old/{one}/0.txt") for one in (day, tomorrow)] == [b"first", b"second"]


def test_restic_is_done_again_in_the_folder_that_it_was_started_in(
    storage: Storage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "restic"
    script.write_text(f'#!/bin/sh\nfor last; do :; done\ncat "$last" >> {tmp_path}/seen\n')
    script.chmod(0o755)
    monkeypatch.setenv("PLUTON_RESTIC_BINARY", str(script))
    for name in ("here", "there"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "data").write_text(name)
    monkeypatch.chdir(tmp_path / "here")
    assert run_here("restic", "Work:repository", "--", "backup", "data").returncode == 0
    monkeypatch.chdir(tmp_path / "there")
    assert run_here("again", 1).returncode == 0
    assert (tmp_path / "seen").read_text() == "herehere"
    assert {one.run.folder for one in storage.storages.runs.last()} == {str(tmp_path / "here")}


def test_a_killed_command_did_not_end(
    storage: Storage, tmp_path: Path, cloud: Emulator, forks: Forks
) -> None:
    (tmp_path / "file").write_bytes(b"content")
    at_work = Gate(cloud, "createUploadSession")
    with forks.started("copy", tmp_path / "file", "Work:up") as (process, _):
        at_work.wait()
        assert last(storage).ended == "running"
        process.send_signal(signal.SIGKILL)
        process.wait(PATIENCE)
    at_work.open()
    assert last(storage).ended == "did not end"
    assert "did not end" in run_here("history").stdout


def test_restic_is_recorded_and_done_again(
    cloud: Emulator, storage: Storage, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLUTON_RESTIC_BINARY", str(debian_restic()))
    monkeypatch.setenv("RESTIC_PASSWORD", "hunter2-geheim")
    write_repository(emulated_drive(cloud, "personal"), "repository", "hunter2-geheim")
    assert run_here("restic", "Work:repository", "--", "unlock").returncode == 0
    with storage.restic("repository") as opened:
        assert opened.run("backup", str(source)).returncode == 0
        with opened.start("snapshots", on_stdout=lambda block: None) as child:
            assert child.wait(PATIENCE) == 0
    assert run_here("again", 2).returncode == 0
    ran = [(one.run.options[0], one.ended) for one in storage.storages.runs.last()]
    assert ran == [
        ("backup", "done"),
        ("snapshots", "done"),
        ("backup", "done"),
        ("unlock", "done"),
    ]
    assert b"hunter2" not in storage.storages.runs.path.read_bytes()


def test_a_file_of_records_that_is_no_database_is_a_notice_and_the_copy_is_made(
    storage: Storage, source: Path
) -> None:
    storage.storages.runs.path.write_bytes(b"rclone" * 1000)
    done = run_here("copy", source, "Work:up")
    assert (done.returncode, done.stderr.count("recorded")) == (0, 1)
    assert run_here("history").returncode == 5


def test_a_restic_that_cannot_be_started_is_recorded_as_failed(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLUTON_RESTIC_BINARY", str(debian_restic()))
    with storage.restic("repository") as opened, pytest.raises(UsageError, match="NUL"):
        opened.start("snapshots", "\0")
    (record,) = storage.storages.runs.last(limit=1)
    assert record.ended == "failed"


def test_the_page_shows_the_last_ten_as_a_strip_and_one_as_a_page(
    cloud: Emulator, storage: Storage, source: Path
) -> None:
    folder = source.parent
    cloud.faults.refuse(423, where="1.txt", times=None)
    with at_the_page(local_folders=[folder]) as anna:
        assert "Last runs" not in anna.get("/storages/work").text
        anna.post("/storages/work/copy", {"local": str(source), "path": "up"})
        until_over(anna)
        shown = anna.get("/storages/work").text
        assert "Last runs" in shown
        one = anna.get("/storages/work/runs/1").text
        assert "1.txt" in one
        assert str(source) in one
        cloud.faults.clear()
        storage.upload(source, "up again").result()
        for _ in range(10):
            storage.storages.runs.begin(last(storage).run).exited(0)
        assert anna.get("/storages/work").text.count("/storages/work/runs/") == 10
        other = connected(cloud, "business", name="Other")
        assert anna.get(f"/storages/{other.remote_name}/runs/1").status_code == 400
        assert anna.get("/storages/work/runs/99").status_code == 400
        assert anna.get("/storages/work/runs/x").status_code == 400
        storage.storages.runs.path.write_bytes(b"rclone" * 1000)
        assert anna.get("/storages/work").status_code == 200
