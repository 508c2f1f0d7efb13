"""Scanning another remote's listing: the same rules, in whatever order the entries come."""

from __future__ import annotations

import random
import tracemalloc
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pluton_rclone.preflight import Finding, preflight
from pluton_rclone.values.encoding import standard_name

from .real_rclone import make, tree


@dataclass(frozen=True)
class Entry:
    path: str
    size: int = 1
    is_dir: bool = False


def rules(findings: Iterable[Finding]) -> list[tuple[str, str]]:
    return sorted((finding.path, finding.rule.name) for finding in findings)


def test_a_file_in_a_thousand_folders_of_which_none_is_listed() -> None:
    """As in a bucket's keys. Formerly, a RecursionError."""
    scan = preflight([Entry("d/" * 1000 + "x")])
    assert rules(scan) == [("d/" * 200 + "d", "path_too_long")]
    assert (scan.summary.files, scan.summary.folders) == (1, 1000)


def test_every_rule_that_a_listing_can_break() -> None:
    deep = "/".join(["d" * 100] * 4)
    entries = [
        Entry("CON", is_dir=True),
        Entry("CON/inside"),
        Entry(".lock"),
        Entry("x_vti_y/z"),
        Entry("forms/z"),
        Entry("large", 250_000_000_001),
        Entry("n" * 256),
        Entry(f"{deep}/x"),
        Entry("ok/" + "😀" * 130),
        Entry("document without a size", -1),
        Entry("A"),
        Entry("a"),
        Entry("twice"),
        Entry("twice"),
        Entry("é"),
        Entry("e\u0301"),
        Entry("mixed"),
        Entry("MIXED", is_dir=True),
        Entry("straße"),
        Entry("strasse"),
        Entry("fine/~$x"),
        Entry("fine/a:b"),
        Entry("fine/a：b"),
        Entry("a:b/x"),
        Entry("a：b/x"),
    ]
    scan = preflight(entries, drive_type="documentLibrary", quota_free=3)
    assert rules(scan) == sorted(
        [
            ("CON", "name_forbidden"),
            (".lock", "name_forbidden"),
            ("x_vti_y", "name_holds_vti"),
            ("forms", "name_forms_at_root"),
            ("large", "file_too_large"),
            ("n" * 256, "name_too_long"),
            (deep, "path_too_long"),
            ("ok/" + "😀" * 130, "length_doubtful"),
            ("A", "same_but_case"),
            ("a", "same_but_case"),
            ("twice", "same_name_twice"),
            ("twice", "same_name_twice"),
            ("é", "same_but_accents"),
            ("e\u0301", "same_but_accents"),
            ("mixed", "file_and_folder_same"),
            ("MIXED", "file_and_folder_same"),
            ("straße", "same_perhaps"),
            ("strasse", "same_perhaps"),
            ("a:b", "folder_looks_alike"),
            ("a：b", "folder_looks_alike"),
            (".", "quota_exceeded"),
        ]
    )
    assert scan.summary.files == sum(not entry.is_dir for entry in entries)
    assert scan.summary.bytes == 250_000_000_001 + 21
    assert scan.summary.bytes_to_send == 15


@pytest.mark.parametrize(
    ("number", "rule"), [(49_999, None), (50_000, "folder_large"), (100_000, "folder_too_full")]
)
def test_folders_with_very_many_entries(number: int, rule: str | None) -> None:
    found = list(preflight(Entry(f"full/{index}") for index in range(number)))
    assert [(finding.path, finding.rule.name) for finding in found] == (
        [("full", rule)] if rule else []
    )


def test_folders_are_known_by_what_lies_in_them_too() -> None:
    scan = preflight(
        [Entry("a/b/c/x"), Entry("a/b", is_dir=True), Entry("a/b/c", is_dir=True), Entry("A/y")]
    )
    assert rules(scan) == [("A", "same_but_case"), ("a", "same_but_case")]
    assert (scan.summary.files, scan.summary.folders) == (2, 4)


def test_a_folder_that_a_source_holds_twice() -> None:
    assert (
        rules(preflight([Entry("a", is_dir=True), Entry("a", is_dir=True)]))
        == [("a", "same_name_twice")] * 2
    )


def test_nothing_below_a_refused_folder_is_counted_as_sent() -> None:
    scan = preflight([Entry("a/CON/b/c", 5), Entry("a/d", 7)])
    assert rules(scan) == [("a/CON", "name_forbidden")]
    assert (scan.summary.bytes, scan.summary.bytes_to_send) == (12, 7)


def test_the_memory_grows_little_with_the_entries() -> None:
    def peak(number: int) -> int:
        def entries() -> Iterator[Entry]:
            for index in range(number):
                yield Entry(f"folder {index % 100}/file {index}")

        tracemalloc.start()
        for _ in preflight(entries()):
            pass
        size = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return size

    few, many = 15_000, 30_000
    assert (peak(many) - peak(few)) / (many - few) < 300  # bytes; the more there are, the fewer


names = st.text(st.sampled_from("aAbBéÉ\u0301ßs:：~ ._vtiCONcon"), min_size=1, max_size=6).filter(
    lambda name: name not in {".", ".."}
)


@given(
    paths=st.lists(
        st.lists(names, min_size=1, max_size=3).map("/".join), min_size=1, max_size=15, unique=True
    ),
    order=st.randoms(use_true_random=False),
)
def test_a_listing_in_any_order_is_judged_as_the_folder_itself(
    tmp_path_factory: pytest.TempPathFactory, paths: list[str], order: random.Random
) -> None:
    folder = tmp_path_factory.mktemp("source")
    for path in paths:
        try:
            make(folder, {path: b"1"})
        except OSError:
            continue  # a file where a folder should be
    listed = [
        Entry("/".join(map(standard_name, path.split("/"))), is_dir=content is None)
        for path, content in tree(folder).items()
    ]
    order.shuffle(listed)
    local, listing = preflight(folder), preflight(listed)
    assert rules(local) == rules(listing)
    assert listing.summary.clean == local.summary.clean
    assert (listing.summary.files, listing.summary.folders) == (
        local.summary.files,
        local.summary.folders,
    )
