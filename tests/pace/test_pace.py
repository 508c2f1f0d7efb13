"""The pace: what is governed, what is paced from the start, and how an operator overrides it."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from pluton_rclone import Storage, Storages
from pluton_rclone.emulator import Emulator
from pluton_rclone.emulator.graph.budgets import APP_UNITS, MANY_OR_CHANGE, USER_REQUESTS
from pluton_rclone.pace import BURST, TPS, pace
from pluton_rclone.rclone import asked, commands
from pluton_rclone.rclone.binary import Binary
from pluton_rclone.rclone.commands import Command
from pluton_rclone.values.versions import Version
from tests.connected import connected

COPY = commands.transfer("copy", "a", "b", {})


def test_what_is_paced_from_the_start_stays_below_both_budgets() -> None:
    assert APP_UNITS[1000] >= MANY_OR_CHANGE * (BURST + 60 * TPS)
    assert BURST + 300 * TPS <= USER_REQUESTS


def test_personal_drives_have_no_documented_budget_and_are_not_paced(cloud: Emulator) -> None:
    assert "RCLONE_TPSLIMIT" not in pace("personal", {})
    assert pace("business", {})["RCLONE_TPSLIMIT"] == str(TPS)
    assert connected(cloud, "personal").rclone.governed is None


def test_what_the_operator_set_is_left_alone() -> None:
    wanted = pace("documentLibrary", {"RCLONE_TPSLIMIT": "50", "RCLONE_TRANSFERS": "2"})
    assert wanted == {"RCLONE_CHECKERS": "8", "RCLONE_BUFFER_SIZE": "4Mi"}


def test_copying_between_two_storages_takes_the_pace_of_the_slower(cloud: Emulator) -> None:
    connected(cloud, "personal")
    business = connected(cloud, "business")
    both = Storages().rclone("personal", "business")
    assert both.environment["RCLONE_TPSLIMIT"] == str(TPS)
    assert both.governed is not None
    assert business.rclone.governed is not None
    assert both.governed.budget is business.rclone.governed.budget


# ---- governed, or paced ----------------------------------------------------------------------------------------


def variables(
    storage: Storage,
    command: Command = COPY,
    *,
    flags: tuple[str, ...] = (),
    socket: Path = Path("/run/asked"),
) -> dict[str, str] | None:
    rclone = storage.rclone
    assert rclone.governed is not None
    return rclone.governed.environment(command, rclone.binary, rclone.environment, flags, socket)


@pytest.fixture
def storage(cloud: Emulator) -> Storage:
    return connected(cloud, "business")


def test_a_transfer_and_a_walk_are_governed_and_have_no_limit_of_their_own(storage: Storage) -> None:
    wanted = {
        "RCLONE_TRANSFERS": "16",
        "RCLONE_CHECKERS": "16",
        "RCLONE_BUFFER_SIZE": "4Mi",
        asked.VARIABLE: "unix:///run/asked",
    }
    assert variables(storage) == wanted
    assert variables(storage, commands.lsjson("a", {}, depth="all")) == wanted


def test_what_asks_little_is_not_governed(storage: Storage) -> None:
    assert variables(storage, commands.lsjson("a", {}, depth="one")) is None
    assert variables(storage, commands.simple("mkdir", "a")) is None


def test_what_the_operator_set_wins(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    storage.rclone.environment["RCLONE_TRANSFERS"] = "2"
    monkeypatch.setenv("RCLONE_CHECKERS", "3")
    found = variables(storage)
    assert found is not None
    assert found["RCLONE_TRANSFERS"] == "2"
    assert "RCLONE_CHECKERS" not in found  # the child inherits it


def test_a_limit_that_somebody_set_is_kept_and_switches_the_governor_off(storage: Storage) -> None:
    assert variables(storage, commands.transfer("copy", "a", "b", {"tpslimit": 50})) is None
    assert variables(storage, flags=("--tpslimit=50",)) is None
    storage.rclone.environment["RCLONE_TPSLIMIT"] = "50"
    assert variables(storage) is None


def test_where_it_cannot_be_counted_or_stopped_it_is_paced(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert variables(storage, socket=Path("/" + "x" * 100)) is None
    old = Binary(storage.rclone.binary.path)
    old.version = Version(1, 67)
    storage.rclone.binary, new = old, storage.rclone.binary
    assert variables(storage) is None
    storage.rclone.binary = new
    monkeypatch.delattr(signal, "SIGSTOP")  # Windows
    assert variables(storage) is None
