"""The delta feed: everything once, then the changes, however it is cut into pages."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pluton_rclone.emulator.drives.changes import Order
from pluton_rclone.emulator.drives.drive import Drive
from pluton_rclone.emulator.drives.item import Item
from pluton_rclone.emulator.faults import GraphFault

from .drive_maker import business


def feed(drive: Drive, token: str | None = None, size: int = 3) -> tuple[list[Item], str]:
    """All items up to the delta link, and its token."""
    items: list[Item] = []
    while True:
        page = drive.changes.page(drive, token, size)
        items += page.items
        token = page.token
        if page.last:
            return items, token


def names(items: list[Item]) -> list[str]:
    return [("-" if item.deleted else "") + (item.path() or "/") for item in items]


def filled() -> Drive:
    drive = business()
    for path in ("a/one", "a/b/two", "c/three"):
        drive.write(path, b"x")
    return drive


def test_the_first_time_everything_comes_parents_first() -> None:
    items, _ = feed(filled())
    assert names(items) == ["/", "a", "a/one", "a/b", "a/b/two", "c", "c/three"]


def test_later_only_changes_come_each_after_its_parents() -> None:
    drive = filled()
    _, token = feed(drive)
    assert feed(drive, token)[0] == []
    drive.write("a/b/two", b"yy")
    drive.write("d/four", b"z")
    changed, later = feed(drive, token)
    assert names(changed) == ["/", "a", "a/b", "a/b/two", "d", "d/four"]
    assert feed(drive, later)[0] == []


def test_deleted_items_are_told_with_all_that_they_held() -> None:
    drive = filled()
    _, token = feed(drive)
    drive.delete(drive.folder("a"))
    changed, _ = feed(drive, token)
    assert sorted(item.name for item in changed) == ["a", "b", "one", "two"]
    assert all(item.deleted for item in changed)


def test_latest_means_from_now_on() -> None:
    drive = filled()
    token = drive.changes.page(drive, "latest", 3).token
    drive.write("new", b"x")
    assert names(feed(drive, token)[0]) == ["/", "new"]


def test_a_file_that_goes_during_the_paging_is_told_as_deleted() -> None:
    drive = filled()
    first = drive.changes.page(drive, None, 6)
    last = drive.find("c/three")
    assert last is not None
    drive.delete(last)
    assert names(drive.changes.page(drive, first.token, 6).items) == ["-c/three"]


def test_expired_tokens_are_answered_with_410() -> None:
    drive = filled()
    _, token = feed(drive)
    drive.changes.expire()
    with pytest.raises(GraphFault) as refusal:
        feed(drive, token)
    assert (refusal.value.status, refusal.value.code) == (410, "resyncRequired")
    _, fresh = feed(drive)
    assert feed(drive, fresh)[0] == []


@pytest.mark.parametrize("token", ["x", "!!!", "c29tZXRoaW5n", "cDE", "ü"])
def test_a_token_that_is_none_is_answered_with_400(token: str) -> None:
    with pytest.raises(GraphFault) as refusal:
        feed(filled(), token)
    assert refusal.value.status == 400


def test_children_first_and_items_twice_can_be_played() -> None:
    drive = filled()
    drive.changes.order = Order.CHILDREN_FIRST
    drive.changes.repeats = 2
    items, _ = feed(drive)
    assert names(items)[:3] == ["/", "c/three", "c"]
    assert len(items) == 9
    assert len(set(items)) == 7


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["write", "delete", "move"]), st.sampled_from("abc"), st.sampled_from("xyz")
    ),
    max_size=12,
)


@settings(max_examples=60, deadline=None)
@given(STEPS, STEPS, st.integers(min_value=1, max_value=5))
def test_a_client_that_follows_the_feed_knows_the_drive(
    before: list[tuple[str, str, str]], after: list[tuple[str, str, str]], size: int
) -> None:
    drive = business()
    known: dict[str, tuple[str, str | None]] = {}

    def follow(token: str | None) -> str:
        items, token = feed(drive, token, size)
        for item in items:
            if item.deleted:
                known.pop(item.id, None)
            else:
                known[item.id] = (item.name, None if item.parent is None else item.parent.id)
        return token

    def play(steps: list[tuple[str, str, str]]) -> None:
        for step, folder, name in steps:
            item = drive.find(f"{folder}/{name}")
            if step == "write":
                drive.write(f"{folder}/{name}", b"x")
            elif item is not None and step == "delete":
                drive.delete(item)
            elif item is not None and drive.find(f"m{folder}/{name}") is None:
                drive.move(item, drive.folder(f"m{folder}"), name)

    play(before)
    token = follow(None)
    play(after)
    follow(token)
    assert known == {
        item.id: (item.name, None if item.parent is None else item.parent.id)
        for item in drive.walk()
    }
