"""O365, an independent client of Microsoft 365, signs in, uploads whole files and parts, lists,
downloads, moves and deletes on the emulator."""

from __future__ import annotations

import os
from pathlib import Path

from O365 import Account
from O365.utils.token import MemoryTokenBackend

from pluton_rclone.emulator import DAEMON_CLIENT_ID, DAEMON_CLIENT_SECRET, Emulator

BERT = "bert@contoso.onmicrosoft.com"


def test_o365_cannot_tell_the_emulator_from_microsoft(cloud: Emulator, tmp_path: Path) -> None:
    small, large = tmp_path / "small.txt", tmp_path / "large.bin"
    small.write_text("hello")
    large.write_bytes(os.urandom(6 * 1024**2))  # it sends files above 4 MiB in parts

    account = Account(
        (DAEMON_CLIENT_ID, DAEMON_CLIENT_SECRET),
        auth_flow_type="credentials",
        tenant_id="contoso.onmicrosoft.com",
        token_backend=MemoryTokenBackend(),
    )
    assert account.authenticate()
    drive = account.storage(resource=BERT).get_default_drive()
    root = drive.get_root_folder()
    assert root.upload_file(small)
    assert root.upload_file(large)
    assert {item.name: item.size for item in root.get_items()} == {
        "small.txt": 5,
        "large.bin": large.stat().st_size,
    }

    found = drive.get_item_by_path("/large.bin")
    (tmp_path / "down").mkdir()
    assert found.download(to_path=tmp_path / "down", name="large.bin")
    assert (tmp_path / "down" / "large.bin").read_bytes() == large.read_bytes()

    folder = root.create_child_folder("folder")
    assert found.move(folder)
    assert [item.name for item in folder.get_items()] == ["large.bin"]
    assert found.delete()
    assert [item.name for item in folder.get_items()] == []
    assert cloud.files.drive_of(BERT).read("small.txt") == b"hello"
