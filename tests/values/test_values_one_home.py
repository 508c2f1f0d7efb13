"""One fact, one home: facts that existed twice with differences are defined once."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path

import pytest

import pluton_rclone
from pluton_rclone.errors import TokenInvalid
from pluton_rclone.microsoft.entra.token import Token
from pluton_rclone.remote.onedrive import OneDriveRemote
from pluton_rclone.remote.rules import drive_id_fault, token_fault
from pluton_rclone.values.drive_ids import normal_drive_id
from pluton_rclone.values.encoding import standard_name
from pluton_rclone.values.printable import printable
from pluton_rclone.values.token_text import issued, parse_time, rclone_reads, token_fields
from pluton_rclone.values.versions import Feature, Version

TOKEN = (
    '{"access_token":"A","token_type":"Bearer","refresh_token":"R","expiry":"2030-01-01T00:00:00Z"}'
)


@pytest.mark.parametrize(
    ("written", "normal"),
    [
        ("ABCDEF0123456789", "abcdef0123456789"),
        ("0000-00ab", "00000000000000ab"),
        ("b!X-y", "b!X-y"),
    ],
)
def test_a_drive_id_is_the_same_in_a_remote_as_in_an_answer_of_graph(
    written: str, normal: str
) -> None:
    kind = "business" if written.startswith("b!") else "personal"
    remote = OneDriveRemote(drive_id=written, drive_type=kind, token=TOKEN)
    assert remote.drive_id == normal_drive_id(written) == normal


def test_a_personal_id_with_dashes_is_known_as_one() -> None:
    assert drive_id_fault("0000-00ab", "business") is not None


@pytest.mark.parametrize(
    ("local", "shown"),
    [
        ("‛‛", "‛‛"),
        (b"a\n\xff", "a␊\udcff"),
        ("␊", "‛␊"),
        ("plain", "plain"),
    ],
)
def test_a_local_name_is_shown_in_one_way(local: str | bytes, shown: str) -> None:
    assert standard_name(local) == shown


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-28T04:05:06Z",
        "2026-11-28T04:05:06.123456789+01:00",
        "2026-11-28t04:05:06z",
        "2026-11-28 04:05:06 +0100",
        "2026-11-28T04:05:06",
    ],
)
def test_the_time_of_a_token_is_the_same_for_a_sign_in_and_for_a_merge(text: str) -> None:
    token = TOKEN.replace("2030-01-01T00:00:00Z", text)
    assert Token.from_rclone(token).expiry == issued(token) == parse_time(text)


@pytest.mark.parametrize(
    "text",
    ["tomorrow", "2026-13-28T04:05:06Z", "9999-12-31T23:59:59-23:00", "٢٠٢٦-11-28T04:05:06Z"],
)
def test_what_is_no_time_is_none_for_both(text: str) -> None:
    with pytest.raises(TokenInvalid):
        Token.from_rclone(TOKEN.replace("2030-01-01T00:00:00Z", text))
    assert parse_time(text) is None


@pytest.mark.parametrize(
    ("text", "reads"),
    [
        ("2026-11-28T04:05:06.1Z", True),
        ("2026-11-28T04:05:06+01:00", True),
        ("2026-11-28 04:05:06Z", False),
        ("2026-11-28T04:05:06+0100", False),
        ("2026-11-28T04:05:06", False),
    ],
)
def test_a_saved_token_needs_a_time_that_go_reads(text: str, reads: bool) -> None:
    fault = token_fault(TOKEN.replace("2030-01-01T00:00:00Z", text), is_renewed=True)
    assert rclone_reads(text) is reads
    assert (fault is None) is reads


def test_a_token_nested_beyond_measure_is_no_token() -> None:
    deep = "[" * 200_000
    assert token_fields(deep) == {}
    assert token_fault(deep, is_renewed=True) is not None


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain é 漢", "plain é 漢"),
        ("\x1b[31m", "\\x1b[31m"),
        ("a\x9bb", "a\\x9bb"),
        ("\u202egpj", "\\u202egpj"),
        ("a\nb\tc", "a\\nb\tc"),
        ("\udcff", "\\xff"),
        ("\ud800", "\\ud800"),
    ],
)
def test_text_from_outside_is_shown_in_one_way(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_no_two_features_are_one() -> None:
    assert len(Feature) == len({feature.title for feature in Feature}) == 5
    assert not Feature.PUBLIC_CLIENT.known_to(Version(1, 66, 9))
    assert Version.parse("rclone v1.75.2\n").__str__() == "1.75.2"
    assert parse_time("2026-11-28T04:05:06Z") == datetime(
        2026, 11, 28, 4, 5, 6, tzinfo=timezone.utc
    )


def test_lines_end_at_a_line_feed_alone_for_us_as_for_rclone() -> None:
    """str.splitlines() also splits at U+2028, U+0085 and others, which names may contain."""
    package = Path(pluton_rclone.__file__).parent
    harmless = {"cli/app.py", "pace/memory.py"}  # ours, /proc
    found = {
        path.relative_to(package).as_posix()
        for path in package.rglob("*.py")
        if ".splitlines(" in path.read_text(encoding="utf-8") and "emulator" not in path.parts
    }
    assert found == harmless
