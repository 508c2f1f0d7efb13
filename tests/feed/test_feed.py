"""A whole drive, listed from its delta feed: the same as rclone's walk, or rclone's walk itself."""

from __future__ import annotations

import json
import logging
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from pluton_rclone import Storage, Storages
from pluton_rclone.emulator import DAEMON_CLIENT_ID, DAEMON_CLIENT_SECRET, Emulator
from pluton_rclone.emulator.drives.changes import Order
from pluton_rclone.emulator.drives.content import InMemory
from pluton_rclone.emulator.drives.drive import Drive
from pluton_rclone.errors import (
    AccessDenied,
    ConfigNotWritable,
    ItemNotFound,
    NothingFound,
    PlutonRcloneError,
    UsageError,
)
from pluton_rclone.feed import race
from pluton_rclone.feed.tree import FeedTree
from pluton_rclone.rclone.listing import Entry
from pluton_rclone.setup.connect import DriveKind
from tests.connected import BERT, KINDS, connected, emulated_drive, remote_of
from tests.terminal import PATIENCE

FEED = "/root/delta"
WALKED = "walked folder by folder"


def listed(storage: Storage, **options: Any) -> list[Entry]:
    return sorted(storage.walk(**options), key=lambda entry: (entry.path, entry.id or ""))


def by_rclone(storage: Storage, **options: Any) -> list[Entry]:
    return listed(storage, by="folders", **options)


def requests(cloud: Emulator, what: str) -> int:
    return sum(1 for request in cloud.requests if re.search(what, request.path))


@pytest.fixture(autouse=True)
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages of a hundred items; Microsoft and the emulator allow a thousand."""
    monkeypatch.setattr("pluton_rclone.emulator.graph.items.LARGEST_PAGE", 100)


def fill(drive: Drive, folders: int = 6, each: int = 20) -> None:
    """126 items: two pages of the feed."""
    for folder in range(folders):
        for number in range(each):
            drive.write(
                f"folder {folder}/{number}.txt", b"x" * number, modified=1700000000.25 + number
            )


BOTH: tuple[DriveKind, ...] = ("personal", "business")
"""For the feed, a document library is a work drive."""


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> DriveKind:
    found: DriveKind = request.param
    return found


# ---- the same as rclone's walk -------------------------------------------------------------------


def test_every_kind_of_drive_is_listed_as_rclone_lists_it_with_a_request_a_page(
    cloud: Emulator, kind: DriveKind
) -> None:
    drive = emulated_drive(cloud, kind)
    fill(drive)
    drive.write("deep/er/and deeper/é😀.docx", b"", modified=946684800)
    drive.folder("empty")
    drive.add_notebook("Notes")
    storage = connected(cloud, kind)

    mine = listed(storage, hashes=["quickxor"], mime_types=True)

    assert len(mine) == 6 * 21 + 5
    more: list[dict[str, Any]] = [{}, {"files_only": True}, {"dirs_only": True}]
    more = more if kind == "personal" else []  # none of them depends on the drive
    found = [listed(storage, **options) for options in more]
    total = storage.size()
    assert (requests(cloud, FEED), requests(cloud, "/children$")) == (2 * (2 + len(more)), 0)
    assert mine == by_rclone(storage, hashes=["quickxor"], mime_types=True)
    assert found == [by_rclone(storage, **options) for options in more]
    assert total == storage.size(by="folders")


def test_onenote_is_hidden_or_shown_as_the_option_says(cloud: Emulator) -> None:
    emulated_drive(cloud, "business").add_notebook("Notes")
    storage = connected(cloud, "business", expose_onenote_files=True)
    assert [entry.path for entry in listed(storage)] == ["Notes"]
    assert listed(storage) == by_rclone(storage)


@pytest.mark.parametrize("kind", BOTH)
def test_children_first_and_items_twice_lose_nothing_where_rclones_own_delta_does(
    cloud: Emulator, kind: DriveKind
) -> None:
    drive = emulated_drive(cloud, kind)
    fill(drive)
    drive.changes.order = Order.CHILDREN_FIRST
    drive.changes.repeats = 80
    storage = connected(cloud, kind)
    whole = by_rclone(storage)

    assert listed(storage) == whole
    assert requests(cloud, FEED) == 3
    argv = [
        storage.rclone.binary.path,
        "lsjson",
        "-R",
        "--fast-list",
        "--onedrive-delta",
        f"{kind}:",
    ]
    dropped = subprocess.run(argv, stdout=subprocess.PIPE, check=True).stdout
    assert len(json.loads(dropped)) < len(whole)


def test_what_rclones_own_delta_drops_is_copied_compared_and_counted_all_the_same(
    cloud: Emulator, tmp_path: Path
) -> None:
    drive = emulated_drive(cloud, "business")
    fill(drive)
    drive.changes.order = Order.CHILDREN_FIRST
    storage = connected(cloud, "business", delta=True)
    assert len(by_rclone(storage)) < 126
    assert storage.download("", tmp_path / "back", fast_list=True).result().transfers == 120
    assert storage.size(by="folders").count == 120
    assert storage.check(tmp_path / "back", "", fast_list=True).matching == 120
    assert storage.delete("", filters=["- folder 0/**"], fast_list=True).result().deletes == 100
    assert storage.remote.delta, "the option stays"


def test_what_is_below_a_shared_folder_is_asked_of_the_drive_it_belongs_to(cloud: Emulator) -> None:
    theirs = emulated_drive(cloud, "sharepoint")
    theirs.write("Team/plans/a.txt", b"a")
    team = theirs.find("Team")
    assert team is not None
    drive = emulated_drive(cloud, "business")
    drive.write("mine/b.txt", b"b")
    drive.add_shortcut(theirs, team, "Team")
    storage = connected(cloud, "business", granted_scopes=("Files.ReadWrite.All",))
    mine = listed(storage, hashes=["quickxor"])
    assert [entry.path for entry in mine] == [
        "Team",
        "Team/plans",
        "Team/plans/a.txt",
        "mine",
        "mine/b.txt",
    ]
    assert mine == by_rclone(storage, hashes=["quickxor"])
    assert storage.size() == storage.size(by="folders")


@pytest.mark.parametrize(("status", "kind"), [(404, ItemNotFound), (403, AccessDenied)])
def test_a_shortcut_whose_target_cannot_be_opened_is_named_as_in_rclones_walk(
    cloud: Emulator, status: int, kind: type[PlutonRcloneError]
) -> None:
    drive, theirs = emulated_drive(cloud, "business"), emulated_drive(cloud, "sharepoint")
    drive.add_shortcut(theirs, theirs.folder("Team"), "Team")
    storage = connected(cloud, "business")
    cloud.faults.refuse(status, times=None, where=theirs.folder("Team").id)
    for entries in (storage.walk(), storage.walk(by="folders")):
        with pytest.raises(kind, match=r"^Team: t") as failure:
            list(entries)
        assert failure.value.details["unread"] == ["Team"]


def test_what_other_shortcuts_lead_to_is_listed_all_the_same(cloud: Emulator) -> None:
    drive, theirs = emulated_drive(cloud, "business"), emulated_drive(cloud, "sharepoint")
    for name in ("Ask", "Plans", "Team"):
        theirs.write(f"{name}/a.txt", b"a")
        drive.add_shortcut(theirs, theirs.folder(name), name)
    storage = connected(cloud, "business", granted_scopes=("Files.ReadWrite.All",))
    for name in ("Ask", "Team"):
        cloud.faults.refuse(404, times=None, where=theirs.folder(name).id)
    for entries in (storage.walk(), storage.walk(by="folders")):
        seen: list[str] = []
        with pytest.raises(ItemNotFound) as failure:
            seen.extend(entry.path for entry in entries)
        assert "Plans/a.txt" in seen
        assert sorted(failure.value.details["unread"]) == ["Ask", "Team"]


def test_the_personal_vault_that_is_locked_fails_as_in_rclones_walk_once_all_else_was_listed(
    cloud: Emulator,
) -> None:
    drive = emulated_drive(cloud, "personal")
    drive.write("a.txt", b"a")
    drive.folder("Personal Vault").rarities.vault = True
    storage = connected(cloud)
    seen: dict[str, list[str]] = {"auto": [], "folders": []}
    raised: list[PlutonRcloneError] = []
    for entries, found in (
        (storage.walk(), seen["auto"]),
        (storage.walk(by="folders"), seen["folders"]),
    ):
        with pytest.raises(PlutonRcloneError) as failure:
            found += (entry.path for entry in entries)
        raised.append(failure.value)
    assert sorted(seen["auto"]) == ["Personal Vault", "a.txt"]  # rclone itself stops there
    assert set(seen["folders"]) <= set(seen["auto"])
    assert (type(raised[0]), raised[0].exit_code) == (type(raised[1]), raised[1].exit_code)


STORED = st.text(
    st.sampled_from("\"*:<>?|\\.~ ‛␀␁␊␍␡␠＂＊：＜＞？｜＼／．～\t#%$'aBC3é0😀"),
    min_size=1,
    max_size=8,
).filter(lambda name: name not in {".", ".."} and "/" not in name)


@pytest.mark.parametrize(
    "encoding",
    [
        None,
        "Slash,InvalidUtf8",
        "Slash,CrLf,LeftCrLfHtVt,RightCrLfHtVt,LeftPeriod,RightSpace,Colon,Question,Del,Dot",
        "None",
        "Raw",
    ],
)
def test_any_stored_name_is_spelled_as_rclone_spells_it(
    cloud: Emulator, encoding: str | None
) -> None:
    drive = emulated_drive(cloud, "business")
    drive.enforce_limits = False
    storage = connected(cloud, "business", **({} if encoding is None else {"encoding": encoding}))

    @settings(
        max_examples=2,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    @given(st.lists(STORED, min_size=120, max_size=240))
    def same(names: list[str]) -> None:
        for item in list((drive.root.children or {}).values()):
            drive.delete(item)
        for name in names:
            if drive.find(name) is None:
                drive.put(drive.root, name, InMemory(b""))
        assert listed(storage) == by_rclone(storage)

    same()


# ---- where it is not used ------------------------------------------------------------------------


def test_only_the_whole_drive_is_read_from_the_feed(
    cloud: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(race, "HEAD_START", PATIENCE)  # else the feed starts beside a slow one
    fill(emulated_drive(cloud, "business"), folders=2, each=2)
    storage = connected(cloud, "business", base_folder="folder 0")
    assert [entry.path for entry in listed(storage)] == ["0.txt", "1.txt"]
    assert requests(cloud, FEED) == 0
    assert len(listed(storage, path="/")) == 6
    assert requests(cloud, FEED) == 1
    assert len(listed(storage, path="/folder 0")) == 2
    assert requests(cloud, FEED) == 1


def test_a_folder_deep_inside_is_read_from_the_feed_where_that_is_wanted(
    cloud: Emulator, kind: DriveKind
) -> None:
    drive = emulated_drive(cloud, kind)
    fill(drive, folders=2, each=2)
    theirs = emulated_drive(cloud, "sharepoint")
    drive.write("base/deep＊/er/a.txt", b"a")
    storage = connected(cloud, kind, base_folder="Base", granted_scopes=("Files.ReadWrite.All",))
    if kind != "personal":  # an account of the other kind may have no access
        drive.add_shortcut(theirs, theirs.folder("Team/plans"), "plans", drive.find("base/deep＊"))
    whole, total = listed(storage, path="DEEP*", by="feed"), storage.size("deep*", by="feed")
    assert requests(cloud, FEED) == 2
    assert whole == by_rclone(storage, path="deep*")
    assert total == storage.size("deep*")
    with pytest.raises(NothingFound):
        listed(storage, path="none", by="feed")


@pytest.mark.parametrize(
    "options",
    [
        {"by": "folders"},
        {"max_depth": 5},
        {"filters": ["- *.tmp"]},
        {"extra": ["--metadata"]},
        {"tpslimit": 5},
        {"hashes": ["sha1"]},
    ],
)
def test_with_what_only_rclone_knows_the_meaning_of_rclone_walks(
    cloud: Emulator, options: dict[str, Any]
) -> None:
    emulated_drive(cloud, "business").write("a.txt", b"a")
    storage = connected(cloud, "business")
    try:
        assert [entry.path for entry in listed(storage, **options)] == ["a.txt"]
    except PlutonRcloneError:
        assert "hashes" in options  # OneDrive has no such hashes
    assert requests(cloud, FEED) == 0


def test_an_option_that_there_is_not_is_refused_at_once(cloud: Emulator) -> None:
    storage = connected(cloud)
    with pytest.raises(UsageError, match="no option"):
        storage.walk(recursive=True)  # type: ignore[call-arg]


def test_a_proxy_that_only_rclone_was_told_is_not_gone_around(
    cloud: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage = connected(cloud)
    monkeypatch.setenv("RCLONE_HTTP_PROXY", os.environ["HTTPS_PROXY"])
    assert listed(storage) == []
    assert requests(cloud, FEED) == 0


def test_what_moves_or_deletes_never_reads_the_feed(cloud: Emulator, tmp_path: Path) -> None:
    fill(emulated_drive(cloud, "business"), folders=2, each=2)
    storage = connected(cloud, "business")
    storage.download("", tmp_path / "a").result()
    storage.rclone.sync(storage.at("folder 0"), storage.at("copy")).result()
    storage.delete("folder 1").result()
    assert storage.check(tmp_path / "a").missing_on_destination == (
        "folder 1/0.txt",
        "folder 1/1.txt",
    )
    assert requests(cloud, FEED) == 0


# ---- when the feed does not say that it is all ---------------------------------------------------


def walked(cloud: Emulator, storage: Storage, caplog: pytest.LogCaptureFixture) -> str:
    """Lists, requires that rclone walked in the end and nothing is missing; says why."""
    with caplog.at_level(logging.INFO, "pluton_rclone"):
        mine = listed(storage)
    assert mine == by_rclone(storage)
    (message,) = [record.getMessage() for record in caplog.records if WALKED in record.getMessage()]
    return message


def test_an_item_whose_folder_does_not_come(
    cloud: Emulator, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    drive = emulated_drive(cloud, "business")
    fill(drive, folders=3, each=3)
    lost = drive.find("folder 1")
    everything = drive.changes.everything
    monkeypatch.setattr(
        drive.changes, "everything", lambda drive: [i for i in everything(drive) if i is not lost]
    )
    assert "the folders of 3 items are not in the feed" in walked(
        cloud, connected(cloud, "business"), caplog
    )


def test_a_size_that_no_database_holds(
    cloud: Emulator, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(emulated_drive(cloud, "business"), folders=3, each=3)
    add = FeedTree.add
    monkeypatch.setattr(
        FeedTree,
        "add",
        lambda tree, items: add(tree, [item._replace(size=2**63) for item in items]),
    )
    assert "too large" in walked(cloud, connected(cloud, "business"), caplog)


def test_a_folder_that_is_deleted_while_the_feed_is_read(
    cloud: Emulator, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    drive = emulated_drive(cloud, "business")
    fill(drive, folders=3, each=3)
    gone = drive.find("folder 1")
    assert gone is not None
    everything = drive.changes.everything(drive)
    drive.delete(gone)
    monkeypatch.setattr(drive.changes, "everything", lambda drive: everything)
    storage = connected(cloud, "business")
    assert len(listed(storage)) == 8  # the feed reported all of it as deleted
    held = [item for item in everything if item.parent is gone]
    for item in held:
        item.deleted = False
    assert "3 items" in walked(cloud, storage, caplog)


@pytest.mark.parametrize("status", [403, 410, 504])
def test_a_feed_that_breaks_off_in_the_middle(
    cloud: Emulator, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    monkeypatch.setattr("pluton_rclone.microsoft.http.ATTEMPTS", 1)  # no waits between attempts
    fill(emulated_drive(cloud, "business"))
    storage = connected(cloud, "business")
    cloud.faults.refuse(status, where=FEED, skip=1, times=None)
    walked(cloud, storage, caplog)
    assert requests(cloud, FEED) >= 2


def test_throttling_in_the_middle_is_waited_for(cloud: Emulator) -> None:
    fill(emulated_drive(cloud, "business"))
    storage = connected(cloud, "business")
    cloud.faults.throttle("1", where=FEED, skip=1, times=2)
    mine = listed(storage)
    assert (requests(cloud, FEED), requests(cloud, "/children$")) == (4, 0)
    assert mine == by_rclone(storage)


# ---- tokens --------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", BOTH)
def test_a_token_that_ends_in_the_middle_is_renewed_and_kept(
    cloud: Emulator, kind: DriveKind
) -> None:
    fill(emulated_drive(cloud, kind))
    storage = connected(cloud, kind)
    before = json.loads(storage.section_with_secrets()["token"])
    cloud.faults.refuse(401, where=FEED, skip=1)
    mine = listed(storage)
    after = json.loads(storage.section_with_secrets()["token"])
    assert (requests(cloud, FEED), requests(cloud, "/children$")) == (3, 0)
    assert after["access_token"] != before["access_token"]
    assert after["refresh_token"] != before["refresh_token"]
    assert mine == by_rclone(storage)


def test_a_token_that_ended_before_is_renewed_first(cloud: Emulator) -> None:
    fill(emulated_drive(cloud, "personal"), folders=2)
    storage = connected(cloud, "personal", seconds=-10)
    assert len(listed(storage)) == 42
    assert (requests(cloud, FEED), requests(cloud, "/children$")) == (1, 0)


def test_where_a_renewed_token_could_not_be_kept_none_is_asked_for(
    cloud: Emulator, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(emulated_drive(cloud, "personal"), folders=2)
    storage = connected(cloud, "personal")
    cloud.faults.refuse(401, where=FEED, times=None)
    tokens = requests(cloud, "/token$")

    def not_writable() -> None:
        raise ConfigNotWritable("rclone.conf cannot be written.")

    monkeypatch.setattr(storage.storages.conf, "check_writable", not_writable)
    monkeypatch.setattr(sys, "frozen", True, raising=False)  # this process renews the token itself
    with caplog.at_level(logging.INFO, "pluton_rclone"):
        assert len(listed(storage)) == 42
    assert any(WALKED in record.getMessage() for record in caplog.records)
    assert requests(cloud, "/token$") == tokens


def test_an_application_without_a_person_lists_by_the_feed_too(cloud: Emulator) -> None:
    fill(emulated_drive(cloud, "business"), folders=2)
    remote = remote_of(cloud, "business").replace(
        client_id=DAEMON_CLIENT_ID,
        client_secret=SecretStr(DAEMON_CLIENT_SECRET),
        tenant=cloud.world.person(BERT).tenant.id,
        token=None,
        client_credentials=True,
        granted_scopes=(),
    )
    storage = Storages().add_tested("Daemon", remote)
    assert len(listed(storage)) == 42
    assert (requests(cloud, FEED), requests(cloud, "/children$")) == (1, 0)
