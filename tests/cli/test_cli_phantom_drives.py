"""Drives that are no place for a backup are not offered at the terminal, but can be named."""

from __future__ import annotations

import json
import os
from collections.abc import Callable

import pytest

from pluton_rclone import Storages, StorageSetup
from pluton_rclone.emulator import PUBLIC_CLIENT_ID, Emulator
from pluton_rclone.emulator.command import browser as played
from pluton_rclone.emulator.faults import GraphFault
from pluton_rclone.emulator.quirks import NO_DRIVE
from tests.connected import ANNA, BERT, connected, remote_of
from tests.forked import Forks
from tests.rclone_port import rclone_port

from .conftest import Command

SITE = "https://contoso.sharepoint.com/sites/Backups"


@pytest.fixture(params=[ANNA, BERT])
def owner(request: pytest.FixtureRequest, cloud: Emulator) -> str:
    """An account with the extra drives that Microsoft lists for personal or for work accounts."""
    username = str(request.param)
    if username == ANNA:
        cloud.quirks.bundles(ANNA, first=True)  # with the drive's own id
        cloud.quirks.unreadable_drive(ANNA, first=True)  # an album
    else:
        cloud.quirks.cache_library(BERT, first=True)
        cloud.quirks.organization_logos(BERT)
    return username


def own_id(cloud: Emulator, username: str) -> str:
    return cloud.files.drive_of(username).id.lower()


def kind_of(username: str) -> str:
    return "personal" if username == ANNA else "business"


def test_connecting_takes_the_persons_own_drive(
    command: Command, cloud: Emulator, owner: str, browser: Callable[..., None]
) -> None:
    browser(owner)
    ran = command("connect", "New", "--type", kind_of(owner))
    assert ran.code == 0, ran.err
    assert Storages()["new"].remote.drive_id.lower() == own_id(cloud, owner)


def test_a_pasted_token_takes_the_persons_own_drive(
    command: Command, cloud: Emulator, owner: str, forks: Forks
) -> None:
    token = remote_of(cloud, "personal" if owner == ANNA else "business").token
    assert token is not None
    done = forks.run(
        *("connect", "New", "--method", "token", "--type", kind_of(owner)),
        env={**os.environ, "PLUTON_ONEDRIVE_CLIENT_ID": PUBLIC_CLIENT_ID},
        stdin=token.get_secret_value().encode(),
    )
    assert done.returncode == 0, done.stderr
    assert Storages()["new"].remote.drive_id.lower() == own_id(cloud, owner)


def test_rclones_own_registration_takes_the_persons_own_drive(
    cloud: Emulator, owner: str, forks: Forks
) -> None:
    with rclone_port():
        done = forks.run(
            *("connect", "New", "--type", kind_of(owner)),
            env={**os.environ, **played(owner), "BROWSER": forks.browser},
        )
    assert done.returncode == 0, done.stderr
    assert Storages()["new"].remote.drive_id.lower() == own_id(cloud, owner)


def test_what_is_not_offered_can_be_named_by_its_id(
    command: Command, cloud: Emulator, browser: Callable[..., None]
) -> None:
    browser(BERT)
    cloud.quirks.cache_library(BERT)
    connected(cloud, "business", name="work")
    listed = command("drives", "work", "--json").json
    (cache,) = [one["id"] for one in listed if one["name"] == "PersonalCacheLibrary"]
    ran = command("connect", "Cache", "--drive", cache)
    assert ran.code == 0, ran.err
    assert Storages()["cache"].remote.drive_id == cache


def test_where_a_choice_is_needed_the_ids_for_it_are_said(
    command: Command, cloud: Emulator, browser: Callable[..., None]
) -> None:
    browser(BERT)
    files = cloud.files
    beside = files.add(files.beside(BERT, "Archive", kind="business"))
    files.list_too(BERT, beside)
    ran = command("connect", "New", "--type", "business")
    assert ran.code != 0
    said = json.dumps(ran.err).replace("\\n", "")
    for each in (beside.id, files.drive_of(BERT).id, "--drive"):
        assert each in said


def without_onedrive(cloud: Emulator) -> None:
    cloud.faults.arm(GraphFault(*NO_DRIVE["spo"]), where="/me/drive", username=BERT, times=None)


def test_an_account_without_onedrive_connects_a_library_by_a_pasted_token(
    cloud: Emulator, forks: Forks
) -> None:
    without_onedrive(cloud)
    token = remote_of(cloud, "sharepoint").token
    assert token is not None
    done = forks.run(
        *("connect", "New", "--method", "token", "--site", SITE),
        env={**os.environ, "PLUTON_ONEDRIVE_CLIENT_ID": PUBLIC_CLIENT_ID},
        stdin=token.get_secret_value().encode(),
    )
    assert done.returncode == 0, done.stderr
    assert Storages()["new"].remote.drive_type == "documentLibrary"
    setup = StorageSetup.for_storage(Storages()["new"])
    assert setup.account is None  # the owner could not be determined: no account is refused


def test_an_account_without_onedrive_connects_a_library_by_rclones_registration(
    cloud: Emulator, forks: Forks
) -> None:
    without_onedrive(cloud)
    with rclone_port():
        done = forks.run(
            *("connect", "New", "--site", SITE),
            env={**os.environ, **played(BERT), "BROWSER": forks.browser},
        )
    assert done.returncode == 0, done.stderr
    assert Storages()["new"].remote.drive_type == "documentLibrary"
