"""lsjson's output as a stream of entries, in blocks of any size."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pluton_rclone.errors import RcloneError
from pluton_rclone.rclone import listing

ENTRIES: list[dict[str, Any]] = [
    {
        "Path": "a.bin",
        "Name": "a.bin",
        "Size": 3,
        "ModTime": "2026-01-02T03:04:05.123456789Z",
        "IsDir": False,
    },
    {
        "Path": "sub",
        "Name": "sub",
        "Size": -1,
        "ModTime": "2026-11-23T12:30:08+01:00",
        "IsDir": True,
        "ID": "01ABC",
    },
    {"Path": 'sub/é \ufffd "q"', "Name": 'é \ufffd "q"', "Size": 0, "ModTime": "", "IsDir": False},
    {
        "Path": "x]",
        "Name": "x]",
        "Size": 2**60,
        "ModTime": "2026-01-02T03:04:05Z",
        "IsDir": False,
        "MimeType": "text/plain",
        "Hashes": {"quickxor": "00ff"},
        "Tier": "hot",
        "Metadata": {"a": "b"},
    },
]


def printed(entries: list[dict[str, Any]]) -> bytes:
    """The entries as rclone prints them."""
    lines = ",\n".join(
        json.dumps(entry, ensure_ascii=False, separators=(",", ":")) for entry in entries
    )
    return f"[\n{lines}{chr(10) if entries else ''}]\n".encode()


def reader(text: bytes, cuts: list[int]) -> Callable[[], bytes]:
    """Returns the text in blocks of these sizes, repeatedly."""
    sizes = iter(cuts * (len(text) + 1))
    at = 0

    def read() -> bytes:
        nonlocal at
        block = text[at : at + next(sizes, len(text))]
        at += len(block)
        return block

    return read


def read_all(text: bytes, cuts: list[int]) -> tuple[list[listing.Entry], bool]:
    stream = listing.entries(reader(text, cuts))
    found: list[listing.Entry] = []
    while True:
        try:
            found.append(next(stream))
        except StopIteration as end:
            return found, bool(end.value)


@settings(deadline=None)
@given(st.lists(st.integers(1, 200), min_size=1, max_size=5), st.integers(0, 4))
def test_blocks_may_be_cut_anywhere(cuts: list[int], number: int) -> None:
    found, complete = read_all(printed(ENTRIES[:number]), cuts)
    assert complete
    assert [entry.path for entry in found] == [entry["Path"] for entry in ENTRIES[:number]]


def test_every_field() -> None:
    [first, second, third, fourth], _ = read_all(printed(ENTRIES), [10_000])
    assert first.modified == datetime(2026, 1, 2, 3, 4, 5, 123457, timezone.utc)
    assert second.modified is not None
    assert second.modified.utcoffset() is not None
    assert (second.is_dir, second.size, second.id) == (True, -1, "01ABC")
    assert (third.modified, third.mime_type, third.hashes) == (None, None, None)
    assert (fourth.size, fourth.mime_type, fourth.hashes) == (
        2**60,
        "text/plain",
        {"quickxor": "00ff"},
    )


def test_entries_come_before_the_end_is_there() -> None:
    blocks: Iterator[bytes] = iter([printed(ENTRIES)[:200]])
    assert next(listing.entries(lambda: next(blocks))).path == "a.bin"


@settings(deadline=None)
@given(st.integers(0, len(printed(ENTRIES)) - 2))
def test_a_listing_that_breaks_off_is_not_complete(length: int) -> None:
    found, complete = read_all(printed(ENTRIES)[:length], [64])
    assert not complete
    assert len(found) <= len(ENTRIES)


def test_of_a_listing_that_breaks_off_the_last_entry_counts_if_it_is_whole() -> None:
    """rclone ends a line only when the next one begins; if a folder cannot be read, none does."""
    found, complete = read_all(printed(ENTRIES).removesuffix(b"\n]\n"), [64])
    assert [entry.path for entry in found] == [entry["Path"] for entry in ENTRIES]
    assert not complete


@pytest.mark.parametrize("line", [b"{}", b'"text"', b"1", b'{"Path":1}', b'{"Path":"x"'])
def test_a_line_that_is_no_entry(line: bytes) -> None:
    with pytest.raises(RcloneError):
        read_all(b"[\n" + line + b"\n]\n", [100])


def test_a_line_without_end_does_not_fill_the_memory() -> None:
    with pytest.raises(RcloneError, match="cannot be read"):
        read_all(b"x" * 20_000_000, [1_000_000])


def test_one_odd_line_does_not_spoil_the_others() -> None:
    odd = {
        "Path": "dir/odd",
        "Name": None,
        "Size": "big",
        "ModTime": "12026-01-01T00:00:00Z",
        "IsDir": False,
    }
    found, _ = read_all(printed([ENTRIES[0], odd, ENTRIES[1]]), [10_000])
    assert [(entry.path, entry.name, entry.size) for entry in found][1] == ("dir/odd", "odd", -1)
    assert found[2].is_dir
