"""Upload sessions: the 320 KiB rule, ranges in order, the state after a broken connection."""

from __future__ import annotations

from pathlib import Path

import pytest

from pluton_rclone.emulator.drives.drive import Drive
from pluton_rclone.emulator.drives.item import SYSTEM
from pluton_rclone.emulator.drives.quickxor import QuickXor
from pluton_rclone.emulator.drives.storing import sink
from pluton_rclone.emulator.drives.uploads import FRAGMENT_MULTIPLE, Intent, UploadSession
from pluton_rclone.emulator.faults import GraphFault

from .drive_maker import business

TOTAL = 2 * FRAGMENT_MULTIPLE + 100


def begun(drive: Drive, folder: Path | None = None, conflict: str = "replace") -> UploadSession:
    intent = Intent(drive, drive.root, "a.bin", conflict, 1_000, 2_000, None, SYSTEM)
    return UploadSession(intent, sink(folder), now=0)


def send(
    session: UploadSession, first: int, last: int, total: int = TOTAL, data: bytes | None = None
) -> object:
    session.begin(f"bytes {first}-{last}/{total}", None, now=0)
    session.feed(bytes(last - first + 1) if data is None else data)
    return session.end()


@pytest.fixture(params=["memory", "disk"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path | None:
    return tmp_path if request.param == "disk" else None


def test_fragments_become_a_file_with_the_clients_times(folder: Path | None) -> None:
    drive = business()
    data = bytes(range(256)) * (TOTAL // 256) + b"x" * (TOTAL % 256)
    session = begun(drive, folder)
    half = FRAGMENT_MULTIPLE
    assert send(session, 0, half - 1, data=data[:half]) is None
    assert session.next_ranges == [f"{half}-"]
    assert send(session, half, TOTAL - 1, data=data[half:]) is not None
    item = drive.find("a.bin")
    assert item is not None
    assert item.content is not None
    assert drive.read("a.bin") == data
    assert item.content.quick_xor == QuickXor(data).base64()
    assert (item.client_created, item.client_modified) == (1_000, 2_000)
    assert item.rare is None  # a first upload makes one version, not two


def test_a_broken_fragment_leaves_nothing_behind(folder: Path | None) -> None:
    drive = business()
    session = begun(drive, folder)
    send(session, 0, FRAGMENT_MULTIPLE - 1)
    session.begin(f"bytes {FRAGMENT_MULTIPLE}-{TOTAL - 1}/{TOTAL}", None, now=0)
    session.feed(b"half of it")
    session.abort()
    assert session.next_ranges == [f"{FRAGMENT_MULTIPLE}-"]
    send(session, FRAGMENT_MULTIPLE, TOTAL - 1)
    assert drive.read("a.bin") == bytes(TOTAL)


def test_a_cancelled_session_leaves_no_file(tmp_path: Path) -> None:
    drive = business()
    session = begun(drive, tmp_path)
    send(session, 0, FRAGMENT_MULTIPLE - 1)
    session.cancel()
    assert list(tmp_path.iterdir()) == []
    assert drive.find("a.bin") is None


@pytest.mark.parametrize("arrives", [True, False])
def test_a_session_that_is_cancelled_within_a_fragment_is_gone(
    folder: Path | None, arrives: bool
) -> None:
    """rclone cancels it over another connection while the fragment is being sent."""
    drive = business()
    session = begun(drive, folder)
    session.begin(f"bytes 0-{TOTAL - 1}/{TOTAL}", None, now=0)
    session.cancel()
    if arrives:
        session.feed(bytes(TOTAL))
        with pytest.raises(GraphFault, match="404"):
            session.end()
    else:
        session.abort()
    assert drive.find("a.bin") is None
    assert folder is None or list(folder.iterdir()) == []


@pytest.mark.parametrize(
    ("content_range", "status", "inner"),
    [
        ("", 400, None),
        ("bytes 0-1/*", 400, None),
        ("bytes 5-4/10", 400, None),
        ("bytes 0-10/10", 400, None),
        (f"bytes 0-{FRAGMENT_MULTIPLE}/{TOTAL}", 400, "fragmentLengthMismatch"),
        (f"bytes 0-{FRAGMENT_MULTIPLE - 2}/{TOTAL}", 400, "fragmentLengthMismatch"),
        (f"bytes {FRAGMENT_MULTIPLE}-{TOTAL - 1}/{TOTAL}", 416, "fragmentOutOfOrder"),
        (f"bytes 0-{60 * 1024 * 1024 - 1}/{60 * 1024 * 1024}", 413, "maxFragmentLengthExceeded"),
        ("bytes 0-327679/250000000001", 400, "maxFileSizeExceeded"),
    ],
)
def test_what_is_refused_of_a_first_fragment(
    content_range: str, status: int, inner: str | None
) -> None:
    with pytest.raises(GraphFault) as refusal:
        begun(business()).begin(content_range, None, now=0)
    assert refusal.value.status == status
    assert refusal.value.inner_codes == (() if inner is None else (inner,))


def test_a_fragment_just_under_60_mib_is_taken() -> None:
    session = begun(business())
    size = 191 * FRAGMENT_MULTIPLE
    session.begin(f"bytes 0-{size - 1}/{2 * size}", size, now=0)
    assert session.total == 2 * size


def test_a_fragment_that_is_here_already_is_answered_with_416() -> None:
    session = begun(business())
    send(session, 0, FRAGMENT_MULTIPLE - 1)
    with pytest.raises(GraphFault) as refusal:
        send(session, 0, FRAGMENT_MULTIPLE - 1)
    assert (refusal.value.status, refusal.value.inner_codes) == (416, ("fragmentOverlap",))
    with pytest.raises(GraphFault) as refusal:
        send(session, FRAGMENT_MULTIPLE, TOTAL, TOTAL + 1)
    assert refusal.value.status == 400  # a different total than before


def test_a_fragment_of_another_length_than_announced_is_refused() -> None:
    session = begun(business())
    with pytest.raises(GraphFault):
        session.begin(f"bytes 0-9/{10}", 11, now=0)
    with pytest.raises(GraphFault):
        send(session, 0, 9, 10, data=b"short")
    assert session.position == 0


def test_two_fragments_at_once_are_refused() -> None:
    session = begun(business())
    session.begin(f"bytes 0-9/{10}", 10, now=0)
    with pytest.raises(GraphFault) as refusal:
        session.begin(f"bytes 0-9/{10}", 10, now=0)
    assert refusal.value.status == 423


def test_who_came_first_wins_when_the_name_must_be_free() -> None:
    drive = business()
    session = begun(drive, conflict="fail")
    drive.write("a.bin", b"quicker")
    with pytest.raises(GraphFault) as refusal:
        send(session, 0, 9, 10)
    assert (refusal.value.status, refusal.value.code) == (409, "nameAlreadyExists")
    assert drive.read("a.bin") == b"quicker"
