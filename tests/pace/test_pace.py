"""The pace: what is governed, what is paced from the start, and how operators override it."""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NoReturn

import pytest

from pluton_rclone import Storages
from pluton_rclone.emulator import Emulator
from pluton_rclone.emulator.graph.budgets import APP_UNITS, MANY_OR_CHANGE, USER_REQUESTS
from pluton_rclone.pace.governor import Governor
from pluton_rclone.pace.ledger import budget_of
from pluton_rclone.pace.paced import BURST, EVENLY, FEWER, TPS, Govern, Paced, unset
from pluton_rclone.rclone import asked, commands
from pluton_rclone.rclone.binary import Binary, find_binary
from pluton_rclone.rclone.commands import Command
from pluton_rclone.rclone.runner import Order
from pluton_rclone.values.versions import Version
from tests.connected import connected
from tests.process.test_process import settles
from tests.terminal import PATIENCE

COPY = commands.transfer("copy", "a", "b", {})
CONF = Path("/run/rclone.conf")
GOVERNED = {
    "RCLONE_TRANSFERS": "16",
    "RCLONE_CHECKERS": "16",
    "RCLONE_BUFFER_SIZE": "4Mi",
    asked.VARIABLE: "unix:///run/asked",
}
FROM_THE_START = {
    "RCLONE_TRANSFERS": "8",
    "RCLONE_CHECKERS": "8",
    "RCLONE_BUFFER_SIZE": "4Mi",
    "RCLONE_TPSLIMIT": "9",
    "RCLONE_TPSLIMIT_BURST": "60",
}


class Reached(Exception):
    """The innermost runner was about to start rclone with these variables."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        self.variables = dict(variables)


class Innermost:
    """A runner that starts nothing."""

    def __init__(self, binary: Binary) -> None:
        self.binary = binary

    def start(self, order: Order) -> NoReturn:
        raise Reached(order.variables)


def no_governor(socket: Path, on_wait: Callable[[float], None]) -> Governor:
    raise AssertionError("nothing was started")


def variables(
    command: Command = COPY,
    *,
    flags: tuple[str, ...] = (),
    conf: Path = CONF,
    version: Version | None = None,
    govern: Govern | None = no_governor,
) -> dict[str, str]:
    """The variables with which rclone is started."""
    binary = Binary(find_binary().path)
    with pytest.MonkeyPatch.context() as patch:
        if version is not None:
            patch.setattr(Binary, "version", version)
        with pytest.raises(Reached) as reached:
            Paced(Innermost(binary), govern).start(Order(command, flags, config=conf))
    return reached.value.variables


def test_what_is_paced_from_the_start_stays_below_both_budgets() -> None:
    assert APP_UNITS[1000] >= MANY_OR_CHANGE * (BURST + 60 * TPS)
    assert BURST + 300 * TPS <= USER_REQUESTS


def test_personal_drives_have_no_documented_budget_and_are_not_paced(cloud: Emulator) -> None:
    assert budget_of(connected(cloud, "personal").section_with_secrets()) is None
    assert variables(govern=None) == {k: v for k, v in GOVERNED.items() if k != asked.VARIABLE}


def test_what_the_operator_set_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RCLONE_TRANSFERS", "2")
    monkeypatch.setenv("RCLONE_TPSLIMIT_BURST", "1")
    assert unset(FEWER | EVENLY) == {
        "RCLONE_CHECKERS": "8",
        "RCLONE_BUFFER_SIZE": "4Mi",
        "RCLONE_TPSLIMIT": "9",
    }


def test_all_storages_of_an_account_share_its_budget(cloud: Emulator) -> None:
    one, other = connected(cloud, "business"), connected(cloud, "business", name="other")
    library = connected(cloud, "sharepoint")
    found = [budget_of(each.section_with_secrets()) for each in (one, other, library)]
    assert found[0] is not None
    assert found[0] is found[1] is found[2]


def test_copying_between_two_storages_takes_the_pace_of_the_slower(cloud: Emulator) -> None:
    connected(cloud, "personal")
    connected(cloud, "business")
    cloud.faults.latency = PATIENCE
    with Storages().rclone("personal", "business").copy("personal:", "business:up") as transfer:
        environment = Path(f"/proc/{transfer.pid}/environ")  # empty while it becomes rclone
        assert settles(lambda: f"{asked.VARIABLE}=".encode() in environment.read_bytes())
        transfer.cancel()


# ---- governed, or paced --------------------------------------------------------------------------


def test_a_transfer_and_a_walk_are_governed_and_have_no_limit_of_their_own() -> None:
    assert variables() == GOVERNED
    assert variables(commands.lsjson("a", {}, depth="all")) == GOVERNED


def test_what_asks_little_is_paced_from_the_start() -> None:
    assert variables(commands.lsjson("a", {}, depth="one")) == FROM_THE_START
    assert variables(commands.simple("mkdir", "a")) == FROM_THE_START


def test_what_the_operator_set_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RCLONE_CHECKERS", "3")
    assert "RCLONE_CHECKERS" not in variables()  # the child inherits it
    assert variables()["RCLONE_TRANSFERS"] == "16"


def test_a_limit_that_somebody_set_is_kept_and_switches_the_governor_off(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kept = {name: value for name, value in FROM_THE_START.items() if "TPSLIMIT" not in name}
    assert variables(commands.transfer("copy", "a", "b", {"tpslimit": 50})) == kept
    assert variables(flags=("--tpslimit=50",)) == kept
    monkeypatch.setenv("RCLONE_TPSLIMIT", "9")  # the same number as ours, but set by the operator
    assert variables() == kept


def test_where_it_cannot_be_counted_or_stopped_it_is_paced(monkeypatch: pytest.MonkeyPatch) -> None:
    assert variables(conf=Path("/" + "x" * 100 + "/rclone.conf")) == FROM_THE_START
    assert variables(version=Version(1, 67)) == FROM_THE_START
    monkeypatch.delattr(signal, "SIGSTOP")  # Windows
    assert variables() == FROM_THE_START
