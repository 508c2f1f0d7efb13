"""A preflight says what the transfer then does."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pluton_rclone.emulator import Emulator
from pluton_rclone.errors import TransferFailed
from tests.connected import connected, emulated_drive


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    folder.mkdir()
    return folder


@pytest.mark.parametrize("left_out", ["link", "twin"])
def test_what_a_transfer_leaves_out_is_no_reason_not_to_know_what_fits(
    cloud: Emulator, source: Path, left_out: str
) -> None:
    """More than is free, and there already: the dry run that finds that out names what fails."""
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
