"""Maintaining storages from the command line: health, re-authorizing, changing, renaming,
removing."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from pluton_rclone import Storages
from pluton_rclone.cli.places import Place
from pluton_rclone.emulator import Emulator
from pluton_rclone.emulator.command import browser as played
from pluton_rclone.emulator.entra.sessions import Sessions
from tests.cli.conftest import Command
from tests.connected import connected as save_storage
from tests.connected import emulated_drive, link_to_another_drive, remote_of
from tests.forked import Forks
from tests.rclone_port import rclone_port

ANNA, BERT = "anna@outlook.com", "bert@contoso.onmicrosoft.com"


def test_health_names_the_storage_that_fails_and_says_what_to_do(
    connected: Command, cloud: Emulator
) -> None:
    well = connected("health")
    cloud.world.revoke_tokens(cloud.world.person(ANNA))
    cloud.world.advance(5000)
    ill = connected("health", "--json")

    assert well.code == 0
    assert "ok       Work files" in well.err
    assert ill.code == 4
    assert ill.json["storages"][0]["ok"] is False
    assert "Work files" in ill.error["what"]


def test_a_storage_whose_token_died_is_back_after_signing_in_again(
    command: Command, cloud: Emulator
) -> None:
    assert command("connect", "Work files", "--type", "personal").code == 0
    before = command("show", "Work files", "--json").json["options"]
    cloud.world.revoke_tokens(cloud.world.person(ANNA))
    cloud.world.advance(5000)
    broken = command("ls", "Work files:")
    ill = command("test", "Work files")
    again = command("reauthorize", "Work files")
    after = command("show", "Work files", "--json").json["options"]

    assert broken.code == 3
    assert "pluton-rclone reauthorize 'Work files'" in broken.err
    assert "reauthorize" in ill.err
    assert again.code == 0, again.err
    assert "drive and options are unchanged" in again.err
    assert command("ls", "Work files:").code == 0
    changed = {key for key in before if before[key] != after.get(key)}
    assert changed <= {"pluton_sign_in", "token"}


def test_a_storage_of_rclones_own_registration_is_signed_in_for_by_it_again(
    command: Command, cloud: Emulator, forks: Forks
) -> None:
    Storages().add_tested("mine", remote_of(cloud).replace(client_id=""))
    with rclone_port():  # rclone may end before its last page is sent, which does not matter here
        again = forks.run(
            *("reauthorize", "mine"),
            env={**os.environ, **played(ANNA), "BROWSER": forks.browser},
        )
    before = len(cloud.requests)
    device = command("reauthorize", "mine", "--method", "device", "--json")

    assert again.returncode == 0, again.stderr
    assert b"mine is connected again" in again.stderr
    assert (device.code, device.error["error"]) == (2, "usage")
    assert "rclone's own registration" in device.error["what"]
    assert "Leave --method out" in device.error["advice"]
    assert len(cloud.requests) == before


def test_a_folder_of_others_is_asked_for_again_when_its_consent_was_withdrawn(
    command: Command, cloud: Emulator, browser: Callable[..., None]
) -> None:
    browser(BERT)
    assert command("connect", "Team", "--site", link_to_another_drive(cloud)).code == 0
    cloud.world.part(Sessions).consents.clear()
    cloud.world.revoke_tokens(cloud.world.person(BERT))
    again = command("reauthorize", "Team")

    assert again.code == 0, again.err
    assert "files that others share with you" in again.err
    assert command("ls", "Team:").code == 0


SITE = "https://contoso.sharepoint.com/sites/Backups"


def test_an_own_drive_is_not_asked_for_what_another_storage_needs(
    command: Command, cloud: Emulator, browser: Callable[..., None]
) -> None:
    """Microsoft answers a sign-in with everything that the account has ever granted to the app."""
    browser(BERT)
    assert command("connect", "Library", "--site", SITE).code == 0
    assert command("connect", "Mine", "--type", "business").code == 0
    assert "Files.ReadWrite.All" in Storages()["mine"].remote.granted_scopes
    cloud.world.part(Sessions).consents.clear()
    again = command("reauthorize", "Mine")

    assert again.code == 0, again.err
    assert "read and write your own files" in again.err
    assert "Files.ReadWrite.All" not in Storages()["mine"].remote.granted_scopes


@pytest.mark.parametrize("whole", [False, True], ids=["a folder", "a whole drive"])
def test_what_others_share_is_asked_for_again_also_if_it_was_granted_for_another_storage(
    command: Command, cloud: Emulator, browser: Callable[..., None], whole: bool
) -> None:
    browser(BERT)
    link = link_to_another_drive(cloud)
    if whole:
        theirs = cloud.files.drive_of("admin@contoso.onmicrosoft.com")
        theirs.share(theirs.root, BERT)
    assert command("connect", "Library", "--site", SITE).code == 0
    assert command("connect", "Team", "--type", "business", "--site", link).code == 0
    cloud.world.part(Sessions).consents.clear()
    cloud.world.revoke_tokens(cloud.world.person(BERT))
    again = command("reauthorize", "Team")

    assert again.code == 0, again.err
    assert "files that others share with you" in again.err
    assert command("ls", "Team:").code == 0


def test_the_drive_of_somebody_who_is_called_the_same_is_not_taken_for_an_own_one(
    command: Command, cloud: Emulator, browser: Callable[..., None]
) -> None:
    """Often it is another account of the same person. Formerly, its files became unreachable."""
    browser(BERT)
    theirs = cloud.files.drive_of("admin@contoso.onmicrosoft.com")
    theirs.share(theirs.root, BERT)
    cloud.world.person("admin@contoso.onmicrosoft.com").name = cloud.world.person(BERT).name
    assert command("connect", "Library", "--site", SITE).code == 0
    assert command("connect", "Other", "--type", "business", "--drive", theirs.id).code == 0
    cloud.world.part(Sessions).consents.clear()
    cloud.world.revoke_tokens(cloud.world.person(BERT))
    again = command("reauthorize", "Other")

    assert again.code == 0, again.err
    assert "files that others share with you" in again.err


def test_somebody_else_is_refused_unless_that_is_meant(
    connected: Command, browser: Callable[..., None]
) -> None:
    browser(BERT)
    ran = connected("reauthorize", "Work files", "--json")

    assert (ran.code, ran.error["error"]) == (3, "account_error")
    assert ran.error["what"].endswith(f"signed in, but this storage belongs to {ANNA}.")
    assert "give --other-account" in ran.error["advice"]
    assert ANNA in connected("storages").out


def test_an_option_is_changed_only_when_the_connection_still_works(connected: Command) -> None:
    good = connected("set", "Work files", "chunk_size=5Mi", "hard_delete=true")
    bad = connected("set", "Work files", "chunk_size=1000", "--json")
    options = connected("show", "Work files", "--json").json["options"]

    assert good.code == 0, good.err
    assert (bad.code, bad.error["error"]) == (5, "option_invalid")
    assert (options["chunk_size"], options["hard_delete"]) == ("5Mi", "true")


def test_one_table_has_all_options_ours_included_for_every_command(connected: Command) -> None:
    """Formerly, `set w base_folder=y` said that there is no such option, and advised the command
    that documents it."""
    changed = connected("set", "Work files", "base_folder=/Backups/")
    assert changed.code == 0, changed.err
    assert connected("storages", "--json").json[0]["base_folder"] == "Backups"
    explained = connected("options").out
    assert "base_folder  Base folder (pluton, text, stored beside rclone's options)" in explained
    assert connected("options", "base_folder").out in explained
    assert (
        connected("connect", "Second", "--type", "personal", "--set", "base_folder=Second").code
        == 0
    )
    assert connected("storages", "--json").json[1]["base_folder"] == "Second"


@pytest.mark.parametrize("setting", ["drive_id=0123", "client_id=x", "region=us", "description=x"])
def test_connect_refuses_before_the_sign_in_what_the_walk_itself_decides(
    command: Command, setting: str
) -> None:
    refused = command("connect", "Work", "--set", setting, "--json")
    assert (refused.code, refused.error["error"], refused.out) == (5, "option_invalid", "")
    assert "cannot be set as an option" in refused.error["what"]


def test_the_friendly_name_changes_and_the_remote_keeps_its_own(connected: Command) -> None:
    renamed = connected("rename", "Work files", "Bürö & more:", "--json").json
    moved = connected("rename", "Bürö & more", "office", "--remote", "--json").json

    assert (renamed["name"], renamed["remote"]) == ("Bürö & more", "work-files")
    assert (moved["name"], moved["remote"]) == ("Bürö & more", "office")
    assert connected("ls", "office:").code == 0


def test_a_storage_is_forgotten_only_when_that_is_said(connected: Command, cloud: Emulator) -> None:
    cloud.files.drive_of(ANNA).write("backup/file.txt", b"content")
    asked = connected("remove", "Work files")
    assert (asked.code, "--yes" in asked.err) == (2, True)
    assert len(connected("storages", "--json").json) == 1

    assert connected("remove", "Work files", "--yes").code == 0
    assert connected("storages", "--json").json == []
    assert cloud.files.drive_of(ANNA).read("backup/file.txt") == b"content"


def test_an_export_is_an_rclone_conf_of_its_own_readable_by_its_owner_alone(
    connected: Command, tmp_path: Path
) -> None:
    path = tmp_path / "export.conf"
    ran = connected("export", "Work files", "--output", str(path))
    again = connected("export", "Work files", "--output", str(path))

    assert ran.code == 0
    assert path.stat().st_mode & 0o777 == 0o600
    assert connected("ls", "work-files:", "--config", str(path)).code == 0
    assert again.code == 5  # never overwrite an existing file
    assert (
        "RCLONE_CONFIG_WORK_FILES_TYPE=onedrive"
        in connected("export", "Work files", "--as-environment").out
    )


@pytest.mark.parametrize("how", [(), ("--as-environment",)])
def test_an_export_has_the_bytes_of_the_file(connected: Command, how: tuple[str, ...]) -> None:
    path = Storages().path
    path.write_bytes(path.read_bytes().replace(b"Work files", b"W\xfcrk"))
    ran = connected("export", "work-files", *how, "--output", str(path.with_name("export")))
    assert ran.code == 0, ran.err
    assert b"W\xfcrk\n" in path.with_name("export").read_bytes()
    assert connected("export", "work-files", *how, "--json").code == 0


@pytest.mark.parametrize(
    "arguments", [("sync", "{source}", "Work files:x"), ("delete", "Work files:file.txt")]
)
def test_what_destroys_asks_first_and_a_script_must_say_yes(
    connected: Command, cloud: Emulator, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    cloud.files.drive_of(ANNA).write("file.txt", b"content")
    (tmp_path / "source").mkdir()
    given = [argument.format(source=tmp_path / "source") for argument in arguments]

    refused = connected(*given)
    assert refused.code == 2
    assert "--yes" in refused.err
    assert cloud.files.drive_of(ANNA).read("file.txt") == b"content"
    assert connected(*given, "--dry-run").code == 0
    assert cloud.files.drive_of(ANNA).read("file.txt") == b"content"


def test_files_are_synced_moved_shown_and_deleted(connected: Command, tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "sub").mkdir(parents=True)
    (source / "a.txt").write_text("first")
    (source / "sub" / "b.txt").write_text("second")
    assert connected("sync", "--yes", str(source), "Work files:x").code == 0
    (source / "a.txt").unlink()
    assert "1 deleted" in connected("sync", "--yes", str(source), "Work files:x").err

    assert connected("cat", "Work files:x/sub/b.txt").out == "second"
    assert connected("cat", "Work files:x/sub/b.txt", "--offset", "3", "--count", "2").out == "on"
    assert connected("stat", "Work files:x/sub/b.txt", "--json").json["size"] == 6
    assert connected("stat", "Work files:x/nothing").code == 7
    assert connected("tree", "Work files:x").out == "sub/\n    b.txt\n"
    assert connected("move", "--yes", "Work files:x/sub", "Work files:moved").code == 0
    assert connected("cat", "Work files:moved/b.txt").out == "second"
    file, folder = (
        connected("delete", "--yes", f"Work files:{path}") for path in ("moved/b.txt", "x")
    )
    assert (file.code, folder.code) == (0, 0)
    assert "1 file deleted" in file.err
    assert "1 whole folder deleted" in folder.err
    assert connected("ls", "Work files:", "--json").lines[0]["name"] == "moved"


@pytest.mark.parametrize("source", ["{here}/a.txt", "work-files:a.txt"])
def test_a_sync_of_a_file_deletes_nothing_and_asks_nothing(
    connected: Command, cloud: Emulator, tmp_path: Path, source: str
) -> None:
    drive = cloud.files.drive_of(ANNA)
    drive.write("a.txt", b"new")
    (tmp_path / "a.txt").write_text("new")
    for number in range(20):
        drive.write(f"x/{number}", b"kept")

    synced = connected("sync", source.format(here=tmp_path), "work-files:x")
    assert (synced.code, "1 file transferred" in synced.err) == (0, True), synced.err
    assert drive.read("x/a.txt") == b"new"
    assert [drive.read(f"x/{number}") for number in range(20)] == [b"kept"] * 20

    odd = connected("sync", "--max-delete", "x", source.format(here=tmp_path), "work-files:x")
    assert (odd.code, "is not a limit for deletions" in odd.err) == (2, True)
    folder = connected("sync", source.format(here=tmp_path).removesuffix("a.txt"), "work-files:x")
    assert (folder.code, "needs --yes" in folder.err) == (2, True)


def test_of_a_folder_that_takes_the_place_of_the_file_nothing_is_deleted_unasked(
    connected: Command, cloud: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is copied, also when it comes between our look and rclone's."""
    (tmp_path / "a").write_text("new")
    emulated_drive(cloud, "personal").write("x/kept", b"kept")
    is_file = vars(Place)["is_file"].fget

    def swapped(place: Place) -> bool:
        found = bool(is_file(place))
        (tmp_path / "a").unlink()
        (tmp_path / "a").mkdir()
        (tmp_path / "a/b").write_text("new")
        return found

    monkeypatch.setattr(Place, "is_file", property(swapped))
    synced = connected("sync", "--max-delete", "50%", str(tmp_path / "a"), "work-files:x")
    assert synced.code == 0, synced.err
    names = {line["path"] for line in connected("ls", "--json", "work-files:x").lines}
    assert names == {"kept", "b"}
    assert connected("history", "--json").json[0]["run"]["command"] == "copy"


def test_preflight_lists_what_onedrive_refuses_before_a_byte_is_sent(
    connected: Command, tmp_path: Path
) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "fine.txt").write_text("x")
    (source / "CON").write_text("x")
    ran = connected("preflight", str(source), "Work files:x", "--json")

    assert ran.code == 4
    assert [line["path"] for line in ran.lines if "path" in line] == ["CON"]
    assert ran.lines[-1]["summary"]["files"] == 2


def test_health_warns_of_a_drive_that_holds_more_than_it_may(
    connected: Command, cloud: Emulator
) -> None:
    """Only the state of the quota reveals this: for rclone, less than nine tenths were used."""
    with cloud.quirks.quota(cloud.files.drive_of(ANNA), "exceeded"):
        ill = connected("health", "--json")
        shown = connected("health")
    assert (ill.code, shown.code) == (4, 4)
    steps = {step["name"]: step for step in ill.json["storages"][0]["steps"]}
    assert (steps["quota"]["status"], steps["quota"]["error"]["error"]) == ("failed", "quota_full")
    assert "Free up space on it (the recycle bin counts)" in shown.err


def test_health_of_storages_that_are_merely_not_reached_has_an_exit_code_of_its_own(
    connected: Command, cloud: Emulator
) -> None:
    save_storage(cloud, "business", name="work")
    with cloud.quirks.connection_reset(at="graph"), cloud.quirks.connection_reset(at="sign-in"):
        silent = connected("health", "--json")
        kept = connected("keep-alive", "--json")
    assert (silent.code, silent.error["error"]) == (8, "connection_test_failed")
    assert kept.code == 8
    cloud.world.revoke_tokens(cloud.world.person(BERT))
    with cloud.quirks.connection_reset(where="consumers"):
        assert connected("health").code == 4


def test_health_without_a_storage_names_the_file_that_it_looked_at(command: Command) -> None:
    nothing = command("health")
    assert (nothing.code, str(Storages().path) in nothing.err) == (5, True)


def test_a_storage_made_by_variables_is_listed_and_read_and_its_change_is_refused(
    connected: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    exported = connected("export", "Work files", "--as-environment", "--json").json
    assert connected("remove", "Work files", "--yes").code == 0
    for name, value in exported["variables"].items():
        monkeypatch.setenv(name, value)

    listed = connected("storages", "--json").json
    assert [storage["remote"] for storage in listed] == ["work_files"]
    assert connected("ls", "work_files:").code == 0
    assert connected("test", "Work files").code == 0
    for change in (
        ("set", "Work files", "chunk_size=20Mi"),
        ("rename", "Work files", "other"),
        ("remove", "Work files", "--yes"),
        ("reauthorize", "Work files"),
    ):
        refused = connected(*change, "--json")
        assert (refused.code, refused.error["error"]) == (5, "config_not_writable"), change
        assert "RCLONE_CONFIG_WORK_FILES_" in refused.error["why"]
