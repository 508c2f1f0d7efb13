"""Every number of a result, compared with the emulator's content: with and without failures, and in
dry runs."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from pluton_rclone import Storage
from pluton_rclone.emulator import Emulator
from pluton_rclone.emulator.graph.patterns import item_address
from pluton_rclone.rclone.commands import LogLevel
from pluton_rclone.rclone.transfer import Transfer
from tests.command_line import run_here
from tests.connected import ANNA, connected, emulated_drive
from tests.gates import Gate

from .test_saved_complete import command

Count = Callable[[str], int]


@pytest.fixture
def storage(cloud: Emulator) -> Storage:
    return connected(cloud, "personal", name="home")


@pytest.fixture
def there(cloud: Emulator) -> Count:
    """The number of files in a folder of the drive."""
    drive = emulated_drive(cloud, "personal")

    def count(path: str) -> int:
        folder = drive.find(path)
        return 0 if folder is None else sum(item.content is not None for item in drive.walk(folder))

    return count


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    folder.mkdir()
    for number in range(30):
        (folder / f"{number:02}").write_bytes(b"x" * 10_000)
    return folder


def test_a_full_drive(storage: Storage, source: Path, cloud: Emulator, there: Count) -> None:
    emulated_drive(cloud, "personal").quota.total = 135_000
    # One by one: rclone does not notice what arrives beside the refusal that ends the run.
    first = storage.upload(source, "x", transfers=1).wait()
    assert (first.transfers, first.unchanged, there("x")) == (13, 0, 13)
    assert "ended before everything was tried" in str(first.error)
    # With check_first, because otherwise it may end before it has compared all.
    second = storage.upload(source, "x", check_first=True, transfers=1).wait()
    assert (second.transfers, second.unchanged, there("x")) == (0, 13, 13)


def test_what_a_second_round_brings_is_no_failure_and_was_not_there_before(
    storage: Storage, source: Path, cloud: Emulator, there: Count
) -> None:
    cloud.faults.refuse(409, times=5, where="createUploadSession")
    result = storage.upload(source, "x").result()
    assert (result.transfers, result.unchanged, result.failed, there("x")) == (30, 0, (), 30)


@pytest.mark.parametrize(
    "limit", [{"max_transfer": 150_000}, {"max_transfer": 150_000, "cutoff_mode": "soft"}]
)
def test_a_limit(storage: Storage, source: Path, there: Count, limit: dict[str, object]) -> None:
    result = storage.upload(source, "x", transfers=4, **limit).wait()  # type: ignore[arg-type]
    assert result.ended == "failed"
    # With "hard", rclone aborts and does not notice what arrives just then.
    unheard = 0 if limit.get("cutoff_mode") else 4
    assert 0 < result.transfers <= there("x") <= result.transfers + unheard < 30


# ---- "30 of 30 failed", where 13 had arrived: trouble in the middle of a run ----

Play = Callable[[Emulator, Transfer], None]
"""Once some files have arrived, while the others wait."""


def nothing_more(cloud: Emulator, transfer: Transfer) -> None:
    """Do nothing: the trouble was armed before."""


def killed(cloud: Emulator, transfer: Transfer) -> None:
    os.kill(transfer.pid, signal.SIGKILL)


def cancelled(cloud: Emulator, transfer: Transfer) -> None:
    transfer.cancel()


def reset(cloud: Emulator, transfer: Transfer) -> None:
    cloud.quirks.connection_reset()


def signed_out(cloud: Emulator, transfer: Transfer) -> None:
    cloud.world.revoke_tokens(cloud.world.person(ANNA))
    cloud.quirks.access_token_refused(ANNA)


SESSION = "createUploadSession"
TROUBLES: dict[str, tuple[Callable[[Emulator], object], Play, dict[str, object]]] = {
    "rclone is killed": (lambda cloud: None, killed, {}),
    "cancelled": (lambda cloud: None, cancelled, {}),
    "connections are reset": (lambda cloud: None, reset, {}),
    "signed out everywhere": (lambda cloud: None, signed_out, {}),
    "refused from the middle on": (
        lambda cloud: cloud.faults.refuse(403, times=None, where=SESSION, skip=13),
        nothing_more,
        {},
    ),
    "refused from the middle on, three rounds": (
        lambda cloud: cloud.faults.refuse(403, times=None, where=SESSION, skip=13),
        nothing_more,
        {"retries": 3},
    ),
    "a first round in which all fail, and a second that is cancelled": (
        lambda cloud: cloud.faults.refuse(403, times=30, where=SESSION),
        cancelled,
        {"retries": 3},
    ),
    "a first round in which all fail, and a second whose rclone is killed": (
        lambda cloud: cloud.faults.refuse(403, times=30, where=SESSION),
        killed,
        {"retries": 3},
    ),
    "a first round in which all fail, and a second with a limit": (
        lambda cloud: cloud.faults.refuse(403, times=30, where=SESSION),
        nothing_more,
        {"retries": 3, "max_transfer": 130_000, "cutoff_mode": "soft"},
    ),
    "a first round in which all fail, and a second in which some do": (
        lambda cloud: (
            cloud.faults.refuse(403, times=30, where=SESSION),
            cloud.faults.refuse(403, times=None, where=SESSION, skip=13),
        ),
        nothing_more,
        {"retries": 2},
    ),
    "throttled to the end": (
        lambda cloud: cloud.faults.throttle("0", times=None, where=SESSION, skip=13),
        nothing_more,
        {"low_level_retries": 1},
    ),
    "full in the middle": (
        lambda cloud: setattr(emulated_drive(cloud, "personal").quota, "total", 135_000),
        nothing_more,
        {"retries": 3, "transfers": 1},
    ),
    "the time of the folder is refused at the end": (
        lambda cloud: cloud.faults.refuse(403, times=None, method="PATCH"),
        nothing_more,
        {},
    ),
    "fragments are refused": (
        lambda cloud: cloud.faults.refuse(403, times=None, method="PUT", skip=13),
        nothing_more,
        {"low_level_retries": 1},
    ),
}


@pytest.mark.parametrize(
    ("trouble", "level"),
    [
        *((trouble, "DEBUG") for trouble in TROUBLES),
        *((trouble, "NOTICE") for trouble in TROUBLES if trouble.startswith("a first round")),
    ],
)
def test_trouble_in_the_middle_is_counted_as_it_is(
    storage: Storage, source: Path, cloud: Emulator, there: Count, trouble: str, level: LogLevel
) -> None:
    prepare, play, options = TROUBLES[trouble]
    (source / "folder").mkdir()
    (source / "01").rename(source / "folder/01")
    prepare(cloud)
    cloud.faults.latency = 0.01
    given = {"retries": 1, "transfers": 4, **options}
    gate = None if play is nothing_more else Gate(cloud, SESSION, lambda: there("x") >= 10)
    transfer = storage.upload(source, "x", log_level=level, **given)  # type: ignore[arg-type]
    if gate is not None:
        gate.wait()
        play(cloud, transfer)
        gate.open()
    result = transfer.wait()
    drive = emulated_drive(cloud, "personal")
    arrived = {path for path in ALL if drive.find(f"x/{path}") is not None}
    failed = {file.path for file in result.failed if not file.is_dir}
    assert failed & arrived == set()
    if result.ended == "done" or play is not nothing_more:
        assert result.transfers <= len(arrived)  # as its last report says
        return
    assert result.transfers == len(arrived) == there("x")
    if "ended before everything was tried" not in str(result.error) and "limit" not in trouble:
        assert failed | arrived == ALL


ALL = {f"{number:02}" for number in range(30)} - {"01"} | {"folder/01"}


def test_files_that_go_are_not_already_there(storage: Storage, source: Path, there: Count) -> None:
    storage.upload(source, "x").result()
    for number in range(7):
        (source / f"{number:02}").unlink()
    (source / "new").write_text("new")
    _, dry = command("sync", "--dry-run", source, "home:x")
    assert (dry["transfers"], dry["deletes"], dry["unchanged"], there("x")) == (1, 7, 23, 30)
    _, done = command("sync", "--yes", source, "home:x")
    assert (done["transfers"], done["deletes"], done["unchanged"], there("x")) == (1, 7, 23, 24)


def test_what_was_not_deleted_is_not_called_not_transferred(
    storage: Storage, source: Path, cloud: Emulator, there: Count
) -> None:
    storage.upload(source, "x").result()
    for number in range(3):
        (source / f"{number:02}").unlink()
    cloud.faults.refuse(403, times=None, method="DELETE")
    result = storage.rclone.sync(str(source), storage.at("x"), retries=1).wait()
    assert (result.deletes, there("x")) == (0, 30)
    assert str(result.error).startswith("3 files were not deleted")


def changed(source: Path, storage: Storage) -> None:
    """Changes since an upload: three files removed, two changed, one new."""
    storage.upload(source, "x").result()
    for number in range(3):
        (source / f"{number:02}").unlink()
    for name in ("03", "04", "new"):
        (source / name).write_bytes(b"changed")


def test_what_goes_to_the_backup_folder_is_kept_and_not_deleted(
    storage: Storage, source: Path, there: Count
) -> None:
    changed(source, storage)
    _, dry = command("sync", "--dry-run", "--backup-dir", "home:old", source, "home:x")
    assert (dry["transfers"], dry["deletes"], dry["kept"], there("old")) == (3, 0, 5, 0)
    _, done = command("sync", "--yes", "--backup-dir", "home:old", source, "home:x")
    assert (done["transfers"], done["deletes"], done["kept"]) == (3, 0, 5)
    assert (there("x"), there("old"), done["unchanged"]) == (28, 5, 25)
    (source / "03").write_bytes(b"once more")
    _, copied = command("copy", "--backup-dir", "home:older", source, "home:x")
    assert (copied["transfers"], copied["kept"], there("older")) == (1, 1, 1)


@pytest.mark.parametrize("away", [False, True])
def test_a_move_counts_what_it_keeps_apart_from_what_it_moves(
    storage: Storage, source: Path, there: Count, away: bool
) -> None:
    storage.upload(source, "x").result()
    for number in range(3):
        (source / f"{number:02}").write_bytes(b"changed")
    (source / "new").write_bytes(b"new")
    start: object = source
    if away:
        storage.upload(source, "y").result()
        start = "home:y"
    _, moved = command("move", "--yes", "--backup-dir", "home:old", start, "home:x")
    assert (there("x"), there("old")) == (31, 3)
    assert moved["kept"] == 3
    assert moved["transfers"] == 4


def test_a_sync_leaves_alone_what_an_earlier_one_kept_under_its_suffix(
    storage: Storage, source: Path, cloud: Emulator
) -> None:
    changed(source, storage)
    kept = {f"x/{number:02}.old-1" for number in range(5)}
    for run in range(3):
        _, done = command("sync", "--yes", "--suffix", ".old-1", source, "home:x")
        assert (done["deletes"], done["kept"]) == (0, 0 if run else 5)
        drive = emulated_drive(cloud, "personal")
        assert {item.path() for item in drive.walk() if "old" in item.path()} == kept
    (source / "folder").mkdir()
    (source / "folder/one.old-1").write_text("1")
    code, refused = command("sync", "--yes", "--suffix", ".old-1", source, "home:x")
    assert (code, "one.old-1" in refused["why"]) == (2, True)
    code, refused = command("sync", "--yes", "--suffix", ".old-1", "home:x", source)
    assert (code, "Choose a backup-dir" in refused["advice"]) == (2, True)


def twins(source: Path) -> None:
    (source / "A").write_text("a")
    (source / "a").write_text("a")


@pytest.mark.parametrize(
    "left_out", [lambda source: (source / "link").symlink_to("00"), twins], ids=["link", "twins"]
)
def test_a_dry_run_promises_no_deletion_that_the_sync_withholds(
    storage: Storage, source: Path, there: Count, left_out: Callable[[Path], None]
) -> None:
    storage.upload(source, "x").result()
    for number in range(7):
        (source / f"{number:02}").unlink()
    (source / "00").write_text("for the link")
    left_out(source)
    found = []
    for how in ("--dry-run", "--yes"):
        code, result = command("sync", how, source, "home:x")
        assert (code, result["deletes"]) == (7, 0)
        assert {one["action"] for one in result["planned"]} <= {"copy"}
        assert "deleted at the destination" in result["notices"][-1]
        found.append(result["transfers"])
    assert found[0] == found[1]
    assert there("x") >= 30


def test_a_dry_run_says_that_the_sync_would_stop_before_its_first_deletion(
    storage: Storage, source: Path, there: Count
) -> None:
    storage.upload(source, "x").result()
    for number in range(7):
        (source / f"{number:02}").unlink()
    limit = ("--max-delete", "3")
    _, dry = command("sync", "--dry-run", *limit, source, "home:x")
    assert (dry["deletes"], len(dry["planned"])) == (7, 7)
    assert "would delete 7 of the 30 files at the destination; the limit is 3" in dry["notices"][-1]
    code, _ = command("sync", "--yes", *limit, source, "home:x")
    assert (code, there("x")) == (7, 30)
    _, enough = command("sync", "--dry-run", "--max-delete", "7", source, "home:x")
    assert enough["notices"] == []


def test_a_folder_that_is_moved_or_deleted_in_one_go(
    storage: Storage, source: Path, there: Count
) -> None:
    storage.upload(source, "x").result()
    planned = storage.rclone.move(storage.at("x"), storage.at("y"), dry_run=True).result()
    assert (planned.folders, planned.transfers, there("x"), there("y")) == (1, 0, 30, 0)
    would_go = run_here("delete", "--dry-run", "home:x")
    assert "1 whole folder would be deleted" in would_go.stderr
    moved = storage.rclone.move(storage.at("x"), storage.at("y")).result()
    assert (moved.folders, moved.transfers, there("x"), there("y")) == (1, 0, 0, 30)
    deleted = storage.delete("y").result()
    assert (deleted.folders, deleted.deletes, there("y")) == (1, 0, 0)


def test_a_folder_that_cannot_be_listed_is_not_called_a_file(
    storage: Storage, source: Path, tmp_path: Path, cloud: Emulator
) -> None:
    drive = emulated_drive(cloud, "personal")
    drive.write("x/closed/inside", b"inside")
    cloud.faults.refuse(403, times=None, where=f"{item_address(drive, 'x/closed')}.*children")
    (source / "closed").mkdir()
    (source / "closed/inside").write_text("inside")
    ways: list[tuple[Callable[[], Transfer], str]] = [
        (lambda: storage.download("x", tmp_path / "back", retries=1), "transferred"),
        (lambda: storage.upload(source, "x", retries=1), "transferred"),
        (lambda: storage.delete("x", filters=["- a"], retries=1), "deleted"),
    ]
    for way, did in ways:
        error = way().wait().error
        assert str(error).startswith(f"1 folder was not {did}")
