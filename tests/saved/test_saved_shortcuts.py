"""A shortcut's target is in another person's drive: deleting a shortcut must not delete it."""

from __future__ import annotations

import os
import posixpath
from pathlib import Path

import pytest

from pluton_rclone import Storage, rclone_python
from pluton_rclone.emulator import Emulator
from pluton_rclone.emulator.drives.drive import Drive
from pluton_rclone.errors import RcloneError, TransferFailed, UsageError
from pluton_rclone.rclone.commands import Command, TransferOptions
from pluton_rclone.saved.shortcuts import Shortcuts
from tests.connected import BERT, connected, emulated_drive

from .test_saved_complete import command

ADMIN = "admin@contoso.onmicrosoft.com"
THEIRS = {"Team/t1.txt", "Team/sub/t2.txt"}


@pytest.fixture
def theirs(cloud: Emulator) -> Drive:
    """The administrator's drive; Bert may write to its folder Team."""
    drive = cloud.files.drive_of(ADMIN)
    for path in THEIRS:
        drive.write(path, b"theirs")
    drive.share(drive.folder("Team"), BERT)
    return drive


@pytest.fixture
def mine(cloud: Emulator, theirs: Drive) -> Drive:
    """Bert's drive, with a shortcut of the same name."""
    drive = emulated_drive(cloud, "business")
    drive.write("docs/old.tmp", b"mine")
    drive.add_shortcut(theirs, theirs.folder("Team"), "Team")
    return drive


@pytest.fixture
def storage(cloud: Emulator, mine: Drive) -> Storage:
    return connected(cloud, "business", name="work", granted_scopes=("Files.ReadWrite.All",))


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    folder.mkdir()
    (folder / "a.txt").write_text("a")
    return folder


def files(drive: Drive) -> set[str]:
    return {item.path() for item in drive.walk() if not item.is_folder and item.content}


def test_a_shortcut_is_not_deleted_with_what_it_leads_to(
    storage: Storage, mine: Drive, theirs: Drive
) -> None:
    for more in ("--dry-run", "--yes"):
        code, refused = command("delete", more, "work:Team")
        assert (code, refused["error"], refused["who"]) == (2, "usage", "you")
        assert "'work:Team' is a shortcut" in refused["what"]
        assert "Remove the shortcut in OneDrive on the web" in refused["advice"]
    with pytest.raises(UsageError, match="is a shortcut"):
        storage.rclone.run("purge", places=["work:team"])
    with pytest.raises(UsageError, match="is a shortcut"):
        storage.rclone.delete("work:Team")
    for compatible in (rclone_python.purge, rclone_python.delete):
        with pytest.raises(UsageError, match="is a shortcut"):
            compatible("work:Team")
    with pytest.raises(TransferFailed, match=r"'Team/t1\.txt', which is in another drive"):
        rclone_python.delete("work:", args=["--include", "t1.txt"])
    assert files(theirs) == THEIRS
    assert mine.find("Team") is not None


def test_nor_is_one_that_has_a_name_of_its_own(
    storage: Storage, mine: Drive, theirs: Drive
) -> None:
    """rclone lists it under its target's name, and deletes the target."""
    mine.add_shortcut(theirs, theirs.folder("Team"), "Our team", mine.folder("docs"))
    with pytest.raises(UsageError, match="is a shortcut"):
        storage.delete("docs/Our team")
    assert files(theirs) == THEIRS


def test_below_it_what_is_named_is_deleted_and_where_it_lay_is_told(
    storage: Storage, theirs: Drive
) -> None:
    for named in (["work:Team/sub"], ["work:Team", "--include", "t1.txt"]):
        code, done = command("delete", "--yes", *named)
        assert (code, done["notices"]) == (0, ["It is in another drive: a shortcut leads there."])
    assert not files(theirs)


def test_of_what_is_ones_own_nothing_is_told(storage: Storage, mine: Drive) -> None:
    assert command("delete", "--yes", "work:docs/old.tmp")[1]["notices"] == []
    assert command("delete", "--yes", "work:docs")[1]["notices"] == []
    assert mine.find("docs") is None


def test_filters_select_nothing_that_a_shortcut_leads_to(
    storage: Storage, mine: Drive, theirs: Drive
) -> None:
    with pytest.raises(TransferFailed, match=r"'Team/.*', which is in another drive"):
        storage.delete("", filters=["+ *.t*", "- *"])
    assert (files(mine), files(theirs)) == ({"docs/old.tmp"}, THEIRS)
    assert storage.delete("", filters=["- /Team/**", "+ *.t*", "- *"]).result().deletes == 1
    assert (files(mine), files(theirs)) == (set(), THEIRS)


def test_a_sync_stops_before_it_deletes_what_a_shortcut_leads_to(
    storage: Storage, mine: Drive, theirs: Drive, source: Path
) -> None:
    code, refused = command("sync", "--yes", source, "work:")
    assert (code, refused["ended"], refused["deletes"], refused["transfers"]) == (7, "failed", 0, 0)
    assert "is in another drive" in refused["error"]["what"]
    assert (files(mine), files(theirs)) == ({"docs/old.tmp"}, THEIRS)

    code, done = command("sync", "--yes", "--exclude", "/Team/**", source, "work:")
    assert (code, done["deletes"]) == (0, 1)
    assert (files(mine), files(theirs)) == ({"a.txt"}, THEIRS)


def test_rclone_pythons_sync_and_move_spare_it_too(
    storage: Storage, mine: Drive, theirs: Drive, source: Path, tmp_path: Path
) -> None:
    with pytest.raises(TransferFailed, match="is in another drive"):
        rclone_python.sync(source, "work:", show_progress=False)
    with pytest.raises(TransferFailed, match="is in another drive"):
        rclone_python.move("work:", tmp_path / "there", show_progress=False)
    assert (files(mine), files(theirs)) == ({"docs/old.tmp"}, THEIRS)
    rclone_python.sync(source, "work:", show_progress=False, args=["--exclude", "/Team/**"])
    assert (files(mine), files(theirs)) == ({"a.txt"}, THEIRS)
    rclone_python.move("work:a.txt", tmp_path / "there", show_progress=False)
    assert ((tmp_path / "there/a.txt").read_text(), files(mine)) == ("a", set())


def test_a_sync_into_the_shortcut_means_what_is_there(
    storage: Storage, theirs: Drive, source: Path
) -> None:
    for where, deletes in (("Team/sub", 1), ("Team", 2)):
        code, done = command("sync", "--yes", source, f"work:{where}")
        assert (code, done["deletes"]) == (0, deletes)
    assert files(theirs) == {"Team/a.txt"}


def test_what_is_deleted_beside_a_shortcut_goes(
    storage: Storage, mine: Drive, theirs: Drive, source: Path
) -> None:
    """Even if both are in one folder."""
    mine.add_shortcut(theirs, theirs.folder("Team"), "Team", mine.folder("docs"))
    (source / "Team" / "sub").mkdir(parents=True)
    for path in THEIRS:
        (source / path).write_bytes(b"theirs")
    code, done = command("sync", "--yes", "--exclude", "/Team/**", source, "work:docs")
    assert (code, done["deletes"]) == (0, 1)
    assert files(theirs) == THEIRS


@pytest.mark.parametrize("place", ["work:Team/", "work:/Team//"])
def test_a_shortcut_is_one_however_it_is_spelled(
    storage: Storage, theirs: Drive, place: str
) -> None:
    with pytest.raises(UsageError, match="is a shortcut"):
        storage.rclone.purge(place)
    assert files(theirs) == THEIRS


CRYPT = "password = UmyLSdRHfew6aual28-ggx78qHqSfQ\nfilename_encryption = off\nsuffix = none"
WRAPPING = {
    "alias": "remote = work:Team",
    "combine": "upstreams = in=work:Team",
    "crypt": f"remote = work:Team\ndirectory_name_encryption = false\n{CRYPT}",
}


@pytest.mark.parametrize("kind", [*WRAPPING, "base folder"])
def test_who_wraps_a_shortcut_means_what_is_there(
    storage: Storage, theirs: Drive, source: Path, kind: str
) -> None:
    """Its content is copied and deleted as in an own folder; the shortcut itself is not deleted."""
    if kind == "base folder":
        storage.update(base_folder="Team")
        name, root = "work", "work:"
    else:
        with open(os.environ["RCLONE_CONFIG"], "a") as conf:
            conf.write(f"[wrap]\ntype = {kind}\n{WRAPPING[kind]}\n")
        name, root = "wrap", "wrap:in/" if kind == "combine" else "wrap:"
    rclone = storage.storages.rclone(name)
    (source / "sub").mkdir()
    for file in ("a", "sub/b", "sub/c"):
        (source / file).write_text(file)
    rclone.copy(source, root).result()
    (source / "sub/b").unlink()
    assert rclone.sync(source, root, filters=["- t*"]).result().deletes == 1
    assert rclone.delete(root, filters=["+ a", "- *"]).result().deletes == 1
    assert files(theirs) > THEIRS
    with pytest.raises(UsageError, match="is a shortcut"):
        rclone.purge(root)
    assert rclone.purge(f"{root}sub").wait().ok
    assert files(theirs) == {"Team/a.txt", "Team/t1.txt"}


@pytest.mark.parametrize("dry", [True, False])
def test_a_move_stops_before_it_takes_away_what_a_shortcut_leads_to(
    storage: Storage, mine: Drive, theirs: Drive, tmp_path: Path, dry: bool
) -> None:
    more, out = ["--dry-run"] * dry, tmp_path / "out"
    code, refused = command("move", "--yes", *more, "work:", out)
    assert (code, refused["ended"], refused["transfers"] * (not dry)) == (7, "failed", 0)
    assert "would take away 'Team/" in refused["error"]["what"]
    assert (files(mine), files(theirs), out.exists()) == ({"docs/old.tmp"}, THEIRS, False)
    code, done = command("move", "--yes", *more, "--exclude", "/Team/**", "work:", out)
    assert (code, done["notices"], files(theirs)) == (0, [], THEIRS)


def test_a_move_out_of_the_shortcut_means_what_is_there(
    storage: Storage, theirs: Drive, tmp_path: Path
) -> None:
    for place in ("work:Team/sub", "work:Team"):
        code, done = command("move", "--yes", place, tmp_path / "out")
        assert (code, done["notices"]) == (0, ["It is in another drive: a shortcut leads there."])
    assert not files(theirs)


def test_a_shortcut_is_not_moved_by_taking_away_what_it_leads_to(
    storage: Storage, mine: Drive, theirs: Drive
) -> None:
    with pytest.raises(UsageError, match="is a shortcut"):
        storage.rclone.moveto("work:Team", "work:docs/Team").result()
    mine.folder("there")
    mine.add_shortcut(theirs, theirs.folder("Team"), "Team", mine.folder("docs"))
    with pytest.raises(TransferFailed, match="would take away 'Team"):  # not as a whole
        storage.rclone.move("work:docs", "work:there").result()
    storage.rclone.move("work:docs", "work:new").result()
    assert (files(mine), files(theirs)) == ({"new/old.tmp"}, THEIRS)
    assert mine.find("new/Team") is not None


@pytest.mark.parametrize(
    "how", [{"max_delete": "100%", "allow_empty_source": True}, {"dry_run": True}]
)
def test_a_sync_that_may_delete_everything_deletes_only_its_own(
    storage: Storage, theirs: Drive, source: Path, how: TransferOptions
) -> None:
    with pytest.raises(TransferFailed, match="would delete 'Team"):
        storage.rclone.sync(source, "work:", **how).result()
    assert files(theirs) == THEIRS


def test_a_renamed_file_is_not_taken_out_of_a_shortcut(
    storage: Storage, theirs: Drive, source: Path
) -> None:
    for name in ("Team/sub/t2.txt", "docs/old.tmp", "new/t1.txt"):
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_bytes(b"mine" if name == "docs/old.tmp" else b"theirs")
    with pytest.raises(TransferFailed, match=r"would delete 'Team/t1.txt'"):
        storage.rclone.sync(source, "work:", track_renames=True).result()
    assert files(theirs) == THEIRS


@pytest.mark.parametrize("status", [403, 404])
def test_a_folder_that_cannot_be_listed_hides_no_shortcut(
    cloud: Emulator, storage: Storage, mine: Drive, theirs: Drive, status: int
) -> None:
    """rclone's listing ends at such a folder, but it deletes beyond it."""
    mine.write("closed/c.txt", b"mine")
    theirs.write("Team/sub/more/old.tmp", b"theirs")
    cloud.faults.refuse(status, times=None, where=mine.folder("closed").id)
    with pytest.raises(TransferFailed, match=r"'Team/sub/more/old\.tmp', which is in another"):
        storage.delete("", filters=["+ *.tmp", "- *"])
    result = storage.delete("", filters=["- /Team/**", "+ *.tmp", "- *"]).wait()
    assert ([one.path for one in result.failed], result.deletes) == (["closed"], 1)
    assert files(theirs) == {*THEIRS, "Team/sub/more/old.tmp"}


def test_a_folder_moved_into_a_shortcut_goes_file_by_file_without_what_is_theirs(
    storage: Storage, mine: Drive, theirs: Drive
) -> None:
    """A dry run reports it as a whole, but no folder moves to another drive."""
    mine.add_shortcut(theirs, theirs.folder("Team/sub"), "sub", mine.folder("docs"))
    with pytest.raises(TransferFailed, match=r"would take away 'sub/t2\.txt'"):
        storage.rclone.move("work:docs", "work:Team/new/docs").result()
    assert (files(mine), files(theirs)) == ({"docs/old.tmp"}, THEIRS)


def test_nor_is_the_folder_that_it_leads_to_removed_if_it_is_empty(
    storage: Storage, mine: Drive, theirs: Drive
) -> None:
    empty = theirs.folder("Empty")
    theirs.share(empty, BERT)
    mine.add_shortcut(theirs, empty, "Empty")
    for word in ("rmdir", "rmdirs"):
        with pytest.raises(UsageError, match="is a shortcut"):
            storage.rclone.run(word, places=["work:Empty"])
    assert theirs.find("Empty") is not None
    mine.folder("own")
    storage.rclone.run("rmdir", places=["work:own"])
    assert mine.find("own") is None


def test_a_place_among_the_words_of_a_command_is_one(
    storage: Storage, mine: Drive, theirs: Drive
) -> None:
    storage.rclone.run("purge", "work:docs", "--fast-list")
    assert mine.find("docs") is None
    with pytest.raises(UsageError, match="is a shortcut"):
        storage.rclone.run("purge", "--fast-list", "work:Team")
    with pytest.raises(RcloneError):
        storage.rclone.run("purge")
    assert files(theirs) == THEIRS


@pytest.mark.parametrize("end", ["work:/new/docs", "work:new/docs"])
def test_the_search_for_the_folder_above_ends_at_the_root(
    storage: Storage, end: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also if the root does not answer: formerly, it was requested endlessly."""
    shortcuts = Shortcuts(storage.rclone, storage.storages.conf, storage.rclone.transfer)
    asked: list[str] = []

    def is_folder(place: str) -> bool | None:
        asked.append(place)
        assert len(asked) < 10
        return True if place == "work:docs" else None

    monkeypatch.setattr(shortcuts, "is_folder", is_folder)
    assert not shortcuts.moves_by_file(Command(("move",), (), ("work:docs", end)))
    assert asked == ["work:docs", end, posixpath.dirname(end)]
