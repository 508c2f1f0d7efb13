"""The guide's walk in a real browser, on the emulated Microsoft, for each kind of drive."""

from __future__ import annotations

from pathlib import Path

from pluton_rclone import AppRegistration, Storages
from pluton_rclone.emulator import PUBLIC_CLIENT_ID, Emulator

from .browser import chromium
from .server import served
from .visitor import ANNA, Visitor

APP = AppRegistration(PUBLIC_CLIENT_ID)


def test_personal(cloud: Emulator, tmp_path: Path) -> None:
    with served(APP) as address, chromium(cloud, tmp_path) as context:
        anna = Visitor(context, address)
        anna.add("OneDrive Personal Backups")
        anna.authorize(ANNA, "accept")
        anna.choose_type("OneDrive Personal")
        anna.options()
        anna.test()
        anna.save("OneDrive Personal Backups")
        assert anna.complaints == []
    assert Storages()["OneDrive Personal Backups"].remote.drive_type == "personal"
