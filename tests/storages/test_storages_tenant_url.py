"""Remotes that reach their drive through SharePoint's own interface (rclone's tenant_url): Graph,
which accepts no SharePoint token, gets no request."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pluton_rclone import Storage, Storages, StorageSetup
from pluton_rclone.emulator import Emulator
from pluton_rclone.errors import RemoteError
from pluton_rclone.pace.canary import Canary, Said
from tests.connected import BERT, by_tenant_url, saved
from tests.web.client import at_the_page


@pytest.fixture
def storage(cloud: Emulator) -> Storage:
    made = by_tenant_url(cloud, "t")
    cloud.files.drive_of(BERT).write("a.txt", b"a")
    cloud.requests.clear()
    return made


def hosts(cloud: Emulator) -> set[str]:
    return {request.host for request in cloud.requests}


def test_restic_has_its_token(cloud: Emulator, storage: Storage) -> None:
    """Formerly, Graph was asked first whether it accepts the token, which led to "Re-authorize"."""
    with storage.restic() as opened:
        assert opened.environment["RCLONE_CONFIG"]
        assert not opened.refused()
    assert hosts(cloud) == set()


def test_preflight_looks_at_names(cloud: Emulator, storage: Storage, tmp_path: Path) -> None:
    (tmp_path / "desktop.ini").write_text("x")
    (finding,) = storage.preflight(tmp_path)
    assert finding.rule.name == "name_forbidden"
    assert hosts(cloud) == set()


def test_the_page_shows_that_it_is_well(cloud: Emulator, storage: Storage) -> None:
    with at_the_page() as page:
        assert "Works" in page.get("/storages/t/health").text
    assert hosts(cloud) == {"contoso-my.sharepoint.com"}


def test_what_only_graph_knows_is_refused_with_the_reason(
    cloud: Emulator, storage: Storage
) -> None:
    with pytest.raises(RemoteError) as refusal:
        storage.graph()
    assert "tenant_url" in str(refusal.value)
    assert "without tenant_url" in refusal.value.advice
    assert hosts(cloud) == set()


def test_the_pace_is_asked_for_where_the_drive_is(cloud: Emulator, storage: Storage) -> None:
    canary = Canary(saved(storage))
    assert canary.ask() == Said(granted=True)
    canary.close()
    assert hosts(cloud) == {"contoso-my.sharepoint.com"}


def test_it_is_imported_as_a_whole(cloud: Emulator, storage: Storage) -> None:
    """Formerly: its token cannot be renewed, run `rclone authorize`."""
    section = storage.section_with_secrets()
    ours = {key: value for key, value in section.items() if not key.startswith("pluton_")}
    setup = StorageSetup()
    setup.name = "Taken over"
    setup.use_token(json.dumps(ours))
    assert setup.chosen_drive is not None
    taken = setup.save(Storages())
    assert [entry.name for entry in taken.list()] == ["a.txt"]
    kept = ("tenant_url", "drive_id", "drive_type")
    assert {k: taken.section_with_secrets()[k] for k in kept} == {k: ours[k] for k in kept}
    assert hosts(cloud) == {"contoso-my.sharepoint.com"}
