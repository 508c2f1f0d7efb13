"""Storages for tests, connected without walking through the sign-in pages and without a connection
test."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from pydantic import SecretStr

from pluton_rclone import OneDriveRemote, Storage, Storages
from pluton_rclone.emulator import (
    DAEMON_CLIENT_ID,
    DAEMON_CLIENT_SECRET,
    PUBLIC_CLIENT_ID,
    Emulator,
)
from pluton_rclone.emulator.drives.drive import Drive
from pluton_rclone.emulator.drives.item import Link
from pluton_rclone.pace import ledger
from pluton_rclone.pace.budgets import Budget
from pluton_rclone.pace.engine import saved_remote
from pluton_rclone.saved.remote import SavedRemote
from pluton_rclone.setup.connect import DRIVE_TYPES, DriveKind

ANNA = "anna@outlook.com"
BERT = "bert@contoso.onmicrosoft.com"
KINDS: tuple[DriveKind, ...] = ("personal", "business", "sharepoint")
_SCOPES = {
    "personal": ("Files.ReadWrite",),
    "business": ("Files.ReadWrite",),
    "sharepoint": ("Files.ReadWrite.All", "Sites.Read.All"),
}


def person_of(kind: DriveKind) -> str:
    return ANNA if kind == "personal" else BERT


def emulated_drive(cloud: Emulator, kind: DriveKind) -> Drive:
    """The emulator's drive for a storage of this kind."""
    if kind != "sharepoint":
        return cloud.files.drive_of(person_of(kind))
    tenant = cloud.world.person(BERT).tenant
    (site,) = [site for site in cloud.files.sites_of(tenant) if site.title == "Backups"]
    return site.libraries[0]


def link_to_another_drive(cloud: Emulator) -> str:
    """A link to the folder Team in another account's drive, where Bert may write."""
    theirs = cloud.files.drive_of("admin@contoso.onmicrosoft.com")
    folder = theirs.folder("Team")
    theirs.share(folder, BERT)
    link = "https://contoso-my.sharepoint.com/:f:/g/personal/admin/Eabc"
    cloud.files.links[link] = (theirs, folder, Link("1", "edit", "users", link))
    return link


def remote_of(
    cloud: Emulator, kind: DriveKind = "personal", *, seconds: float = 3599.0, **options: Any
) -> OneDriveRemote:
    """A complete remote; for rclone, its access token expires in `seconds`."""
    person = cloud.world.person(person_of(kind))
    scopes = options.pop("granted_scopes", _SCOPES[kind])
    client_id = options.get("client_id", PUBLIC_CLIENT_ID)
    answer = cloud.sign_in(person.username, *scopes, "offline_access", client_id=client_id)
    expiry = datetime.now(timezone.utc) + timedelta(seconds=seconds)
    token = {
        "access_token": answer["access_token"],
        "refresh_token": answer["refresh_token"],
        "token_type": "Bearer",
        "expiry": expiry.isoformat(),
    }
    given = {
        "drive_id": emulated_drive(cloud, kind).id,
        "drive_type": DRIVE_TYPES[kind],
        "client_id": client_id,
        "token": SecretStr(json.dumps(token)),
        "account_id": person.id,
        "account_name": person.username,
        "granted_scopes": scopes,
        **options,
    }
    return OneDriveRemote(**given)


def connected(
    cloud: Emulator, kind: DriveKind = "personal", *, name: str | None = None, **options: Any
) -> Storage:
    """A saved storage, named after its kind by default."""
    return Storages().add_tested(name or kind, remote_of(cloud, kind, **options))


def by_tenant_url(cloud: Emulator, name: str) -> Storage:
    """Bert's OneDrive through SharePoint (tenant_url), with a token as rclone has it there, which
    is never renewed."""
    storage = connected(cloud, "business", name=name)
    token = json.loads(storage.section_with_secrets()["token"])
    token |= {"refresh_token": "", "expiry": "2045-12-31T23:59:59Z"}
    changes: dict[str, str | None] = {
        "tenant_url": "https://contoso-my.sharepoint.com/_api",
        "token": json.dumps(token),
        "client_id": None,
    }
    storage.storages.conf.update(name, changes)
    return storage


def saved(storage: Storage) -> SavedRemote:
    """The storage as the packages below `storages` see it."""
    home = storage.storages
    return saved_remote(home.conf, storage.remote_name, lambda: home.binary)


def budget_for(storage: Storage, budget: Budget, monkeypatch: pytest.MonkeyPatch) -> Budget:
    """Set the budget of the storage's account; return it."""
    monkeypatch.setitem(ledger.BUDGETS, ledger.account_of(storage.section_with_secrets()), budget)
    return budget


def connected_as_app(cloud: Emulator) -> Storage:
    """The storage contoso: Bert's drive, app-only."""
    tenant = cloud.world.person(BERT).tenant
    roles = {"Files.ReadWrite.All", "Sites.Read.All", "User.ReadBasic.All"}
    cloud.world.registrations[DAEMON_CLIENT_ID].granted_roles[tenant.id] = frozenset(roles)
    remote = remote_of(cloud, "business").replace(
        client_id=DAEMON_CLIENT_ID,
        client_secret=SecretStr(DAEMON_CLIENT_SECRET),
        tenant=tenant.id,
        token=None,
        client_credentials=True,
        granted_scopes=(),
        account_id="",
        account_name="",
    )
    return Storages().add_tested("contoso", remote)
