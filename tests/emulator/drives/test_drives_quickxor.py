"""QuickXorHash: compared with rclone's, in any pieces, and of zeros."""

from __future__ import annotations

import base64
import random
import subprocess
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pluton_rclone.emulator.drives.quickxor import EMPTY, QuickXor, of_zeros, quick_xor_hash
from pluton_rclone.rclone.binary import find_binary

# Around the lengths where the circle (160 bytes) and the blocks (81,920 bytes) start again.
SIZES = (0, 1, 19, 20, 159, 160, 161, 81919, 81920, 81921, 163840, 1_000_003)


def test_equal_to_what_rclone_computes(tmp_path: Path) -> None:
    ours = {}
    for size in SIZES:
        data = random.Random(size).randbytes(size)
        (tmp_path / f"{size}.bin").write_bytes(data)
        ours[f"{size}.bin"] = QuickXor(data).digest().hex()
    command = [str(find_binary().path), "hashsum", "quickxor", str(tmp_path)]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    assert {name: digest for digest, name in (line.split() for line in lines)} == ours


@settings(deadline=None)
@given(st.binary(max_size=2000), st.lists(st.integers(min_value=0, max_value=700), max_size=8))
def test_the_pieces_do_not_matter(data: bytes, cuts: list[int]) -> None:
    places = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    pieces = [data[start:stop] for start, stop in pairwise(places)]
    assert quick_xor_hash(pieces) == QuickXor(data).base64()


def test_a_copy_goes_its_own_way() -> None:
    one = QuickXor(b"abc")
    other = one.copy()
    other.update(b"def")
    assert one.base64() == QuickXor(b"abc").base64()
    assert other.base64() == QuickXor(b"abcdef").base64()


@pytest.mark.parametrize("size", SIZES)
def test_of_zeros_needs_no_zeros(size: int) -> None:
    assert of_zeros(size) == QuickXor(bytes(size)).base64()


def test_of_nothing() -> None:
    assert QuickXor().base64() == EMPTY == base64.b64encode(bytes(20)).decode()
