"""Lines of rclone's log as events: real captures of 1.75.2, and the older forms of 1.60.1."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pluton_rclone.rclone import events

CAPTURES: dict[str, Any] = {
    capture["capture"]: capture
    for capture in json.loads((Path(__file__).parents[1] / "data" / "rclone-log.json").read_text())[
        "captures"
    ]
}


def told(capture: str) -> list[events.Event]:
    return [events.parse(line.encode()) for line in CAPTURES[capture]["stderr"]]


def line(**fields: Any) -> events.Event:
    return events.parse(json.dumps(fields).encode())


def test_progress_with_files_in_flight() -> None:
    first = next(event for event in told("copy-progress") if isinstance(event, events.Progress))
    assert (first.bytes, first.total_bytes, first.transfers, first.total_transfers) == (
        937990,
        6500006,
        2,
        5,
    )
    assert (first.speed, first.eta, first.listed, first.elapsed) == (0, None, 7, 0.200982945)
    assert [file.name for file in first.in_flight] == ["a.bin", "b.bin", "sub/c.bin"]
    assert first.in_flight[0] == events.InFlight(
        "a.bin", 356352, 3000000, 1781013.5950124662, None, 11
    )
    assert first.fraction == pytest.approx(0.1443, abs=0.0001)


def test_nothing_to_compare_with_is_no_fraction() -> None:
    assert events.Progress(text="").fraction is None


def test_a_file_that_arrived() -> None:
    event = next(event for event in told("copy-progress") if isinstance(event, events.Transferred))
    assert (event.path, event.size, event.text) == ("räksmörgås 1.txt", 6, "Copied (new)")


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ("Copied (replaced existing)", events.Transferred),
        ("Multi-thread Copied (new)", events.Transferred),
        ("Copied (server-side copy)", events.Transferred),
        ("Moved (server-side)", events.Transferred),
        ("Moved (server-side) to: b", events.Transferred),
        ("Deleted", events.Deleted),
        ("Moved into backup dir", events.Deleted),
        ("Removing directory", events.Deleted),
        ("Updated modification time in destination", events.Updated),
        ("Made directory with metadata", events.Updated),
        ('Renamed from "x"', events.Updated),
        ("Unchanged skipping", events.Checked),
        ("OK", events.Checked),
        ("Something that a later version says", events.Notice),
    ],
)
def test_what_happened_to_a_file(message: str, kind: type[events.Event]) -> None:
    assert type(line(level="info", msg=message, object="a/b", objectType="*local.Object")) is kind


def test_a_dry_run() -> None:
    first, second = (event for event in told("sync-dry-run") if isinstance(event, events.Skipped))
    assert (first.action, first.path, first.size) == ("copy", "b.bin", 2000000)
    assert (second.action, second.path) == ("delete", "extra.txt")


def test_a_file_that_failed() -> None:
    [event] = [
        event for event in told("copy-permission-denied") if isinstance(event, events.Failed)
    ]
    assert event.path == "locked.txt"
    assert "permission denied" in event.text


@pytest.mark.parametrize(
    "message",
    [
        "corrupted on transfer: sizes differ",
        "partial file rename failed: denied",
        "Failed to calculate dst hash: hash: failed to read: input/output error",
        "Failed to remove partially written file: denied",
    ],
)
def test_a_file_that_failed_under_its_name_in_the_making(message: str) -> None:
    name = "a.txt.26c15a3d.partial"
    event = line(level="error", msg=message, object=name, objectType="*local.Object")
    assert isinstance(event, events.Failed)
    assert event.path == "a.txt"


@pytest.mark.parametrize("message", ["Failed to copy: failed to open", "Couldn't delete: denied"])
def test_a_file_that_somebody_else_left_unfinished_keeps_its_name(message: str) -> None:
    """rclone logs this about files at the source or the destination."""
    name = "a.txt.26c15a3d.partial"
    event = line(level="error", msg=message, object=name, objectType="*local.Object")
    assert isinstance(event, events.Failed)
    assert event.path == name


def test_a_chunk_that_a_chunker_could_not_remove_is_no_file_that_failed() -> None:
    """The file has already failed, under its own name."""
    text = "Failed to remove temporary chunk: itemNotFound: The resource could not be found."
    name = "CON.rclone_chunk.001_bw90av"
    event = line(level="error", msg=text, object=name, objectType="*onedrive.Object")
    assert isinstance(event, events.Notice)
    assert (event.about, event.level) == (name, "error")


def test_an_error_of_the_whole_run_is_no_file() -> None:
    assert not [event for event in told("copy-source-missing") if isinstance(event, events.Failed)]


@pytest.mark.parametrize(
    ("capture", "seconds"),
    [("onedrive-fake-429-int", [2.0, 2.0]), ("onedrive-fake-429-float", [None])],
)
def test_being_throttled(capture: str, seconds: list[float | None]) -> None:
    assert [
        event.seconds for event in told(capture) if isinstance(event, events.Throttled)
    ] == seconds


@pytest.mark.parametrize(
    ("wait", "seconds"),
    [
        ("2h0m0s", 7200.0),
        ("1m40s", 100.0),
        ("1.5s", 1.5),
        ("300ms", 0.3),
        ("7200 seconds.", 7200.0),
    ],
)
def test_how_long_to_wait_as_go_writes_it(wait: str, seconds: float) -> None:
    event = line(level="notice", msg=f"Too many requests. Trying again in {wait}")
    assert isinstance(event, events.Throttled)
    assert event.seconds == pytest.approx(seconds)


def test_plain_text_keeps_its_level() -> None:
    [event] = told("unknown-remote")
    assert isinstance(event, events.PlainText)
    assert event.level == "critical"
    assert event.text.startswith("Failed to create file system")


def test_usage_errors_are_plain_text_even_in_the_json_log() -> None:
    assert {type(event) for event in told("flag-error-with-json-log")} == {events.PlainText}


def test_a_warning_of_1_60_1_is_a_notice() -> None:
    assert line(level="warning", msg="x").level == "notice"


def test_unknown_fields_and_missing_ones_do_no_harm() -> None:
    event = line(msg="x", new={"a": [1]}, stats={"bytes": 3, "totalBytes": None, "novel": 1})
    assert isinstance(event, events.Progress)


@pytest.mark.parametrize("capture", sorted(CAPTURES))
def test_every_line_of_every_capture_is_an_event(capture: str) -> None:
    assert all(isinstance(event, events.Event) for event in told(capture))


@settings(deadline=None)
@given(st.binary())
def test_no_line_whatever_makes_it_fail(junk: bytes) -> None:
    assert isinstance(events.parse(junk), events.Event)


@settings(deadline=None)
@given(
    st.fixed_dictionaries(
        {},
        optional={
            name: st.one_of(
                st.none(), st.text(), st.integers(), st.dictionaries(st.text(), st.integers())
            )
            for name in ("msg", "level", "object", "objectType", "size", "skipped", "stats")
        },
    )
)
def test_no_record_whatever_makes_it_fail(record: dict[str, Any]) -> None:
    assert isinstance(events.parse(json.dumps(record).encode()), events.Event)


def test_no_secret_is_in_the_repr_of_an_event() -> None:
    """rclone's DEBUG log holds addresses that need no further proof."""
    address = "https://contoso.sharepoint.com/_api/upload?tempauth=v1.eyJ0b2tlbiI6"
    event = events.parse(json.dumps({"level": "debug", "msg": f"PUT {address}"}).encode())
    assert event.text.endswith("eyJ0b2tlbiI6")
    assert "tempauth=***" in repr(event)
    assert "eyJ0b2tlbiI6" not in f"{event!r} {event}"
