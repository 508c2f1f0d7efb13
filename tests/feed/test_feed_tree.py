"""A feed assembled: any order, any repetition, the same tree; a feed with a gap is no tree."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor

from hypothesis import given, settings
from hypothesis import strategies as st

from pluton_rclone.feed.tree import FeedTree
from pluton_rclone.microsoft.graph.delta import NO_TIME, Item

ROOT = 0


def item(
    number: int, parent: int | None, name: str = "", *, deleted: bool = False, **changes: object
) -> Item:
    """Number 0 is the root; even numbers are folders."""
    given = Item(
        key=f"ID{number}",
        parent="" if parent is None else f"ID{parent}",
        id=f"drive#id{number}",
        name=name or str(number),
        translated=True,
        size=number,
        modified=NO_TIME,
        is_dir=number % 2 == 0,
        mime_type=None,
        quick_xor=None,
        root=number == ROOT,
        deleted=deleted,
        elsewhere=False,
        notebook=False,
    )
    return given._replace(**changes)  # type: ignore[arg-type]


def paths(tree: FeedTree) -> list[str]:
    return sorted(entry.path for entry, _ in tree.walk("ID0", str))


@settings(deadline=None, max_examples=50)
@given(st.lists(st.integers(0, 30), max_size=40), st.randoms(use_true_random=False))
def test_order_and_repetition_change_nothing(parents: list[int], chance: random.Random) -> None:
    """Item n is in the folder that the list names, one with a lower number."""
    items = [item(ROOT, None)]
    expected = {ROOT: ""}
    for number, wanted in enumerate(parents, 1):
        parent = wanted % number
        parent -= parent % 2
        items.append(item(number, parent))
        expected[number] = f"{expected[parent]}/{number}".strip("/")
    earlier = [
        each._replace(name="old", parent="ID999")
        for each in chance.sample(items[1:], len(parents) // 2)
    ]
    chance.shuffle(items)
    with FeedTree() as tree:
        tree.add(earlier)
        tree.add(items)
        tree.add(chance.sample(items, len(items) // 2))
        assert tree.gap() is None
        assert paths(tree) == sorted(path for path in expected.values() if path)


def test_the_last_word_counts_also_when_it_is_that_the_item_is_gone_or_back() -> None:
    with FeedTree() as tree:
        tree.add(
            [
                item(0, None),
                item(1, 0),
                item(3, 0),
                item(1, 0, deleted=True),
                item(3, 0, deleted=True),
            ]
        )
        tree.add([item(3, 0, "again")])
        assert tree.gap() is None
        assert paths(tree) == ["again"]


def test_an_item_without_its_folder_is_a_gap() -> None:
    for orphan in (item(3, 2), item(3, None), item(2, 2)):
        with FeedTree() as tree:
            tree.add([item(0, None), item(1, 0), orphan])
            assert tree.gap() == "the folders of 1 items are not in the feed"


def test_an_item_in_a_deleted_folder_and_a_circle_are_gaps() -> None:
    with FeedTree() as tree:
        tree.add([item(0, None), item(2, 0), item(3, 2), item(2, 0, deleted=True)])
        assert tree.gap() is not None
    with FeedTree() as tree:
        tree.add([item(0, None), item(2, 4), item(4, 2), item(1, 4)])
        assert tree.gap() == "the folders of 3 items are not in the feed"


def test_without_its_one_root_it_is_nothing() -> None:
    with FeedTree() as tree:
        assert tree.gap() == "the feed has 0 roots"
    with FeedTree() as tree:
        tree.add([item(0, None), item(2, None, root=True)])
        assert tree.gap() == "the feed has 2 roots"


def test_what_lies_elsewhere_and_notebooks_are_not_looked_into() -> None:
    with FeedTree() as tree:
        tree.add(
            [
                item(0, None),
                item(2, 0, elsewhere=True),
                item(3, 2),
                item(5, 0, notebook=True),
                item(7, 5),
            ]
        )
        assert tree.gap() is None
        assert paths(tree) == ["2"]
        assert sorted(e.path for e, _ in tree.walk("ID0", str, notebooks=True)) == ["2", "5"]


def test_it_may_be_read_in_another_thread() -> None:
    with FeedTree() as tree, ThreadPoolExecutor(1) as other:
        tree.add([item(0, None), item(1, 0)])
        assert other.submit(tree.gap).result() is None
        assert other.submit(paths, tree).result() == ["1"]


def test_a_folder_is_found_by_its_path_whatever_its_case() -> None:
    with FeedTree() as tree:
        tree.add(
            [
                item(0, None),
                item(2, 0, "Deep"),
                item(4, 2, "Er"),
                item(5, 4),
                item(6, 0, "Away", elsewhere=True),
            ]
        )
        assert tree.gap() is None
        assert [
            tree.folder(path, str) for path in ("", "deep", "Deep/ER", "Deep/ER/5", "Away", "none")
        ] == [
            "ID0",
            "ID2",
            "ID4",
            None,
            None,
            None,
        ]
        assert [entry.path for entry, _ in tree.walk("ID2", str)] == ["Er", "Er/5"]


def test_a_hash_that_is_none_is_left_out() -> None:
    with FeedTree() as tree:
        tree.add([item(0, None, ""), item(1, 0, "a")._replace(quick_xor="Z")])
        ((entry, _),) = tree.walk("ID0", str, hashes=True)
    assert entry.hashes is None
