"""One drive: names in any case, stable ids, sizes, conflicts, quota, versions, the recycle bin."""

from __future__ import annotations

import pytest

from pluton_rclone.emulator.drives.content import Zeros
from pluton_rclone.emulator.drives.drive import Drive
from pluton_rclone.emulator.drives.quota import Quota
from pluton_rclone.emulator.faults import GraphFault

from .drive_maker import business, library, personal


def test_names_ignore_case_and_keep_it() -> None:
    drive = personal()
    made = drive.write("Documents/Report.TXT", b"1")
    assert drive.find("documents/rEPORT.txt") is made
    again = drive.write("DOCUMENTS/report.txt", b"22")
    assert again is made
    assert again.path() == "Documents/Report.TXT"


def test_a_rename_that_changes_only_the_case() -> None:
    drive = business()
    item = drive.write("notes.txt", b"x")
    drive.move(item, drive.root, "Notes.txt")
    assert drive.find("NOTES.TXT") is item
    assert item.name == "Notes.txt"


def test_ids_survive_moving_renaming_and_new_content() -> None:
    drive = business()
    item = drive.write("a.txt", b"x")
    number = item.id
    drive.move(item, drive.folder("deep/er"), "b.txt")
    drive.write("deep/er/b.txt", b"y")
    assert drive.item(number) is item
    assert drive.read("deep/er/b.txt") == b"y"


def test_the_styles_of_ids() -> None:
    drive = personal()
    item = drive.write("a")
    assert len(drive.id) == 16
    assert item.id.startswith(drive.id.upper() + "!")
    for drive in (business(), library()):
        item = drive.write("a")
        assert drive.id.startswith("b!")
        assert len(drive.id) == 66
        assert item.id.startswith("01")
        assert len(item.id) == 34
        assert drive.item(item.id.lower()) is item


def test_folders_know_the_size_of_all_below_them() -> None:
    drive = personal()
    drive.write("a/b/one", bytes(10))
    two = drive.write("a/two", bytes(5))
    a, b = drive.folder("a"), drive.folder("a/b")
    assert (drive.root.size, a.size, b.size) == (15, 15, 10)
    drive.move(two, b, "two")
    assert (a.size, b.size) == (15, 15)
    drive.delete(b)
    assert (drive.root.size, a.size) == (0, 0)
    assert drive.files == 0


def test_conflicts() -> None:
    drive = personal()
    first = drive.write("a.txt", b"1")
    with pytest.raises(GraphFault) as refusal:
        drive.put(drive.root, "A.TXT", Zeros(1), conflict="fail")
    assert (refusal.value.status, refusal.value.code) == (409, "nameAlreadyExists")
    renamed, new = drive.put(drive.root, "a.txt", Zeros(1), conflict="rename")
    assert (renamed.name, new) == ("a 1.txt", True)
    replaced, new = drive.put(drive.root, "a.txt", Zeros(1), conflict="replace")
    assert (replaced, new) == (first, False)
    drive.folder("b")
    with pytest.raises(GraphFault):
        drive.put(drive.root, "b", Zeros(1))
    assert drive.make_folder(drive.root, "b", conflict="rename").name == "b 1"


def test_nothing_moves_into_itself() -> None:
    drive = personal()
    outer, inner = drive.folder("outer"), drive.folder("outer/inner")
    with pytest.raises(GraphFault) as refusal:
        drive.move(outer, inner, "outer")
    assert refusal.value.status == 400


def test_a_move_onto_a_taken_name_is_refused_or_replaces() -> None:
    drive = personal()
    moved, taken = drive.write("a", b"1"), drive.write("b", b"2")
    with pytest.raises(GraphFault):
        drive.move(moved, drive.root, "b")
    drive.move(moved, drive.root, "b", conflict="replace")
    assert drive.read("b") == b"1"
    assert taken.deleted


def test_etags_follow_every_change_ctags_only_content() -> None:
    drive = business()
    item = drive.write("a", b"1")
    before = (item.etag, item.ctag)
    drive.move(item, drive.root, "b")
    assert (item.etag, item.ctag) == (before[0] + 1, before[1])
    drive.write("b", b"2")
    assert item.ctag == before[1] + 1


# ---- quota ---------------------------------------------------------------------------------------


def test_the_quota_counts_files_versions_and_the_recycle_bin() -> None:
    drive = personal()
    drive.quota = Quota(100)
    drive.write("a", bytes(30))
    drive.write("a", bytes(20))
    gone = drive.write("b", bytes(10))
    drive.delete(gone)
    assert (drive.root.size, drive.version_bytes, drive.bin.bytes) == (20, 30, 10)
    assert (drive.used, drive.remaining) == (60, 40)
    with pytest.raises(GraphFault) as refusal:
        drive.write("c", bytes(41))
    assert refusal.value.status == 507
    drive.bin.empty()
    assert drive.write("c", bytes(41)).size == 41


@pytest.mark.parametrize(
    ("used", "state"),
    [(900, "normal"), (901, "nearing"), (990, "nearing"), (991, "critical"), (1000, "exceeded")],
)
def test_the_states_of_a_quota(used: int, state: str) -> None:
    drive = business()
    drive.quota = Quota(1000)
    drive.write("a", Zeros(used))
    facet = drive.quota.facet(drive.used, drive.bin.bytes, personal=False, files=drive.files)
    assert facet is not None
    assert (facet["state"], facet["remaining"], facet["fileCount"]) == (state, 1000 - used, 1)


def test_an_exceeded_quota_takes_nothing_but_empty_files() -> None:
    drive = business()
    drive.quota = Quota(1000, state="exceeded")
    drive.write("empty")
    with pytest.raises(GraphFault):
        drive.write("one", b"1")
    assert drive.find("one") is None


def test_a_file_has_at_most_250_gb() -> None:
    drive = business()
    assert drive.write("large", Zeros(250_000_000_000)).size == 250_000_000_000
    with pytest.raises(GraphFault) as refusal:
        drive.write("larger", Zeros(250_000_000_001))
    assert refusal.value.inner_codes == ("maxFileSizeExceeded",)


# ---- versions ------------------------------------------------------------------------------------


def versions(drive: Drive, path: str) -> list[tuple[str, int]]:
    item = drive.find(path)
    assert item is not None
    return [(version.id, version.content.size) for version in item.rarities.versions]


def test_new_content_makes_a_version_on_every_kind_of_drive() -> None:
    for drive in (personal(), business(), library()):
        for size in (1, 2, 3):
            drive.write("a", bytes(size))
        assert versions(drive, "a") == [("1.0", 1), ("2.0", 2)]


def test_a_new_time_makes_a_version_where_sharepoint_is_behind_the_drive() -> None:
    for drive, count in ((personal(), 0), (business(), 1), (library(), 1)):
        item = drive.write("a", b"x")
        drive.update(item, modified=1_000_000_000_000)
        assert len(versions(drive, "a")) == count
        drive.update(item, modified=1_000_000_000_000)
        assert len(versions(drive, "a")) == count


def test_versions_can_be_deleted_but_not_the_current_one() -> None:
    drive = business()
    item = drive.write("a", bytes(5))
    drive.write("a", bytes(7))
    with pytest.raises(GraphFault) as refusal:
        drive.delete_version(item, "2.0")
    assert refusal.value.status == 400
    drive.delete_version(item, "1.0")
    assert (versions(drive, "a"), drive.version_bytes) == ([], 0)
    with pytest.raises(GraphFault) as refusal:
        drive.delete_version(item, "1.0")
    assert refusal.value.status == 404


def test_at_most_500_versions_are_kept() -> None:
    drive = business()
    for number in range(505):
        drive.write("a", bytes(number))
    kept = versions(drive, "a")
    assert len(kept) == 499
    assert kept[-1] == ("504.0", 503)
    assert drive.version_bytes == sum(size for _, size in kept)


# ---- the recycle bin -----------------------------------------------------------------------------


def test_what_is_deleted_lies_in_the_recycle_bin_and_comes_back() -> None:
    drive = business()
    drive.write("a/b/c.txt", b"x")
    drive.write("a/b/c.txt", b"yy")
    folder = drive.folder("a/b")
    drive.delete(folder)
    assert drive.bin.names() == ["b"]
    assert (drive.find("a/b"), drive.bin.bytes, drive.version_bytes) == (None, 3, 0)
    with pytest.raises(GraphFault):
        drive.item(folder.id)
    drive.restore(folder.id)
    assert drive.read("a/b/c.txt") == b"yy"
    assert (drive.bin.bytes, drive.version_bytes, len(drive.bin)) == (0, 1, 0)


def test_what_is_deleted_for_good_lies_nowhere() -> None:
    drive = business()
    drive.write("a", b"x")
    drive.delete_for_good(drive.item(drive.write("a").id))
    assert (len(drive.bin), drive.used, drive.files) == (0, 0, 0)


def test_a_restored_item_yields_to_what_took_its_name() -> None:
    drive = business()
    old = drive.write("d/a.txt", b"old")
    drive.delete(old)
    drive.write("d/a.txt", b"new")
    assert drive.restore(old.id).path() == "d/a 1.txt"


def test_a_restored_item_goes_to_the_root_when_its_folder_is_gone() -> None:
    drive = business()
    old = drive.write("d/a.txt", b"old")
    drive.delete(old)
    drive.delete(drive.folder("d"))
    assert drive.restore(old.id).path() == "a.txt"


def test_the_root_cannot_be_deleted() -> None:
    drive = personal()
    with pytest.raises(GraphFault) as refusal:
        drive.delete(drive.root)
    assert refusal.value.status == 400


# ---- other things --------------------------------------------------------------------------------


def test_copies_hold_all_that_the_original_held() -> None:
    drive = personal()
    drive.write("a/b/c", b"1")
    drive.write("a/d", b"22")
    drive.copy(drive.folder("a"), drive.root, "z")
    assert drive.read("z/b/c") + drive.read("z/d") == b"122"
    assert drive.root.size == 6


def test_sharepoint_changes_office_files_and_no_others() -> None:
    drive = library()
    drive.rewrites_office_files = True
    document, text = drive.write("a.docx", b"sent"), drive.write("a.txt", b"sent")
    assert document.size > 4
    assert drive.read("a.docx").startswith(b"sent")
    assert document.content is not None
    assert text.content is not None
    assert document.content.quick_xor != text.content.quick_xor
    assert drive.read("a.txt") == b"sent"
