"""The guide's walk, as printed for users, on all three drive types; and the design's example."""

from __future__ import annotations

import filecmp
import json
from pathlib import Path

import pytest

from pluton_rclone import AppRegistration, Storages, StorageSetup
from pluton_rclone.emulator import WEB_CLIENT_ID, WEB_CLIENT_SECRET, Emulator
from pluton_rclone.setup.connect import DriveKind

from . import connect_onedrive

PERSON = {
    "personal": "anna@outlook.com",
    "business": "bert@contoso.onmicrosoft.com",
    "sharepoint": "bert@contoso.onmicrosoft.com",
}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    (folder / "photos").mkdir(parents=True)
    (folder / "letter.txt").write_text("Dear Bert,\n")
    (folder / "photos" / "summer.jpg").write_bytes(bytes(range(256)) * 40)
    return folder


def web_app() -> AppRegistration:
    return AppRegistration(WEB_CLIENT_ID, client_secret=WEB_CLIENT_SECRET)


@pytest.mark.parametrize("kind", ["personal", "business", "sharepoint"])
def test_the_walk_connects_backs_up_and_restores(
    cloud: Emulator, source: Path, tmp_path: Path, kind: DriveKind
) -> None:
    person = cloud.person(PERSON[kind])

    connect_onedrive.walk(
        web_app(), kind, lambda url: person.visit(url).address, source, tmp_path / "restored"
    )

    compared = filecmp.dircmp(source, tmp_path / "restored")
    assert (compared.left_only, compared.right_only, compared.diff_files) == ([], [], [])
    assert (tmp_path / "restored/photos/summer.jpg").read_bytes() == bytes(range(256)) * 40


def test_the_walk_has_under_40_lines() -> None:
    text = Path(connect_onedrive.__file__).read_text()
    assert len(text.splitlines()) < 40


def test_the_example_of_the_design(cloud: Emulator, source: Path, tmp_path: Path) -> None:
    app = AppRegistration(client_id=WEB_CLIENT_ID, client_secret=WEB_CLIENT_SECRET)
    storages = Storages()

    setup = StorageSetup(app)
    flow = setup.begin_sign_in(redirect_uri="https://pluton.example/onedrive/callback")
    kept = json.dumps(flow.record())  # survives a restart
    query = cloud.person("anna@outlook.com").visit(flow.url).answer
    setup.finish_sign_in(json.loads(kept), query)
    (drive,) = setup.drives()
    remote = setup.remote(drive, chunk_size="20Mi", hard_delete=True)
    report = storages.test(remote)
    assert report.ok
    storage = storages.add("OneDrive Personal Backups", remote)
    with storage.upload(source, "laptop/data") as transfer:
        for progress in transfer:
            assert progress.bytes <= progress.total_bytes
    assert transfer.result().transfers == 2
    storages["OneDrive Personal Backups"].download("laptop/data", tmp_path / "restore").result()
    assert (tmp_path / "restore/letter.txt").read_text() == "Dear Bert,\n"
    assert [entry.path for entry in storage.walk("laptop") if not entry.is_dir] == [
        "data/letter.txt",
        "data/photos/summer.jpg",
    ]
