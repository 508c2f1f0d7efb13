"""A folder deep inside a drive: rclone's walk or the feed, whichever is complete first, with the
same entries."""

from __future__ import annotations

import asyncio
import re
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import requests as web

from pluton_rclone import Storage
from pluton_rclone.emulator import Emulator
from pluton_rclone.emulator.drives.drive import Drive
from pluton_rclone.emulator.graph.call import Call
from pluton_rclone.feed import race as feed_race
from pluton_rclone.pace.budgets import Budget, Limit
from pluton_rclone.rclone.listing import Entry
from pluton_rclone.setup.connect import DriveKind
from tests.connected import budget_for, connected, emulated_drive
from tests.gates import Gate
from tests.terminal import PATIENCE

FOLDERS = 40
FEED = "/root/delta"


@pytest.fixture
def a_slow_walk(cloud: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """One folder after the other, and a feed that begins at once: the feed is complete first."""
    monkeypatch.setenv("RCLONE_CHECKERS", "1")
    monkeypatch.setattr(feed_race, "HEAD_START", 0.0)
    cloud.faults.latency = 0.03


@pytest.fixture
def walk(a_slow_walk: None, cloud: Emulator) -> Gate:
    """The walk waits at its first folder: the feed is complete first, whatever is delayed."""
    return Gate(cloud, "children$")


def hold_the_walk_until_the_feed_is_asked(cloud: Emulator) -> None:
    @asynccontextmanager
    async def turn(call: Call) -> AsyncIterator[None]:
        while call.path.endswith("children") and not requests(cloud, FEED):
            await asyncio.sleep(0.01)
        yield

    cloud.faults.turn = turn


def fill(drive: Drive, top: str = "deep/er") -> None:
    for folder in range(FOLDERS):
        for number in range(5):
            drive.write(
                f"{top}/folder {folder}/in/{number}.txt",
                b"x" * number,
                modified=1700000000.25 + number,
            )
    drive.folder(f"{top}/empty")
    drive.write("elsewhere.txt", b"not listed")


def listed(storage: Storage, **options: Any) -> list[Entry]:
    return sorted(storage.walk("deep/er", **options), key=lambda entry: entry.path)


def requests(cloud: Emulator, what: str) -> int:
    return sum(1 for request in cloud.requests if re.search(what, request.path))


OPTIONS: list[dict[str, Any]] = [
    {"hashes": ["quickxor"], "mime_types": True},
    {"files_only": True},
    {"dirs_only": True},
]


@pytest.mark.parametrize(
    ("kind", "options"),
    [("personal", {}), ("sharepoint", {}), *(("business", options) for options in OPTIONS)],
    ids=str,
)
def test_the_feed_gives_what_rclone_would_have_listed(
    cloud: Emulator, walk: Gate, kind: DriveKind, options: dict[str, Any]
) -> None:
    fill(emulated_drive(cloud, kind))
    storage = connected(cloud, kind)
    mine = listed(storage, **options)
    assert requests(cloud, FEED) == 1
    assert requests(cloud, "children$") < 2 * FOLDERS
    walk.open()
    cloud.faults.latency = 0
    assert mine == listed(storage, by="folders", **options)


def test_files_and_bytes_are_counted_the_same_way(cloud: Emulator, walk: Gate) -> None:
    fill(emulated_drive(cloud, "business"))
    storage = connected(cloud, "business")
    total = storage.size("deep/er")
    assert requests(cloud, FEED) == 1
    walk.open()
    cloud.faults.latency = 0
    assert total == storage.size("deep/er", by="folders")
    assert (total.count, total.bytes) == (5 * FOLDERS, 10 * FOLDERS)


def test_a_small_folder_is_listed_before_the_feed_is_begun(
    cloud: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed_race, "HEAD_START", 60.0)
    drive = emulated_drive(cloud, "business")
    for folder in range(5):
        drive.write(f"deep/er/{folder}/a.txt", b"a")
    assert len(listed(connected(cloud, "business"))) == 10
    assert requests(cloud, FEED) == 0


@pytest.mark.usefixtures("a_slow_walk")
@pytest.mark.parametrize("status", [401, 410])
def test_a_feed_that_breaks_off_leaves_the_walk_alone(cloud: Emulator, status: int) -> None:
    fill(emulated_drive(cloud, "business"))
    storage = connected(cloud, "business")
    cloud.faults.refuse(status, where=FEED, times=None)
    hold_the_walk_until_the_feed_is_asked(cloud)
    before = requests(cloud, "/token$")
    mine = listed(storage)
    assert requests(cloud, FEED) >= 1
    assert requests(cloud, "/token$") == before  # rclone runs, and only rclone renews the token
    cloud.faults.latency = 0
    assert mine == listed(storage, by="folders")


@pytest.mark.usefixtures("a_slow_walk")
def test_a_folder_of_another_drive_in_it_is_listed_too(cloud: Emulator) -> None:
    drive, theirs = emulated_drive(cloud, "business"), emulated_drive(cloud, "sharepoint")
    fill(drive)
    theirs.write("Team/plans/a.txt", b"a")
    drive.add_shortcut(theirs, theirs.folder("Team"), "Team", drive.find("deep/er/folder 30"))
    storage = connected(cloud, "business", granted_scopes=("Files.ReadWrite.All",))
    hold_the_walk_until_the_feed_is_asked(cloud)
    mine = listed(storage)
    assert "folder 30/Team/plans/a.txt" in [entry.path for entry in mine]
    assert requests(cloud, FEED) == 1
    cloud.faults.latency = 0
    assert mine == listed(storage, by="folders")


@pytest.mark.usefixtures("a_slow_walk")
def test_whoever_stops_listening_leaves_nothing_running(cloud: Emulator) -> None:
    fill(emulated_drive(cloud, "business"))
    entries = connected(cloud, "business").walk("deep/er")
    next(entries)
    entries.close()  # type: ignore[attr-defined]
    for thread in threading.enumerate():
        if thread.name == "feed race":
            thread.join(PATIENCE)
            assert not thread.is_alive()


@pytest.mark.usefixtures("a_slow_walk")
@pytest.mark.parametrize("word", ["true", "1"])
def test_a_remote_whose_walk_is_the_feed_itself_does_not_race(cloud: Emulator, word: str) -> None:
    fill(emulated_drive(cloud, "business"))
    storage = connected(cloud, "business")
    plain = listed(storage)
    storage.storages.conf.update(storage.remote_name, {"delta": word})
    # Requests of the first walk may be in flight or unread: what is asked after them is answered
    # once they have begun.
    assert web.get("https://graph.microsoft.com/v1.0/me").status_code == 401
    before = time.monotonic()
    assert listed(storage) == plain
    assert not [
        each for each in cloud.requests if each.started > before and each.path.endswith("children")
    ]


# ---- within Microsoft's budgets ------------------------------------------------------------------


@pytest.mark.usefixtures("a_slow_walk")
@pytest.mark.parametrize("near", [True, False])
def test_no_page_is_read_near_a_limit(
    cloud: Emulator, monkeypatch: pytest.MonkeyPatch, near: bool
) -> None:
    """There the governor finds out whether the limit holds."""
    fill(emulated_drive(cloud, "business"))
    storage = connected(cloud, "business")
    budget = budget_for(storage, Budget([Limit(3000.0, 600.0, "requests")]), monkeypatch)
    if near:
        budget.hold(time.monotonic(), 3600.0)
    else:
        hold_the_walk_until_the_feed_is_asked(cloud)
    entries = storage.walk("deep/er")
    assert len(list(entries)) == 7 * FOLDERS + 1
    assert requests(cloud, FEED) == (0 if near else 1)
