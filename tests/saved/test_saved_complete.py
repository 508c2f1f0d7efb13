"""Complete means complete: the result names everything that rclone omits with exit code 0."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from pluton_rclone import Storage
from pluton_rclone.emulator import Emulator
from pluton_rclone.errors import NameRefused, RcloneError, TransferFailed
from pluton_rclone.rclone.results import TransferResult
from tests.command_line import run_here
from tests.connected import connected, emulated_drive
from tests.gates import Gate


@pytest.fixture
def storage(cloud: Emulator) -> Storage:
    return connected(cloud, "personal", name="home")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    folder.mkdir()
    return folder


def command(*words: object) -> tuple[int, dict[str, Any]]:
    """The exit code, and the last record on stdout."""
    done = run_here(words[0], "--json", *words[1:])
    lines = done.stdout.splitlines()
    record = json.loads(lines[-1]) if lines else json.loads(done.stderr.splitlines()[-1])
    return done.returncode, record.get("result", record)


def failed(result: TransferResult) -> list[str]:
    return sorted(file.path for file in result.failed)


def on_drive(cloud: Emulator) -> set[str]:
    """Every path on the drive; folders end with a slash."""
    items = emulated_drive(cloud, "personal").walk()
    return {item.path() + "/" * item.is_folder for item in items if item.path()}


def twin_folders(source: Path) -> None:
    for name in ("Photos/a", "photos/b"):
        (source / name).parent.mkdir()
        (source / name).write_text(name)


def test_of_two_folders_alike_but_for_case_the_one_left_out_is_named(
    storage: Storage, source: Path, cloud: Emulator
) -> None:
    twin_folders(source)
    with pytest.raises(TransferFailed, match="1 folder was not transferred") as caught:
        storage.upload(source, "x").result()
    (left_out,) = caught.value.result.failed
    assert left_out.path in ("Photos", "photos")
    assert isinstance(left_out.error, NameRefused)
    check = storage.check(source, "x")
    assert (check.same, [file.path for file in check.failed]) == (False, [left_out.path])


def test_the_command_line_says_so_too(storage: Storage, source: Path) -> None:
    twin_folders(source)
    for word in ("copy", "check"):
        code, result = command(word, source, "home:x")
        assert code == 7
        assert [file["path"].lower() for file in result["failed"]] == ["photos"]


@pytest.fixture
def of_all(cloud: Emulator) -> Storage:
    """A storage whose sign-in also reaches files that others share."""
    return connected(cloud, "personal", name="all", granted_scopes=("Files.ReadWrite.All",))


def with_two_bilder(cloud: Emulator) -> None:
    """A folder of one's own, and a shortcut to another person's folder of the same name, renamed in
    vain."""
    mine, theirs = emulated_drive(cloud, "personal"), emulated_drive(cloud, "business")
    for number in range(2):
        mine.write(f"Bilder/mine {number}.jpg", b"mine")
    for number in range(4):
        theirs.write(f"Bilder/theirs {number}.jpg", b"theirs")
    bilder = theirs.find("Bilder")
    assert bilder is not None
    theirs.share(bilder, "anna@outlook.com")
    mine.add_shortcut(theirs, bilder, "Bilder von Bert")


def test_two_folders_of_one_name_on_the_drive_are_no_complete_restore(
    of_all: Storage, tmp_path: Path, cloud: Emulator
) -> None:
    with_two_bilder(cloud)
    transfer = of_all.download("", tmp_path / "back")
    assert failed(transfer.wait()) == ["Bilder"]
    assert not of_all.check(tmp_path / "back", "").same
    code, result = command("check", "all:", tmp_path / "back")
    assert (code, [file["path"] for file in result["failed"]]) == (7, ["Bilder"])


def test_a_listing_has_the_names_that_the_drive_shows_each_with_its_own_content(
    of_all: Storage, cloud: Emulator
) -> None:
    with_two_bilder(cloud)
    for by in ("auto", "feed"):
        found = sorted(entry.path for entry in of_all.walk("", by=by) if not entry.is_dir)
        assert found == [
            *(f"Bilder von Bert/theirs {number}.jpg" for number in range(4)),
            *(f"Bilder/mine {number}.jpg" for number in range(2)),
        ]
        assert None not in (of_all.stat(found[0]), of_all.stat(found[-1]))
    assert of_all.size().count == 6
    with pytest.raises(RcloneError, match="two folders with the name 'Bilder'"):
        list(of_all.walk("", by="folders"))


def test_links_are_named_until_somebody_says_what_becomes_of_them(
    storage: Storage, source: Path, cloud: Emulator
) -> None:
    (source / "real").mkdir()
    (source / "real/file").write_text("content")
    os.symlink("real/file", source / "to a file")
    os.symlink("real", source / "to a folder")
    links = ["to a file", "to a folder"]
    assert failed(storage.upload(source, "x").wait()) == links
    assert sorted(file.path for file in storage.check(source, "x").failed) == links
    assert storage.check(source, "x", skip_links=True).same
    assert storage.upload(source, "x", skip_links=True).result().transfers == 0
    storage.upload(source, "kept", links=True).result()
    assert storage.check(source, "kept", links=True).same
    assert {"kept/to a file.rclonelink", "kept/to a folder.rclonelink"} <= on_drive(cloud)
    storage.upload(source, "followed", copy_links=True).result()
    assert storage.check(source, "followed", copy_links=True).same
    assert {"followed/to a file", "followed/to a folder/file"} <= on_drive(cloud)


def test_a_dry_run_with_links_plans_what_the_sync_then_does(
    storage: Storage, source: Path, cloud: Emulator
) -> None:
    emulated_drive(cloud, "personal").write("x/extra", b"extra")
    (source / "file").write_text("content")
    os.symlink("file", source / "to a file")
    os.symlink("nowhere", source / "to nothing")
    dry, done = (
        storage.rclone.sync(str(source), storage.at("x"), links=True, dry_run=dry).result()
        for dry in (True, False)
    )
    assert (dry.transfers, dry.bytes, dry.deletes) == (done.transfers, done.bytes, done.deletes)
    assert ("delete", "extra") in {(one.action, one.path) for one in dry.planned}


@pytest.mark.parametrize(
    ("word", "option"), [("copy", "--links"), ("sync", "--copy-links"), ("move", "--skip-links")]
)
def test_every_transfer_takes_the_options_for_links(
    storage: Storage, source: Path, word: str, option: str
) -> None:
    (source / "file").write_text("content")
    (source.parent / "outside").write_text("more")
    os.symlink("../outside", source / "link")
    sure = () if word == "copy" else ("--yes",)
    code, result = command(word, option, *sure, source, "home:x")
    assert (code, result["failed"]) == (0, [])
    assert result["transfers"] == (1 if option == "--skip-links" else 2)
    if word != "move":
        assert command("check", option, source, "home:x")[0] == 0


def test_a_pipe_is_named_and_nothing_is_missing_for_it(storage: Storage, source: Path) -> None:
    os.mkfifo(source / "pipe")
    (source / "file").write_text("content")
    result = storage.upload(source, "x").result()
    assert [one.path for one in result.left_out] == ["pipe"]
    code, record = command("check", source, "home:x")
    assert (code, [one["path"] for one in record["left_out"]]) == (0, ["pipe"])


@pytest.mark.parametrize("way", ["upload", "sync", "move"])
def test_empty_folders_arrive(storage: Storage, source: Path, cloud: Emulator, way: str) -> None:
    (source / "empty/er").mkdir(parents=True)
    (source / "file").write_text("content")
    if way == "upload":
        storage.upload(source, "x").result()
    else:
        getattr(storage.rclone, way)(str(source), storage.at("x")).result()
    assert on_drive(cloud) == {"x/", "x/empty/", "x/empty/er/", "x/file"}


def test_a_link_in_the_destination_is_no_failure_of_a_restore(
    storage: Storage, tmp_path: Path, cloud: Emulator
) -> None:
    emulated_drive(cloud, "personal").write("x/file", b"content")
    back = tmp_path / "back"
    back.mkdir()
    os.symlink("elsewhere", back / "link")
    result = storage.download("x", back).result()
    assert [one.path for one in result.left_out] == ["link"]
    assert (back / "file").read_bytes() == b"content"


def test_a_notebook_cannot_be_downloaded_and_is_named_unless_it_is_excluded(
    storage: Storage, tmp_path: Path, cloud: Emulator
) -> None:
    emulated_drive(cloud, "personal").write("x/file", b"content")
    emulated_drive(cloud, "personal").add_notebook("x/Notes")
    assert failed(storage.download("x", tmp_path / "back").wait()) == ["Notes"]
    assert storage.download("x", tmp_path / "back", filters=["- /Notes"]).wait().ok
    code, result = command("check", "home:x", tmp_path / "back")
    assert (code, [file["path"] for file in result["failed"]]) == (7, ["Notes"])


@pytest.mark.parametrize("name", ["link", "gone", "pipe"])
def test_a_source_that_is_a_link_or_no_file_is_refused_in_words(
    storage: Storage, source: Path, name: str
) -> None:
    (source / "file").write_text("content")
    os.symlink("file", source / "link")
    os.symlink("nowhere", source / "gone")
    os.mkfifo(source / "pipe")
    code, error = command("copy", source / name, "home:x")
    assert code in (2, 7)
    assert {"link": "a link to", "gone": "a link to", "pipe": "neither a file nor a folder"}[
        name
    ] in error["what"]


def with_twins(source: Path) -> dict[str, str]:
    """Files and folders that differ only in case or in the form of an accent, and one that fails,
    after which rclone tries all again: their contents by path."""
    contents = {
        "Report.txt": "first report",
        "report.txt": "2nd",
        "P/x": "upper folder",
        "p/x": "lower",
        "caf\u00e9": "composed",
        "cafe\u0301": "apart",
        "other": "other",
        "CON": "refused",
    }
    for path, content in contents.items():
        (source / path).parent.mkdir(exist_ok=True)
        (source / path).write_text(content)
    return contents


def on_disk(folder: Path) -> dict[str, str]:
    paths = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_text() for path in paths}


@pytest.mark.parametrize("runs", [1, 2])
@pytest.mark.parametrize("way", ["disk", "remote"])
def test_a_move_takes_nothing_away_while_two_names_are_one_at_the_destination(
    storage: Storage, source: Path, cloud: Emulator, runs: int, way: str
) -> None:
    contents = with_twins(source)
    with open(os.environ["RCLONE_CONFIG"], "a") as conf:
        conf.write("[disk]\ntype = local\n")
    rclone = storage.storages.rclone("home", "disk")
    start = str(source) if way == "disk" else f"disk:{source}"
    for _ in range(runs):
        result = rclone.move(start, storage.at("x")).wait()
        assert on_disk(source) == contents
        assert {"report.txt", "p", "con"} <= {name.lower() for name in failed(result)}
        assert any("Nothing was removed" in notice for notice in result.notices)
    assert "x/other" in on_drive(cloud)


def test_a_move_goes_on_where_one_of_the_twins_is_left_out(
    storage: Storage, source: Path, cloud: Emulator
) -> None:
    with_twins(source)
    rules = ["- /report.txt", "- /p/**", "- cafe\u0301", "- /CON"]
    storage.rclone.move(str(source), storage.at("x"), filters=rules).result()
    assert set(on_disk(source)) == {"report.txt", "p/x", "cafe\u0301", "CON"}
    assert {"x/Report.txt", "x/P/x", "x/caf\u00e9", "x/other"} <= on_drive(cloud)


@pytest.mark.parametrize(
    ("path", "options"),
    [("there", ["--one-way"]), ("there", ["--include", "*.typo"]), ("missing", [])],
)
def test_a_check_that_has_nothing_to_compare_is_no_success(
    storage: Storage, source: Path, cloud: Emulator, path: str, options: list[str]
) -> None:
    emulated_drive(cloud, "personal").write("there/file", b"content")
    code, error = command("check", *options, source, f"home:{path}")
    assert code == 7
    assert "Nothing was compared" in error["what"]
    assert "unmounted disk" in error["why"]


def test_two_empty_folders_that_are_there_are_the_same(
    storage: Storage, source: Path, cloud: Emulator
) -> None:
    emulated_drive(cloud, "personal").folder("empty")
    assert command("check", source, "home:empty")[0] == 0
    # as in a plan for many drives, whose sharded downloads end with such a check
    assert command("check", "--one-way", "--exclude", "*.tmp", "home:empty", source)[0] == 0
    (source.parent / "other").mkdir()
    assert storage.rclone.check(source, source.parent / "other").same


@pytest.mark.parametrize("word", ["copy", "sync"])
@pytest.mark.parametrize(("here", "there"), [("name/inside", "x/name"), ("name", "x/name/inside")])
def test_a_name_that_was_a_file_and_is_a_folder_says_what_to_delete(
    storage: Storage, source: Path, cloud: Emulator, here: str, there: str, word: str
) -> None:
    emulated_drive(cloud, "personal").write(there, b"before")
    (source / here).parent.mkdir(exist_ok=True)
    (source / here).write_text("now")
    result = getattr(storage.rclone, word)(str(source), storage.at("x")).wait()
    advice = [file.error.advice for file in result.failed if file.path == here]
    assert len(advice) == 1
    assert "delete it there" in advice[0]
    assert "x/name" in {path.rstrip("/") for path in on_drive(cloud)}


def test_a_move_of_what_cannot_all_be_read_copies_the_rest_and_names_it(
    storage: Storage, source: Path, tmp_path: Path, cloud: Emulator
) -> None:
    drive = emulated_drive(cloud, "personal")
    for name in ("x/closed/one", "x/open/two"):
        drive.write(name, b"content")
    closed = drive.folder("x/closed")
    cloud.faults.refuse(404, times=None, where=closed.id)
    result = storage.rclone.move("home:x", str(tmp_path / "out")).wait()
    assert (result.ok, failed(result)) == (False, ["closed"])
    assert any("Nothing was removed" in notice for notice in result.notices)
    assert (tmp_path / "out/open/two").exists()
    assert {"x/closed/one", "x/open/two"} <= on_drive(cloud)


def test_a_move_that_could_read_all_only_the_second_time_is_no_success(
    storage: Storage, tmp_path: Path, cloud: Emulator
) -> None:
    drive = emulated_drive(cloud, "personal")
    drive.write("x/closed/one", b"content")
    cloud.faults.refuse(404, times=1, where=drive.folder("x/closed").id)
    result = storage.rclone.move("home:x", str(tmp_path / "out"), retries=1).wait()
    assert (result.ok, result.retry_helps, result.failed) == (False, True, ())
    assert (tmp_path / "out/closed/one").exists()
    assert "x/closed/one" in on_drive(cloud)


def test_a_move_that_may_overwrite_nothing_takes_the_rest(
    storage: Storage, tmp_path: Path, cloud: Emulator
) -> None:
    for name in ("x/there", "x/new"):
        emulated_drive(cloud, "personal").write(name, b"content")
    (tmp_path / "there").write_text("another one")
    result = storage.rclone.move("home:x", tmp_path, immutable=True).wait()
    assert failed(result) == ["there"]
    assert on_drive(cloud) == {"x/", "x/there"}


@pytest.mark.parametrize("runs", [1, 2])
def test_nor_within_a_drive_into_a_folder_that_is_there(
    storage: Storage, cloud: Emulator, runs: int
) -> None:
    """If it does not exist there, the folder is moved as a whole."""
    drive = emulated_drive(cloud, "personal")
    twins = ("caf\u00e9", "cafe\u0301")
    for name in twins:
        drive.write(f"x/{name}", name.encode())
    drive.folder("there")
    for _ in range(runs):
        result = storage.rclone.move("home:x", "home:there").wait()
        assert len(failed(result)) == 1
        assert {f"x/{name}" for name in twins} <= on_drive(cloud)
    assert storage.rclone.move("home:x", "home:new").result().folders == 1
    assert on_drive(cloud) >= {f"new/{name}" for name in twins}


def test_nor_within_a_library_where_office_files_go_by_themselves(cloud: Emulator) -> None:
    drive, twins = emulated_drive(cloud, "sharepoint"), {"x/caf\u00e9", "x/cafe\u0301"}
    for name in twins:
        drive.write(name, name.encode())
    storage = connected(cloud, "sharepoint", name="library")
    result = storage.rclone.move("library:x", "library:new").wait()
    assert len(failed(result)) == 1
    assert {item.path() for item in drive.walk()} >= twins


@pytest.mark.parametrize("word", ["copy", "move"])
def test_a_file_that_goes_before_it_has_arrived_is_named(
    cloud: Emulator, storage: Storage, source: Path, word: str
) -> None:
    """rclone removes what it cannot compare, also in an earlier version's place; it ends with 0."""
    emulated_drive(cloud, "personal").write("x/a.txt", b"earlier")
    (source / "a.txt").write_bytes(b"later")
    (source / "b.txt").write_bytes(b"b")
    sending = Gate(cloud, "a.txt.*createUploadSession|PUT .*a.txt")
    transfer = getattr(storage.rclone, word)(str(source), "home:x")
    sending.wait()
    (source / "a.txt").unlink()
    sending.open()
    result = transfer.wait()
    assert (result.ended, failed(result), result.retry_helps) == ("failed", ["a.txt"], False)
    assert "recycle bin" in result.failed[0].error.advice
    assert on_drive(cloud) == {"x/", "x/b.txt"}


def test_of_two_moves_of_the_same_at_once_the_later_is_refused(
    cloud: Emulator, storage: Storage, source: Path
) -> None:
    """It would miss what the first has taken away, and remove it where that has brought it."""
    (source / "a.txt").write_bytes(b"kept")
    sending = Gate(cloud, "createUploadSession|PUT")
    first = storage.rclone.move(str(source), "home:x")
    sending.wait()
    with pytest.raises(TransferFailed, match="is being moved already"):
        storage.rclone.move(source, "home:x")
    assert storage.storages.runs.last()[0].error is not None
    storage.rclone.move(source, "home:x", dry_run=True).result()
    sending.open()
    assert first.result().transfers == 1
    assert on_drive(cloud) == {"x/", "x/a.txt"}
    assert storage.rclone.move(source, "home:x").result().ok


@pytest.mark.parametrize(("going", "later"), [(".", "part"), ("part", "."), ("part", "part/a.txt")])
def test_nor_may_a_part_of_it_or_a_folder_above_it_be_moved(
    cloud: Emulator, storage: Storage, source: Path, going: str, later: str
) -> None:
    (source / "part").mkdir()
    (source / "part/a.txt").write_bytes(b"kept")
    sending = Gate(cloud, "createUploadSession|PUT")
    first = storage.rclone.move(source / going, "home:x")
    sending.wait()
    with pytest.raises(TransferFailed, match="is being moved already"):
        storage.rclone.move(source / later, "home:y")
    sending.open()
    assert first.result().transfers == 1


def test_two_folders_beside_each_other_may_be_moved_at_once(
    cloud: Emulator, storage: Storage, source: Path
) -> None:
    for name in ("one", "two"):
        (source / name).mkdir()
        (source / name / "a.txt").write_bytes(b"kept")
    sending = Gate(cloud, "createUploadSession|PUT")
    first = storage.rclone.move(source / "one", "home:one")
    sending.wait()
    second = storage.rclone.move(source / "two", "home:two")
    sending.open()
    assert first.result().transfers == second.result().transfers == 1
