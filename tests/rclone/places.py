"""Where the suites run: a folder of this machine, and the emulator's three kinds of drives."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from pluton_rclone.emulator import PUBLIC_CLIENT_ID, Emulator
from pluton_rclone.emulator.command import LEADING_AWAY

ANNA = "anna@outlook.com"
BERT = "bert@contoso.onmicrosoft.com"

DISK = "disk"
DRIVES = ("personal", "business", "documentLibrary")


def drive_id(cloud: Emulator, kind: str) -> str:
    files = cloud.files
    if kind == "personal":
        return files.drive_of(ANNA).id
    if kind == "business":
        return files.drive_of(BERT).id
    contoso = cloud.world.person(BERT).tenant
    site = next(site for site in files.sites_of(contoso) if site.libraries and site.path)
    return site.libraries[0].id


def section(cloud: Emulator, kind: str, *, name: str = "place", **options: str) -> str:
    """A remote of rclone.conf for one of the emulator's drives, with a token that is good for an hour."""
    scopes = ("Files.ReadWrite.All", "offline_access") if kind == "documentLibrary" else ()
    answer = cloud.sign_in(ANNA if kind == "personal" else BERT, *scopes)
    token = {
        "access_token": answer["access_token"],
        "token_type": "Bearer",
        "refresh_token": answer["refresh_token"],
        "expiry": (datetime.now(timezone.utc) + timedelta(hours=1)).isoformat(),
    }
    fields = {
        "type": "onedrive",
        "client_id": PUBLIC_CLIENT_ID,
        "drive_id": drive_id(cloud, kind),
        "drive_type": kind,
        "token": json.dumps(token),
        **options,
    }
    return f"[{name}]\n" + "".join(f"{key} = {value}\n" for key, value in fields.items())


@contextmanager
def make_place(kind: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A configuration whose remote `place:` is of that kind; the emulator runs as long as it is needed."""
    config = folder / "rclone.conf"
    if kind == DISK:
        (folder / "place").mkdir()
        config.write_text(f"[place]\ntype = alias\nremote = {folder / 'place'}\n")
        yield config
        return
    with Emulator() as cloud:
        for name in LEADING_AWAY:
            monkeypatch.delenv(name, raising=False)
        for name, value in cloud.environment.items():
            monkeypatch.setenv(name, value)
        config.write_text(section(cloud, kind))
        yield config
        assert cloud.crashes == []
