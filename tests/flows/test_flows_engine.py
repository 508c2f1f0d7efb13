"""Plans on Prefect, as far as they need no server."""

from __future__ import annotations

from pathlib import Path

import pytest

from pluton_rclone import Storages
from pluton_rclone.emulator import SINGLE_TENANT_CLIENT_ID, Emulator
from pluton_rclone.flows.plan import Plan
from pluton_rclone.flows.which import targets
from tests.connected import connected, remote_of


def test_a_storage_that_shards_go_through_has_its_limits_by_either_name(
    cloud: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path))
    from pluton_rclone.flows import engine

    connected(cloud, "sharepoint", name="one")
    remote = remote_of(cloud, "sharepoint", client_id=SINGLE_TENANT_CLIENT_ID)
    Storages().add_tested("Other Door", remote)
    step = {"do": "upload", "local": "/srv", "shards": 2, "through": ["one", "Other Door", "none"]}
    plan = Plan.from_record({"name": "n", "storages": [{"names": ["one"]}], "steps": [step]})
    shared = engine._shared(plan, targets(plan.storages, Storages()))
    assert shared.keys() == {"one", "other-door"}
    assert shared["one"]["tenant"] != shared["other-door"]["tenant"]
