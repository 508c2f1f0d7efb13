"""Why rclone is not made to send `Prefer: Include-Feature=AddToOneDrive`, with which many accounts
list shortcuts: measured with the real rclone. And what works without it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from pluton_rclone import Storage
from pluton_rclone.emulator import Emulator
from pluton_rclone.emulator.world import Request
from tests.cli.conftest import Command
from tests.cli.conftest import command as command
from tests.connected import BERT, connected, emulated_drive, saved
from tests.web.client import at_the_page

FEATURE = "Include-Feature=AddToOneDrive"
HEADER = f"--header=Prefer: {FEATURE}"


@pytest.fixture
def storage(cloud: Emulator) -> Storage:
    drive, library = cloud.files.drive_of(BERT), emulated_drive(cloud, "sharepoint")
    library.write("Team/a.txt", b"theirs")
    drive.add_shortcut(library, library.folder("Team"), "Team")
    drive.write("one.txt", b"ours")
    cloud.quirks.shortcuts_on_request(drive)
    return connected(
        cloud,
        "business",
        name="work",
        granted_scopes=("Files.ReadWrite.All",),
        chunk_size="320Ki",
        upload_cutoff="320Ki",
    )


def requests_of(cloud: Emulator, storage: Storage, *arguments: str) -> list[Request]:
    before = len(cloud.requests)
    subprocess.run([storage.rclone.binary.path, *arguments], check=True, capture_output=True)
    return list(cloud.requests)[before:]


def test_rclones_header_goes_to_every_host(
    cloud: Emulator, storage: Storage, tmp_path: Path
) -> None:
    big = tmp_path / "big"
    big.write_bytes(bytes(1_000_000))
    conf = storage.storages.conf
    token = json.loads(storage.section_with_secrets()["token"]) | {"expiry": "2020-01-01T00:00:00Z"}
    conf.update("work", {"token": json.dumps(token)})
    sent = requests_of(cloud, storage, "copy", HEADER, str(big), "work:up")
    hosts = {request.host for request in sent if request.prefer == FEATURE}
    assert {"login.microsoftonline.com", "graph.microsoft.com"} < hosts
    assert any(request.method == "PUT" and "-my." in request.host for request in sent)
    assert all(request.prefer == FEATURE for request in sent if request.method == "PUT")


def test_it_takes_the_place_of_what_rclone_asks_for_in_a_server_side_copy(
    cloud: Emulator, storage: Storage
) -> None:
    asked = []
    for header, name in (([], "two.txt"), ([HEADER], "three.txt")):
        sent = requests_of(cloud, storage, "copyto", *header, "work:one.txt", f"work:{name}")
        asked += [request.prefer for request in sent if request.path.endswith("/copy")]
    assert asked == ["respond-async", FEATURE]


def test_a_listing_of_the_root_has_what_rclone_has(storage: Storage) -> None:
    """Both ways of listing agree, also in what they omit."""
    names = [{entry.path for entry in storage.walk(by=by)} for by in ("folders", "feed")]
    assert names == [{"one.txt"}, {"one.txt"}]


def test_a_shortcut_that_is_not_listed_is_found_and_opened_by_its_path(
    storage: Storage, command: Command
) -> None:
    with saved(storage).graph() as graph:
        found = graph.pages(f"/drives/{graph.drives()[0].id}/root/children")
        assert "Team" not in [item["name"] for item in found if "remoteItem" in item]
    ran = command("ls", "work:/Team")
    assert (ran.code, "a.txt" in ran.out) == (0, True)


def test_the_page_opens_it_by_its_path(storage: Storage) -> None:
    with at_the_page() as page:
        assert "a.txt" in page.get("/storages/work/files", params={"path": "/Team"}).text
