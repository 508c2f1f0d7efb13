"""A transfer between two names of one place, or into itself, is refused before it deletes its own
files."""

from __future__ import annotations

from pathlib import Path

import pytest

from pluton_rclone import Storages
from pluton_rclone.emulator import Emulator
from pluton_rclone.errors import RcloneUsage, UsageError
from tests.connected import connected, emulated_drive

from .test_saved_complete import command
from .test_saved_wrapping import PASSWORD

SECTIONS = {
    "near": {"type": "alias", "remote": "based:x"},
    "secret": {"type": "crypt", "remote": "work:crypt", "password": PASSWORD},
    "other": {"type": "crypt", "remote": "again:crypt", "password": PASSWORD},
    "both": {"type": "combine", "upstreams": '"at home=home:" w=work: b=based:'},
    "one": {"type": "union", "upstreams": "home:one work:Backups:nc"},
}


@pytest.fixture
def storages(cloud: Emulator) -> Storages:
    """Two storages of Bert's drive, one of a folder in it, their wrappers, and Anna's drive."""
    connected(cloud, "personal", name="home")
    connected(cloud, "business", name="work")
    connected(cloud, "business", name="again")
    connected(cloud, "business", name="based", base_folder="Backups")
    connected(cloud, "business", name="rooted", root_folder_id="01ABC")
    found = Storages()
    for name, section in SECTIONS.items():
        found.conf.add(name, section)
    drive = emulated_drive(cloud, "business")
    for path in ("Backups/x/a.txt", "Backups/x/s/b.txt", "Backups/y.txt"):
        drive.write(path, path.encode())
    return found


def held(cloud: Emulator) -> dict[str, bytes]:
    drive = emulated_drive(cloud, "business")
    return {item.path(): drive.read(item.path()) for item in drive.walk() if not item.is_folder}


REFUSED = [
    ("move", "work:Backups/x", "again:Backups/x", "are the same location"),
    ("move", "work:Backups/x", "based:x", "are the same location"),
    ("move", "work:backups/X", "near:", "are the same location"),
    ("move", "work:Backups/x", "both:w/Backups/x", "are the same location"),
    ("move", "both:w/Backups/x", "both:b/x", "are the same location"),
    ("move", "work:Backups/x", "one:x", "are the same location"),
    ("move", "work:Backups/x/a.txt", "work:Backups/X", "is in 'work:Backups/X'"),
    ("move", "work:Backups/x/a.txt", "based:x", "is in 'based:x'"),
    ("sync", "work:Backups", "based:x", "'based:x' is in 'work:Backups'"),
    ("sync", "work:Backups/x", "based:", "'work:Backups/x' is in 'based:'"),
    ("sync", "work:", "secret:", "'secret:' is in 'work:'"),
    ("sync", "secret:a", "other:a", "may overlap"),
    ("sync", "work:Backups", "rooted:y", "may overlap"),
    ("sync", "work:", "both:", "are the same location"),
    ("copy", "work:Backups/x", "work:Backups/x/bak", "is in 'work:Backups/x'"),
    ("copy", "work:", "secret:", "'secret:' is in 'work:'"),
]


@pytest.mark.parametrize(("word", "source", "destination", "said"), REFUSED)
def test_what_would_delete_or_multiply_its_own_files_is_refused(
    storages: Storages, cloud: Emulator, word: str, source: str, destination: str, said: str
) -> None:
    before, asked = held(cloud), len(cloud.world.requests)
    sure = () if word == "copy" else ("--yes",)
    code, refused = command(word, *sure, source, destination)
    assert (code, refused["error"], said in refused["what"]) == (2, "usage", True)
    assert held(cloud) == before
    assert len(cloud.world.requests) == asked


def test_what_is_to_come_up_a_level_can_be_copied(storages: Storages, cloud: Emulator) -> None:
    """rclone does not move that, either."""
    code, refused = command("move", "--yes", "work:Backups/x", "work:Backups")
    assert (code, refused["advice"]) == (2, "Copy it there, and delete it here afterwards.")
    assert command("copy", "work:Backups/x", "work:Backups")[0] == 0
    assert {"Backups/a.txt", "Backups/x/a.txt"} <= held(cloud).keys()


ALLOWED = [
    ("move", "work:Backups/x", "based:z", ()),
    ("move", "work:Backups/x/s/b.txt", "based:", ()),  # a file out of a nested folder
    ("copy", "work:Backups/x", "based:", ()),
    ("copy", "work:Backups/x/a.txt", "work:Backups/x", ()),
    ("copy", "work:Backups/x", "work:Backups/x/bak", ("--exclude", "/bak/**")),
    ("sync", "work:Backups", "work:Backups/bak", ("--exclude", "bak/**")),
    ("sync", "work:Backups", "based:bak", ("--exclude", "/bak/**")),
    ("sync", "work:", "secret:all", ("--exclude", "/crypt/**")),
    ("move", "secret:a", "secret:b", ()),
    ("move", "both:w/Backups/x", "both:at home/x", ()),
    ("sync", "work:Backups/x", "home:Backups/x", ()),
]


@pytest.mark.parametrize(("word", "source", "destination", "more"), ALLOWED)
def test_places_that_lie_apart_or_are_kept_apart_by_a_filter_are_not(
    storages: Storages, cloud: Emulator, word: str, source: str, destination: str, more: list[str]
) -> None:
    if source == "secret:a":
        assert command("copy", "work:Backups/x", source)[0] == 0
    sure = () if word == "copy" else ("--yes",)
    code, done = command(word, *sure, source, destination, *more)
    assert (code, done["ended"]) == (0, "done")


@pytest.mark.parametrize("rule", ["- /other/**", "+ /bak/a", "- /BAK/**"])
def test_a_filter_that_does_not_surely_leave_the_inner_place_out_is_no_excuse(
    storages: Storages, rule: str
) -> None:
    code, refused = command(
        "sync", "--yes", "work:Backups", "based:bak", "--filter", rule, "--exclude", "/bakery/**"
    )
    assert (code, refused["error"]) == (2, "usage")
    assert "'- /bak/**'" in refused["advice"]


def test_a_file_is_still_renamed_to_other_letters(storages: Storages, cloud: Emulator) -> None:
    rclone = storages["work"].rclone
    rclone.moveto("work:Backups/x/a.txt", "work:Backups/x/A.TXT").result()
    assert "Backups/x/A.TXT" in held(cloud)
    with pytest.raises(UsageError, match="are the same location"):
        rclone.moveto("work:Backups/x/A.TXT", "work:backups/x/A.TXT")


def test_what_is_on_this_machine_is_rclones_own_affair(storages: Storages, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.txt").write_text("a")
    transfer = storages["work"].rclone.sync(str(tmp_path), str(tmp_path / "in"))
    error = transfer.wait().error
    assert "overlapping" in str(error)
    assert isinstance(error, RcloneUsage)
    assert "filter rule" in error.advice
    assert (tmp_path / "in" / "a.txt").exists()
