"""The guide's walk at a terminal: connect, test, save, back up, verify, restore."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from pluton_rclone.conf.export import as_conf
from pluton_rclone.emulator import Emulator
from pluton_rclone.emulator.faults import GraphFault
from tests.cli.conftest import Command
from tests.connected import remote_of

FORBIDDEN_WORDS = ("access_token", "refresh_token")


def tree(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    (folder / "photos" / "2026").mkdir(parents=True)
    (folder / "photos" / "2026" / "beach.jpg").write_bytes(b"\xff\xd8" * 5000)
    (folder / "notes.txt").write_text("one")
    (folder / "empty").write_bytes(b"")
    return folder


def test_connect_saves_a_complete_remote_under_a_name_derived_from_the_friendly_one(
    command: Command, home: Path
) -> None:
    ran = command(
        "connect", "Anna's OneDrive (Home)", "--set", "chunk_size=20Mi", "--set", "hard_delete=true"
    )

    assert ran.code == 0, ran.err
    for said in (
        "Signed in as Anna Berg",
        "Test connection:",
        "Saved as the remote 'annas-onedrive-home'",
    ):
        assert said in ran.err
    conf = (home / "rclone.conf").read_text()
    for line in (
        "[annas-onedrive-home]",
        "type = onedrive",
        "drive_type = personal",
        "chunk_size = 20Mi",
    ):
        assert line in conf
    assert (home / "rclone.conf").stat().st_mode & 0o777 == 0o600


def test_a_storage_is_listed_and_shown_without_its_secrets(connected: Command) -> None:
    (listed,) = connected("storages", "--json").json
    shown = connected("show", "Work files")

    assert (listed["name"], listed["remote"], listed["drive_type"]) == (
        "Work files",
        "work-files",
        "personal",
    )
    assert "token = (secret, not shown)" in shown.out
    assert not any(word in shown.out for word in FORBIDDEN_WORDS)
    assert (
        connected("show", "work-files", "--json").json["options"]["token"] == "(secret, not shown)"
    )


def test_a_folder_is_backed_up_verified_and_restored(
    connected: Command, source: Path, tmp_path: Path
) -> None:
    first = connected("copy", str(source), "Work files:backup")
    again = connected("copy", str(source), "Work files:backup")
    checked = connected("check", str(source), "Work files:backup")
    restored = connected("copy", "work-files:backup", str(tmp_path / "restored"))

    assert [ran.code for ran in (first, again, checked, restored)] == [0, 0, 0, 0]
    assert "3 files transferred" in first.err
    assert "0 files transferred (0 B), 3 already there" in again.err
    assert "3 files are the same, compared by hash" in checked.err
    assert tree(tmp_path / "restored") == tree(source)


def test_with_json_results_are_on_stdout_and_nothing_else(connected: Command, source: Path) -> None:
    copied = connected("copy", str(source), "Work files:backup", "--json")
    entries = connected("ls", "-R", "Work files:backup", "--json").lines

    assert copied.err == ""
    assert copied.lines[-1]["result"]["transfers"] == 3
    assert {entry["path"]: entry["size"] for entry in entries} == {
        "empty": 0,
        "notes.txt": 3,
        "photos": None,
        "photos/2026": None,
        "photos/2026/beach.jpg": 10_000,
    }
    assert connected("check", str(source), "Work files:backup", "--json").json["same"] is True
    room = connected("about", "Work files", "--json").json
    assert room["used"] - room["trashed"] == 10_003
    assert connected("test", "Work files", "--json").json["ok"] is True


def test_a_difference_is_named_and_gives_its_own_exit_code(
    connected: Command, source: Path
) -> None:
    connected("copy", str(source), "Work files:backup")
    (source / "notes.txt").write_text("two")
    ran = connected("check", str(source), "Work files:backup", "--json")

    assert ran.code == 7
    assert ran.json["differing"] == ["notes.txt"]
    assert ran.error["error"] == "corrupted"


def test_a_failed_test_saves_nothing(command: Command, cloud: Emulator, home: Path) -> None:
    drive = cloud.files.drive_of(cloud.world.person("anna@outlook.com"))
    drive.quota.total = 100
    ran = command("connect", "Full", "--json")

    assert ran.code == 4, ran.err
    assert ran.error["details"]["step"] == "write"
    assert ran.error["details"]["cause"] == "quota_full"
    assert command("storages", "--json").json == []


@pytest.mark.parametrize("where", ["/me/drive$", "/drives/[^/]+$"])
def test_before_it_is_saved_there_is_no_storage_to_re_authorize(
    command: Command, cloud: Emulator, where: str
) -> None:
    """ "Re-authorize the storage" was said of the sign-in and of the test that it came from."""
    refused = GraphFault(401, "InvalidAuthenticationToken", "Signing key is invalid.")
    cloud.faults.arm(refused, where=where, times=None)
    ran = command("connect", "New", "--type", "personal", "--json")
    assert (ran.code, ran.error["advice"], ran.error["next_step"]) in (
        (3, "Sign in again.", None),
        (4, "Sign in again.", None),
    )


@pytest.mark.parametrize(
    ("where", "code", "advice"),
    [("/me$", "", "Sign in again."), ("", "AADSTS50076", "confirm with the second factor")],
)
def test_an_import_that_is_refused_says_to_sign_in_and_how(
    command: Command, cloud: Emulator, tmp_path: Path, where: str, code: str, advice: str
) -> None:
    remote = remote_of(cloud, "business", seconds=-60)
    (tmp_path / "old.conf").write_bytes(as_conf("old", remote.to_section()))
    if code:
        cloud.world.refuse_sign_in(code, times=-1)
    else:
        fault = GraphFault(401, "InvalidAuthenticationToken", "Signing key is invalid.")
        cloud.faults.arm(fault, where=where, times=None)
    ran = command("import", "New", str(tmp_path / "old.conf"), "--yes", "--json")
    assert (ran.code, ran.error["next_step"]) == (3, None)
    assert advice in ran.error["advice"]


def test_a_refused_consent_says_so_and_saves_nothing(
    command: Command, browser: Callable[..., None], home: Path
) -> None:
    browser("anna@outlook.com", accept=False)
    ran = command("connect", "Never", "--json")

    assert ran.code == 3
    assert ran.error["error"] == "sign_in_declined"
    assert not (home / "rclone.conf").exists()


def test_a_taken_name_is_told_before_anybody_signs_in(connected: Command, cloud: Emulator) -> None:
    before = len(cloud.requests)
    ran = connected("connect", "Work files", "--json")

    assert (ran.code, ran.error["error"]) == (5, "storage_exists")
    assert len(cloud.requests) == before


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("ls", "nowhere:x"), 5, "There is no storage called 'nowhere'"),
        (("copy", "/a", "/b"), 2, "Neither SRC nor DST is in a storage"),
        (("copyy", "/a", "/b"), 2, "Did you mean 'copy'?"),
        (("ls", "--recursve", "x:"), 2, "--recursive"),
        (("connect", "x", "--set", "chunk_sise=1"), 5, "did you mean 'chunk_size'?"),
        (("connect", "x", "--set", "client_secret=abc"), 2, "client_secret is secret"),
    ],
)
def test_wrong_usage_says_what_to_do(
    command: Command, arguments: tuple[str, ...], code: int, says: str
) -> None:
    ran = command(*arguments)

    assert ran.code == code
    assert says in ran.err
    assert ran.out == ""


def test_an_error_under_json_is_one_record_on_stderr(command: Command) -> None:
    ran = command("show", "nobody", "--json")

    assert json.loads(ran.err)["error"] == "storage_not_found"
    fields = {"error", "what", "why", "who", "advice", "next_step", "link", "details"}
    assert set(json.loads(ran.err)) == fields


def test_a_dry_run_copies_nothing_and_names_what_it_would(connected: Command, source: Path) -> None:
    ran = connected("copy", "--dry-run", str(source), "Work files:backup")

    assert ran.code == 0
    assert sorted(ran.out.splitlines()) == [
        "would copy: empty",
        "would copy: notes.txt",
        "would copy: photos/2026/beach.jpg",
        "would make directory: photos",
        "would make directory: photos/2026",
    ]
    assert connected("ls", "Work files:", "--json").out == ""
