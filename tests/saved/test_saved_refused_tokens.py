"""An access token that Microsoft refuses early: it is renewed once, and rclone continues."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pluton_rclone import Storage
from pluton_rclone.emulator import RCLONE_CLIENT_ID, Emulator
from pluton_rclone.emulator.faults import GraphFault
from pluton_rclone.emulator.graph.patterns import item_address
from pluton_rclone.emulator.quirks import FRESH_SIGNING_KEY
from pluton_rclone.emulator.world import REVOKED
from pluton_rclone.errors import NextStep, PlutonRcloneError, TokenExpired, Who
from pluton_rclone.feed import By
from pluton_rclone.rclone import events
from tests.connected import ANNA, connected, connected_as_app


@pytest.fixture
def storage(cloud: Emulator) -> Storage:
    drive = cloud.files.drive_of(ANNA)
    drive.write("folder/a.txt", b"a")
    drive.write("folder/b.txt", b"b")
    return connected(cloud)


def access_token(storage: Storage) -> str:
    return str(json.loads(storage.section_with_secrets()["token"])["access_token"])


CALLS: dict[str, Callable[[Storage, Path], Any]] = {
    "list": lambda storage, _: storage.list("folder"),
    "walk": lambda storage, _: list(storage.walk("folder")),
    "walk by folders": lambda storage, _: list(storage.walk(by="folders")),
    "walk by feed": lambda storage, _: list(storage.walk(by="feed")),
    "stat": lambda storage, _: storage.stat("folder/a.txt"),
    "size": lambda storage, _: storage.size("folder", by="folders"),
    "about": lambda storage, _: storage.about(),
    "cat": lambda storage, _: storage.rclone.cat(storage.at("folder/a.txt")),
    "rcat": lambda storage, _: storage.rclone.rcat(b"c", storage.at("folder/c.txt")),
    "check": lambda storage, here: storage.check(here, "folder"),
    "upload": lambda storage, here: storage.upload(here, "up").result(),
    "sync": lambda storage, here: storage.rclone.sync(
        str(here), storage.at("folder"), max_delete=2
    ).result(),
    "delete": lambda storage, _: storage.delete("folder").result(),
    "delete a file": lambda storage, _: storage.delete_file("folder/a.txt").result(),
    "test": lambda storage, _: storage.test().raise_for_failure(),
    "drive": lambda storage, _: storage.drive(),
}


@pytest.mark.parametrize(
    ("call", "message"), [(call, REVOKED) for call in CALLS] + [("list", FRESH_SIGNING_KEY)]
)
def test_a_token_that_is_refused_before_its_end_is_renewed_and_nobody_notices(
    cloud: Emulator, storage: Storage, tmp_path: Path, call: str, message: str
) -> None:
    (tmp_path / "a.txt").write_text("a")
    before = access_token(storage)
    cloud.quirks.access_token_refused(ANNA, message)
    CALLS[call](storage, tmp_path)
    assert access_token(storage) != before


def test_what_a_transfer_did_in_both_runs_is_its_result(
    cloud: Emulator, storage: Storage, tmp_path: Path
) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "new.txt").write_text("new")
    cloud.quirks.access_token_refused(ANNA)
    result = storage.rclone.sync(str(source), storage.at("folder"), max_delete=5).result()
    assert (result.transfers, result.deletes, result.failed, result.exit_code) == (1, 2, (), 0)
    assert [entry.name for entry in storage.list("folder")] == ["new.txt"]


def test_a_transfer_that_is_refused_in_the_middle_counts_each_file_once(
    cloud: Emulator, storage: Storage, tmp_path: Path
) -> None:
    source = tmp_path / "source"
    source.mkdir()
    for number in range(10):
        (source / f"old {number}").write_bytes(b"old")
    storage.upload(source, "up").result()
    for number in range(10):
        (source / f"new {number}").write_bytes(b"new")
    transfer = storage.upload(source, "up", log_level="DEBUG", transfers=1)
    arrived = 0
    for event in transfer.events():
        arrived += isinstance(event, events.Transferred)
        if arrived == 4:
            cloud.quirks.access_token_refused(ANNA)
            arrived += 1
    result = transfer.result()
    assert (result.transfers, result.unchanged, result.bytes) == (10, 10, 30)


def test_a_dry_run_that_is_repeated_plans_each_file_once(cloud: Emulator, storage: Storage) -> None:
    for number in range(10):
        cloud.files.drive_of(ANNA).write(f"many/{number}/x", b"x")  # a request for each folder
    dry = storage.delete("many", min_size=0, dry_run=True, tpslimit=5, checkers=1)
    for event in dry.events():
        if isinstance(event, events.Skipped):
            cloud.quirks.access_token_refused(ANNA)
            break
    planned = [each.path for each in dry.result().planned]
    assert sorted(planned) == sorted(f"{number}/x" for number in range(10))


def test_only_when_the_renewal_is_refused_as_well_it_is_the_persons_turn(
    cloud: Emulator, storage: Storage
) -> None:
    cloud.quirks.access_token_refused(ANNA)
    cloud.world.revoke_tokens(cloud.world.person(ANNA))
    with pytest.raises(PlutonRcloneError) as refusal:
        storage.list("folder")
    assert refusal.value.code in ("token_expired", "interaction_required")
    assert refusal.value.next_step is NextStep.REAUTHORIZE


def refused_once_deep_in_a_folder(cloud: Emulator) -> None:
    drive = cloud.files.drive_of(ANNA)
    drive.write("many/a.txt", b"a")
    drive.write("many/deep/er/x.txt", b"x")
    drive.write("many/side/y.txt", b"")
    cloud.faults.refuse(401, where=item_address(drive, "many/deep"), times=1)


@pytest.mark.parametrize("by", ["auto", "folders"])
def test_a_listing_that_has_begun_goes_on_with_a_renewed_token(
    cloud: Emulator, storage: Storage, by: By
) -> None:
    refused_once_deep_in_a_folder(cloud)
    before = access_token(storage)
    paths = [entry.path for entry in storage.walk("many", by=by)]
    assert sorted(paths) == [
        *("a.txt", "deep", "deep/er", "deep/er/x.txt", "side", "side/y.txt"),
    ]
    if by == "folders":  # otherwise the feed may have all of it, with the same token
        assert access_token(storage) != before


def test_a_listing_that_is_refused_twice_is_the_persons_turn(
    cloud: Emulator, storage: Storage
) -> None:
    refused_once_deep_in_a_folder(cloud)
    drive = cloud.files.drive_of(ANNA)
    cloud.faults.refuse(401, where=item_address(drive, "many/deep"), times=None)
    found: list[str] = []
    with pytest.raises(TokenExpired):
        found += (entry.path for entry in storage.rclone.walk(storage.at("many")))
    assert {"a.txt", "deep", "side"} <= set(found)
    assert len(set(found)) == len(found)


def use_rclones_registration(cloud: Emulator, storage: Storage, expiry: str) -> str:
    answer = cloud.sign_in(
        ANNA, "Files.ReadWrite.All", "offline_access", client_id=RCLONE_CLIENT_ID
    )
    token = {name: answer[name] for name in ("access_token", "refresh_token")}
    text = json.dumps({**token, "token_type": "Bearer", "expiry": expiry})
    storage.storages.conf.update(storage.remote_name, {"client_id": None, "token": text})
    return str(token["access_token"])


@pytest.mark.parametrize("call", ["list", "walk by feed", "test", "drive", "upload"])
def test_a_token_of_rclones_own_registration_is_renewed_by_rclone(
    cloud: Emulator, storage: Storage, tmp_path: Path, call: str
) -> None:
    before = use_rclones_registration(cloud, storage, "2045-01-01T00:00:00Z")
    (tmp_path / "a.txt").write_text("a")
    sign_in = storage.section_with_secrets()["pluton_sign_in"]
    cloud.quirks.access_token_refused(ANNA)
    CALLS[call](storage, tmp_path)
    assert access_token(storage) != before
    assert storage.section_with_secrets()["pluton_sign_in"] == sign_in


def test_rclones_own_registration_is_enough_to_find_a_drive_again(
    cloud: Emulator, storage: Storage
) -> None:
    use_rclones_registration(cloud, storage, "2020-01-01T00:00:00Z")
    storage.storages.conf.update(storage.remote_name, {"drive_id": None})
    storage.repair()
    assert storage.list()


def test_restic_gets_a_token_that_microsoft_takes(cloud: Emulator, storage: Storage) -> None:
    before = access_token(storage)
    cloud.quirks.access_token_refused(ANNA)
    with storage.restic():
        assert access_token(storage) != before


ASKED = ("list", "walk by feed", "about", "upload", "test", "drive")


@pytest.mark.parametrize("call", ASKED)
def test_an_application_that_a_rule_keeps_out_is_not_told_to_sign_in(
    cloud: Emulator, tmp_path: Path, call: str
) -> None:
    storage = connected_as_app(cloud)
    (tmp_path / "c.txt").write_bytes(b"c")
    cloud.faults.challenge(times=None)

    with pytest.raises(PlutonRcloneError) as caught:
        CALLS[call](storage, tmp_path)

    assert caught.value.who is Who.ADMINISTRATOR
    assert caught.value.next_step is None
    assert "Conditional Access" in caught.value.advice
    assert "interactive sign-in" not in caught.value.what  # there is no person


@pytest.mark.parametrize("call", ASKED)
def test_whom_a_rule_keeps_out_again_and_again_is_told_who_knows_it(
    cloud: Emulator, tmp_path: Path, call: str
) -> None:
    storage = connected(cloud, "business")
    (tmp_path / "c.txt").write_bytes(b"c")
    cloud.faults.challenge(times=None)

    with pytest.raises(PlutonRcloneError) as caught:
        CALLS[call](storage, tmp_path)

    assert caught.value.who is Who.YOU
    assert caught.value.next_step is NextStep.REAUTHORIZE
    assert caught.value.advice.startswith("Sign in again in a browser")
    assert "administrator" in caught.value.advice


@pytest.mark.parametrize("call", ASKED)
def test_who_is_kept_out_for_the_place_where_they_are_is_told_who_knows_the_rule(
    cloud: Emulator, tmp_path: Path, call: str
) -> None:
    """rclone does not show the header with the claims. Yvand/EntraCP#356."""
    storage = connected(cloud, "business")
    (tmp_path / "c.txt").write_bytes(b"c")
    elsewhere = REVOKED.rpartition(" ")[0] + " LocationConditionEvaluationSatisfied"
    cloud.faults.arm(GraphFault(401, "InvalidAuthenticationToken", elsewhere), times=None)

    with pytest.raises(PlutonRcloneError) as caught:
        CALLS[call](storage, tmp_path)

    assert caught.value.next_step is NextStep.REAUTHORIZE
    assert "ask your administrator: the sign-in log names the rule" in caught.value.advice
