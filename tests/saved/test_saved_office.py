"""Office files in document libraries, which SharePoint rewrites: transferred and reported; all
other files are checked as strictly as ever."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pluton_rclone import Storage
from pluton_rclone.emulator import Emulator
from pluton_rclone.errors import Corrupted, RcloneError, TransferFailed
from pluton_rclone.rclone.commands import Command, TransferOptions, transfer
from pluton_rclone.rclone.events import Progress
from pluton_rclone.saved.office import SAID, SUFFIXES, runs
from tests.connected import connected, emulated_drive
from tests.terminal import PATIENCE


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    (folder / "deep").mkdir(parents=True)
    (folder / "letter.txt").write_bytes(b"letter")
    (folder / "report.docx").write_bytes(b"PK" + bytes(2000))
    (folder / "deep" / "TABLE.XLSX").write_bytes(b"PK" + bytes(3000))
    return folder


@pytest.fixture
def library(cloud: Emulator) -> Storage:
    """A storage in a document library whose SharePoint rewrites Office files."""
    emulated_drive(cloud, "sharepoint").rewrites_office_files = True
    return connected(cloud, "sharepoint")


@pytest.fixture
def names(cloud: Emulator) -> Callable[[], set[str]]:
    """The names in the folder `x` of the library."""
    drive = emulated_drive(cloud, "sharepoint")

    def found() -> set[str]:
        return {item.path().removeprefix("x/") for item in drive.walk(drive.find("x"))} - {"x"}

    return found


def test_they_arrive_and_the_result_says_how(
    library: Storage, source: Path, names: Callable[[], set[str]]
) -> None:
    result = library.upload(source, "x").result()
    assert (result.transfers, result.bytes) == (3, 6 + 2002 + 3002)
    assert result.notices == (SAID,)
    assert result.record()["notices"] == [SAID]
    assert names() == {"letter.txt", "report.docx", "deep", "deep/TABLE.XLSX"}


def test_the_next_run_transfers_only_what_has_changed_since_whatever_is_compared(
    library: Storage, source: Path
) -> None:
    library.upload(source, "x").result()
    ways: list[TransferOptions] = [{}, {"size_only": True}, {"checksum": True}]
    for number, options in enumerate(ways):
        assert library.upload(source, "x", **options).result().transfers == 0
        if not options:
            (source / "report.docx").write_bytes(b"PK another one")
        os.utime(source / "report.docx", (2_000_000_000 + number, 2_000_000_000 + 60 * number))
        assert library.upload(source, "x", **options).result().transfers == 1


def test_they_are_found_behind_a_link_that_rclone_follows(
    library: Storage, source: Path, tmp_path: Path, names: Callable[[], set[str]]
) -> None:
    linked = tmp_path / "linked"
    linked.mkdir()
    (linked / "plain.txt").write_bytes(b"plain")
    (linked / "link").symlink_to(source, target_is_directory=True)
    result = library.upload(linked, "x", extra=["--copy-links"]).result()
    assert result.transfers == 4
    assert {"plain.txt", "link/letter.txt", "link/report.docx", "link/deep/TABLE.XLSX"} <= names()


@pytest.mark.parametrize(
    ("section", "at"),
    [
        ({"type": "combine", "upstreams": "mine=home: team=sharepoint:"}, "both:team/x"),
        ({"type": "union", "upstreams": "home:old:ro sharepoint:"}, "both:x"),
    ],
    ids=["combine", "union"],
)
def test_so_they_do_where_the_library_is_one_of_several_drives(
    cloud: Emulator,
    library: Storage,
    source: Path,
    names: Callable[[], set[str]],
    section: dict[str, str],
    at: str,
) -> None:
    connected(cloud, "personal", name="home")
    library.storages.conf.add("both", section)
    result = library.storages.rclone("both").copy(source, at).result()
    assert result.notices == (SAID,)
    assert names() == {"letter.txt", "report.docx", "deep", "deep/TABLE.XLSX"}


def test_they_are_checked_as_all_else_where_a_union_only_reads_the_library(
    cloud: Emulator, library: Storage, source: Path
) -> None:
    connected(cloud, "personal", name="home")
    library.storages.conf.add("both", {"type": "union", "upstreams": "home: sharepoint::ro"})
    result = library.storages.rclone("both").copy(source, "both:x").result()
    assert (result.transfers, result.notices) == (3, ())


def test_without_office_files_there_is_one_run_and_nothing_to_say(
    library: Storage, source: Path
) -> None:
    (source / "report.docx").unlink()
    (source / "deep" / "TABLE.XLSX").unlink()
    result = library.upload(source, "x").result()
    assert (result.transfers, result.notices) == (1, ())


def test_on_other_drives_everything_is_compared(cloud: Emulator, source: Path) -> None:
    assert connected(cloud, "business").upload(source, "x").result().notices == ()


def test_a_sync_removes_what_the_source_does_not_have(
    library: Storage, source: Path, tmp_path: Path, names: Callable[[], set[str]]
) -> None:
    library.upload(source, "x").result()
    more = tmp_path / "more"
    for name in (
        "old.pptx",
        "only-office/a.docx",
        "only-others/b.txt",
        "both/c.docx",
        "both/d.txt",
    ):
        (more / name).parent.mkdir(parents=True, exist_ok=True)
        (more / name).write_bytes(b"old")
    library.upload(more, "x").result()
    result = library.rclone.sync(source, library.at("x")).result()
    assert result.deletes == 5
    assert names() == {"letter.txt", "report.docx", "deep", "deep/TABLE.XLSX"}


def test_a_move_leaves_nothing_behind(library: Storage, source: Path) -> None:
    assert library.rclone.move(source, library.at("x")).result().transfers == 3
    assert [path for path in source.rglob("*") if path.is_file()] == []


def test_a_dry_run_plans_both(library: Storage, source: Path) -> None:
    planned = library.upload(source, "x", dry_run=True).result().planned
    assert {plan.path for plan in planned if plan.action == "copy"} == {
        "letter.txt",
        "report.docx",
        "deep/TABLE.XLSX",
    }


def test_rules_that_exclude_hold_for_office_files(
    library: Storage, source: Path, names: Callable[[], set[str]]
) -> None:
    library.upload(source, "x", filters=["- /deep/**"]).result()
    assert names() == {"letter.txt", "report.docx"}


@pytest.mark.parametrize(
    ("rules", "found"),
    [
        (["+ /report.docx", "- *"], {"report.docx"}),
        (["+ *.xlsx", "+ *.txt", "- **"], {"letter.txt"}),
        (["+ *.{XLSX,txt}", "- **"], {"letter.txt", "deep", "deep/TABLE.XLSX"}),
        (["+ /deep/**", "- *"], {"deep", "deep/TABLE.XLSX"}),
        (["- *.docx", "+ *", "- /deep/**"], {"letter.txt", "deep", "deep/TABLE.XLSX"}),
    ],
)
def test_rules_that_include_hold_for_office_files(
    library: Storage,
    source: Path,
    names: Callable[[], set[str]],
    rules: list[str],
    found: set[str],
) -> None:
    options: TransferOptions = {"filters": rules, "create_empty_src_dirs": False}
    library.upload(source, "x", **options).result()
    assert names() == found
    assert library.upload(source, "x", **options).result().transfers == 0


def test_flags_and_rules_that_take_ours_back_leave_it_to_the_caller(
    library: Storage, source: Path, names: Callable[[], set[str]]
) -> None:
    with pytest.raises(Corrupted, match="report") as caught:
        library.upload(source, "x", filters=["!", "+ /report.docx", "- *"], retries=1).result()
    assert "Office files" in caught.value.advice
    ignoring = ["--ignore-size", "--ignore-checksum"]
    library.upload(source, "x", filters=["!", "+ /report.docx", "- *"], extra=ignoring).result()
    assert names() == {"report.docx"}


ENDS = ["", ".", ".txt", ".doc", ".docxx", ".docx.gz", ".xlsx~", "docx", ".pps", ".ppsx.b", ".d"]


def test_the_second_run_takes_each_name_that_the_first_leaves_out_and_no_other(
    library: Storage, tmp_path: Path
) -> None:
    folder = tmp_path / "all"
    folder.mkdir()
    for end in (*SUFFIXES, *map(str.upper, SUFFIXES), *ENDS):
        (folder / f"a{end}").write_bytes(b"PK")
        (folder / f"b.c{end}").write_bytes(b"PK")
    found, taken = runs(transfer("copy", folder, "x:", {"filters": ["- c"]})), []
    for run in (found.first, found.office):
        assert run is not None
        listed = Command(("lsf",), ("--filter-from=-",), (str(folder),), run.stdin)
        taken.append(set(library.rclone.execute(listed).stdout.decode().split()))
    first, second = taken
    assert second == {name for name in os.listdir(folder) if name.lower().endswith(SUFFIXES)}
    assert first == set(os.listdir(folder)) - second


def test_a_name_that_only_rclone_takes_for_one_of_the_types_arrives(
    library: Storage, tmp_path: Path, names: Callable[[], set[str]]
) -> None:
    """Formerly, the first run left it out, and there was no second one."""
    (tmp_path / "alone").mkdir()
    (tmp_path / "alone/table.xl\u017fx").write_bytes(b"PK")
    library.upload(tmp_path / "alone", "x").result()
    assert names() == {"table.xl\u017fx"}


def test_a_file_that_fails_in_the_first_run_is_told_after_the_second(
    cloud: Emulator, library: Storage, source: Path, names: Callable[[], set[str]]
) -> None:
    (source / ".lock").write_bytes(b"a name that OneDrive refuses")
    with pytest.raises(TransferFailed) as caught:
        library.upload(source, "x", retries=1).result()
    result = caught.value.result
    assert [file.path for file in result.failed] == [".lock"]
    assert (result.transfers, result.ended) == (3, "failed")
    assert "report.docx" in names()


def test_cancelled_between_the_runs_it_does_not_look_done(
    library: Storage, source: Path, names: Callable[[], set[str]]
) -> None:
    (source / "big.bin").write_bytes(bytes(20_000_000))
    transfer = library.upload(source, "x", bwlimit="1Mi")
    next(iter(transfer))
    assert transfer.cancel().ended == "cancelled"
    assert "report.docx" not in names()


def test_looking_for_office_files_holds_no_cancel_up(
    library: Storage, source: Path, monkeypatch: pytest.MonkeyPatch, names: Callable[[], set[str]]
) -> None:
    """A source of millions of files takes time to scan."""
    looking, found = threading.Event(), []

    def look(folder: str, is_enough: Callable[[], bool]) -> bool:
        looking.set()
        while not is_enough():
            time.sleep(0.01)
        found.append(folder)
        return True

    monkeypatch.setattr("pluton_rclone.saved.office.has_office_files", look)
    transfer = library.upload(source, "x")
    assert looking.wait(PATIENCE)
    result = transfer.cancel()
    assert result.ended == "cancelled"
    assert found == [str(source)]
    assert names() == {"letter.txt", "deep"}


def test_a_second_run_that_cannot_start_is_the_error(
    library: Storage, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def look(folder: str, is_enough: Callable[[], bool]) -> bool:
        raise OSError("the source is gone")

    monkeypatch.setattr("pluton_rclone.saved.office.has_office_files", look)
    with pytest.raises(RcloneError, match="the source is gone") as caught:
        library.upload(source, "x").result()
    assert caught.value.result.ended == "failed"


def test_events_count_both_runs(library: Storage, source: Path) -> None:
    seen = [event for event in library.upload(source, "x").events() if isinstance(event, Progress)]
    assert seen[-1].transfers == 3


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_every_type_is_left_out_of_the_first_run_and_alone_in_the_second(
    tmp_path: Path, suffix: str
) -> None:
    found = runs(transfer("copy", tmp_path, "x:", {"filters": ["- *.tmp"]}))
    assert found.office is not None
    first, second = found.first.stdin, found.office.stdin
    assert isinstance(first, bytes)
    assert isinstance(second, bytes)
    assert suffix[1:].encode() in first.splitlines()[0]
    assert first.splitlines()[1:] == second.splitlines()[1:] == [b"- *.tmp"]
    assert set(found.office.flags) - set(found.first.flags) == {
        "--ignore-size",
        "--ignore-checksum",
    }


@pytest.mark.parametrize(
    "extra",
    [["--include=*.txt"], ["--files-from", "list"], ["--ignore-size"], ["--delete-excluded"]],
)
def test_what_the_caller_decides_stays_one_run(tmp_path: Path, extra: list[str]) -> None:
    command = transfer("copy", tmp_path, "x:", {"extra": extra})
    assert runs(command) == (command, None, False)


def test_a_single_file(library: Storage, source: Path, names: Callable[[], set[str]]) -> None:
    assert library.upload(source / "report.docx", "x").result().notices == (SAID,)
    assert library.upload(source / "letter.txt", "x").result().notices == ()
    assert names() == {"report.docx", "letter.txt"}


@pytest.mark.parametrize("way", ["copy", "sync", "move"])
def test_those_in_a_list_arrive_and_replace_what_is_there(
    library: Storage, source: Path, names: Callable[[], set[str]], way: str
) -> None:
    listed = ["report.docx", "deep/TABLE.XLSX", "letter.txt"]
    library.upload(source, "x").result()
    (source / "report.docx").write_bytes(b"PK" + bytes(2500))
    os.utime(source / "report.docx", (2e9, 2e9))
    run = getattr(library.rclone, way)
    result = run(str(source), library.at("x"), files_from=listed).result()
    assert (result.transfers, result.notices) == (1, (SAID,))
    assert names() == {"letter.txt", "report.docx", "deep", "deep/TABLE.XLSX"}
    entry = library.stat("x/report.docx")
    assert entry is not None
    assert entry.size > 2500


def test_a_list_without_them_or_of_them_alone_is_one_run(tmp_path: Path) -> None:
    strict = transfer("copy", tmp_path, "x:", {"files_from": ["a.txt"]})
    assert runs(strict) == (strict, None, False)
    first, second, ignoring = runs(transfer("copy", tmp_path, "x:", {"files_from": ["a.docx"]}))
    assert (second, ignoring, first.stdin) == (None, True, b"a.docx\n")
    assert "--ignore-checksum" in first.flags
