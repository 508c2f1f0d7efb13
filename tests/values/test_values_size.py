"""Sizes are parsed and printed as in rclone."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pluton_rclone.remote.rules import CHUNK, CHUNK_LIMIT, chunk_size_fault, good_chunks_near
from pluton_rclone.values.size import AGE, Size
from tests.conf.real_rclone import run


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("10Mi", 10485760),
        ("10M", 10485760),
        ("10m", 10485760),
        ("10MiB", 10485760),
        ("320k", 327680),
        ("320", 327680),  # no unit: KiB
        ("320.", 327680),
        ("1.5Ki", 1536),
        (".5Ki", 512),
        ("100B", 100),
        ("100b", 100),
        ("1G", 1 << 30),
        ("2Pi", 2 << 50),
        ("off", -1),
        ("OFF", -1),
        ("0", 0),
    ],
)
def test_text_is_read_as_rclone_reads_it(text: str, size: int) -> None:
    assert Size.parse(text) == size


@pytest.mark.parametrize(
    "text", ["", "Mi", "10MB", "ten", "-1", "1e3", "10 Mi", "0x10", "inf", "9Ei9", "20Ei", "1_0"]
)
def test_other_text_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"size|large"):
        Size.parse(text)


@pytest.mark.parametrize(
    ("size", "text"),
    [(10485760, "10Mi"), (327680, "320Ki"), (Size(-1), "off"), (0, "0"), (1638400, "1.562Mi")],
)
def test_sizes_are_written_as_rclone_writes_them(size: int, text: str) -> None:
    assert str(Size(size)) == text


def test_the_repr_tells_the_bytes() -> None:
    assert repr(Size(3)) == "Size(3)"


@given(st.integers(1024, 2**62))
@settings(database=None)
def test_an_exact_size_survives_its_own_text(size: int) -> None:
    assert Size(size).is_exact == (Size.parse(str(Size(size))) == size)


@pytest.mark.parametrize("count", [5, 7, 31, 191])
def test_a_chunk_that_rclone_cannot_print_is_refused_with_the_nearest_that_it_can(
    count: int,
) -> None:
    fault = chunk_size_fault(Size(count * CHUNK))
    assert fault is not None
    below, above = good_chunks_near(count * CHUNK)
    assert below < count * CHUNK < above
    assert str(below) in fault
    assert str(above) in fault
    assert chunk_size_fault(below) is None
    assert chunk_size_fault(above) is None


def test_every_chunk_that_we_take_rclone_takes_back_from_its_own_text() -> None:
    taken = [Size(count * CHUNK) for count in range(1, CHUNK_LIMIT // CHUNK + 1)]
    taken = [size for size in taken if chunk_size_fault(size) is None]
    assert Size.parse("10Mi") in taken
    assert Size.parse("250Mi") in taken
    assert all(Size.parse(str(size)) == size for size in taken)
    assert len(taken) == 402  # 1, 3 and every even multiple up to 800


@pytest.mark.parametrize("text", ["319Ki", "1", "off", "251Mi", "10000Ki"])
def test_chunks_too_small_too_large_or_uneven_are_refused(text: str) -> None:
    assert chunk_size_fault(Size.parse(text)) is not None


@pytest.mark.parametrize(
    ("text", "way"),
    [
        *((text, "file") for text in ("320Ki", "1.875Mi", "10Mi", "59.375Mi", "250Mi")),
        *(("59.375Mi", way) for way in ("flag", "environment")),
    ],
)
def test_the_real_rclone_takes_the_chunk_by_file_flag_and_environment(
    text: str, way: str, tmp_path: Path
) -> None:
    """It fails on the token, which it checks after the options."""
    config = tmp_path / "rclone.conf"
    section = "[od]\ntype = onedrive\ndrive_id = b!x\ndrive_type = business\n"
    config.write_text(section + (f"chunk_size = {text}\n" if way == "file" else ""))
    flag = [f"--onedrive-chunk-size={text}"] if way == "flag" else []
    environment = {"RCLONE_CONFIG_OD_CHUNK_SIZE": text} if way == "environment" else {}
    said = run(config, "lsd", "od:", *flag, environment=environment).stderr.decode()
    assert "empty token found" in said
    assert "chunk" not in said


def test_the_real_rclone_refuses_its_own_text_of_five_chunks(tmp_path: Path) -> None:
    config = tmp_path / "rclone.conf"
    config.write_text(
        "[od]\ntype = onedrive\ndrive_id = b!x\ndrive_type = business\nchunk_size = 1.562Mi\n"
    )
    assert "is not a multiple of 320Ki" in run(config, "lsd", "od:").stderr.decode()


@pytest.mark.parametrize(
    ("text", "taken"),
    [
        *((text, True) for text in ("36h", "1h30m", "1.5d", "2w", "1M", "100ms")),
        *((text, True) for text in ("2026-01-31", "2026-01-31 10:00:00", "2026-01-31T10:00:00")),
        *((text, True) for text in ("2026-01-31T10:00:00Z", "2026-01-31T10:00:00.5+02:00")),
        *((text, False) for text in ("1d12h", "1H", "30D", "2026-01-31T10:00", "lately")),
    ],
)
def test_a_time_is_one_that_the_real_rclone_takes(text: str, taken: bool, tmp_path: Path) -> None:
    assert (re.fullmatch(AGE, text, re.IGNORECASE | re.ASCII) is not None) == taken
    ran = run(tmp_path / "rclone.conf", "lsf", str(tmp_path), f"--max-age={text}")
    assert (ran.returncode == 0) == taken
