"""A preflight predicts the transfer: with options for links, with filters, and with unreadable
parts of the source."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from pluton_rclone import Transfer
from pluton_rclone.emulator import Emulator
from pluton_rclone.errors import TransferFailed
from pluton_rclone.preflight import Preflight
from tests.connected import connected, emulated_drive


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    folder.mkdir()
    return folder


def found(scan: Preflight) -> list[tuple[str, str]]:
    return sorted((one.path, one.rule.name) for one in scan)


def not_transferred(transfer: Transfer) -> list[str]:
    return sorted(file.path for file in transfer.wait().failed)


def test_a_link_that_is_kept_as_a_file_is_judged_by_the_name_of_that(
    cloud: Emulator, source: Path
) -> None:
    storage = connected(cloud, "business")
    (source / ("n" * 250)).symlink_to("nowhere")
    (source / "CON").symlink_to("nowhere")
    (source / "twin").symlink_to("nowhere")
    (source / "twin.rclonelink").write_text("a file")
    long = "n" * 250 + ".rclonelink"
    scan = storage.preflight(source, "x", links=True)
    assert found(scan) == [
        (long, "name_too_long"),
        ("twin.rclonelink", "same_name_twice"),
        ("twin.rclonelink", "same_name_twice"),
    ]
    assert scan.summary.files == 4
    assert not_transferred(storage.upload(source, "x", links=True)) == [long, "twin.rclonelink"]


def test_what_of_a_source_cannot_be_listed_is_found_and_the_rest_is_looked_at(
    cloud: Emulator, source: Path
) -> None:
    storage = connected(cloud, "business")
    (source / "CON").write_text("refused")
    (source / "broken").symlink_to("nowhere")
    expected = [("CON", "name_forbidden"), ("broken", "unreadable")]
    assert found(storage.preflight(source, "x", copy_links=True)) == expected
    assert not_transferred(storage.upload(source, "x", copy_links=True)) == ["CON", "broken"]


def test_so_is_a_folder_of_a_source_in_a_storage(cloud: Emulator) -> None:
    other, storage = connected(cloud, "personal"), connected(cloud, "business")
    drive = emulated_drive(cloud, "personal")
    drive.write("photos/2026/a.jpg", b"x")
    drive.write("photos/forms", b"x")
    gone = drive.find("photos/2026")
    assert gone is not None
    cloud.faults.refuse(404, times=None, where=f"{re.escape(gone.id)}|/delta")
    scan = storage.preflight("photos", of=other)
    assert found(scan) == [("2026", "unreadable"), ("forms", "name_forms_at_root")]


@pytest.mark.parametrize("statuses", [(423, 403), (403, 423)], ids=["locked first", "locked last"])
def test_whatever_keeps_each_of_several_folders_from_being_listed(
    cloud: Emulator, statuses: tuple[int, int]
) -> None:
    other, storage = connected(cloud, "personal"), connected(cloud, "business")
    drive = emulated_drive(cloud, "personal")
    for name, status in zip(("one", "two"), statuses, strict=True):
        folder = drive.folder(f"photos/{name}")
        cloud.faults.refuse(status, times=None, where=f"{re.escape(folder.id)}|/delta")
    drive.write("photos/forms", b"x")
    scan = storage.preflight("photos", of=other)
    assert found(scan) == [
        ("forms", "name_forms_at_root"),
        ("one", "unreadable"),
        ("two", "unreadable"),
    ]


@pytest.mark.parametrize("left_out", ["link", "twin"])
def test_what_a_transfer_leaves_out_is_no_reason_not_to_know_what_fits(
    cloud: Emulator, source: Path, left_out: str
) -> None:
    """More than the free space, but there already: the dry run that shows it names failures."""
    storage, drive = connected(cloud), emulated_drive(cloud, "personal")
    (source / "large").write_bytes(os.urandom(30_000))
    storage.upload(source, "x").result()
    drive.quota.total = drive.used + 20_000
    if left_out == "link":
        (source / "link").symlink_to("large")
    else:
        (source / "Twin").touch()
        (source / "twin").touch()
    with pytest.raises(TransferFailed):
        storage.upload(source, "x", dry_run=True).result()
    scan = storage.preflight(source, "x")
    assert "quota_exceeded" not in [one.rule.name for one in scan]
    assert scan.summary.finished
