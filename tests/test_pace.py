"""The pace: below Microsoft's budgets for work drives, overridable by whoever knows better."""

from __future__ import annotations

from pathlib import Path

from pluton_rclone import Storages
from pluton_rclone.emulator import Emulator
from pluton_rclone.emulator.graph.budgets import APP_UNITS, MANY_OR_CHANGE, USER_REQUESTS
from pluton_rclone.pace import BURST, TPS, pace

from .connected import connected


def test_the_pace_of_work_drives_stays_below_both_budgets() -> None:
    assert APP_UNITS[1000] >= MANY_OR_CHANGE * (BURST + 60 * TPS)
    assert BURST + 300 * TPS <= USER_REQUESTS


def test_personal_drives_have_no_documented_budget_and_are_not_paced() -> None:
    assert "RCLONE_TPSLIMIT" not in pace("personal", {})
    assert pace("business", {})["RCLONE_TPSLIMIT"] == str(TPS)


def test_what_the_operator_set_is_left_alone() -> None:
    wanted = pace("documentLibrary", {"RCLONE_TPSLIMIT": "50", "RCLONE_TRANSFERS": "2"})
    assert wanted == {"RCLONE_CHECKERS": "8"}


def test_copying_between_two_storages_takes_the_pace_of_the_slower(cloud: Emulator) -> None:
    connected(cloud, "personal")
    connected(cloud, "business")
    both = Storages().rclone("personal", "business")
    assert both.environment["RCLONE_TPSLIMIT"] == str(TPS)


def test_paced_uploads_are_never_refused(cloud: Emulator, tmp_path: Path) -> None:
    folder = tmp_path / "files"
    folder.mkdir()
    for number in range(40):
        (folder / f"{number}.txt").write_text(str(number))
    storage = connected(cloud, "business")
    cloud.budgets.enable(time_scale=10, share=0.1)
    storage.upload(folder, "many", extra=[f"--tpslimit-burst={BURST // 10}"]).result()
    assert cloud.budgets.throttled == 0
