"""Where the suites run: a folder of this machine, and the emulator's drives."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from pluton_rclone.emulator import PUBLIC_CLIENT_ID, Emulator
from pluton_rclone.emulator.command import LEADING_AWAY

DISK = "disk"


def fresh_drive(cloud: Emulator, kind: str) -> tuple[str, str]:
    """A new person, and the id of an empty drive of that kind to which they can write."""
    number = len(cloud.world.people)
    domain = "outlook.com" if kind == "personal" else "contoso.onmicrosoft.com"
    person = cloud.world.add_person(f"somebody{number}@{domain}", f"Somebody {number}")
    if kind != "documentLibrary":
        return person.username, cloud.files.drive_of(person).id
    site = next(site for site in cloud.files.sites_of(person.tenant) if site.path)
    return person.username, cloud.files.add_library(site, f"Library {number}").id


def section(cloud: Emulator, kind: str) -> str:
    """A remote `place` for an empty drive, with a token that is valid for an hour."""
    username, drive = fresh_drive(cloud, kind)
    scopes = ("Files.ReadWrite.All", "offline_access") if kind == "documentLibrary" else ()
    answer = cloud.sign_in(username, *scopes)
    token = {
        "access_token": answer["access_token"],
        "token_type": "Bearer",
        "refresh_token": answer["refresh_token"],
        "expiry": (datetime.now(timezone.utc) + timedelta(hours=1)).isoformat(),
    }
    fields = {
        "type": "onedrive",
        "client_id": PUBLIC_CLIENT_ID,
        "drive_id": drive,
        "drive_type": kind,
        "token": json.dumps(token),
    }
    return "[place]\n" + "".join(f"{key} = {value}\n" for key, value in fields.items())


def make_place(kind: str, folder: Path, request: pytest.FixtureRequest) -> Path:
    """A configuration whose remote `place:` is an empty place of that kind.

    One emulator serves all tests of a worker; each test has its own drive.
    """
    config = folder / "rclone.conf"
    if kind == DISK:
        (folder / "place").mkdir()
        config.write_text(f"[place]\ntype = alias\nremote = {folder / 'place'}\n")
        return config
    config.write_text(section(led_to_the_emulator(request), kind))
    return config


def led_to_the_emulator(request: pytest.FixtureRequest) -> Emulator:
    """Lead this test's processes to the emulator that serves all tests of a worker."""
    cloud: Emulator = request.getfixturevalue("microsoft")
    monkeypatch: pytest.MonkeyPatch = request.getfixturevalue("monkeypatch")
    for name in LEADING_AWAY:
        monkeypatch.delenv(name, raising=False)
    for name, value in cloud.environment.items():
        monkeypatch.setenv(name, value)
    return cloud
