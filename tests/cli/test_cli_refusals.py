"""What a person reads at the terminal for Microsoft's real answers, with the real rclone."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pytest

from pluton_rclone.conf.export import as_conf
from pluton_rclone.emulator import PUBLIC_CLIENT_ID, Emulator
from pluton_rclone.emulator.drives.drive import Drive
from pluton_rclone.emulator.quirks import NO_DRIVE
from pluton_rclone.microsoft.http import ATTEMPTS, Http
from tests.cli.conftest import Command
from tests.connected import BERT, remote_of
from tests.connected import connected as save_storage

ANNA = "anna@outlook.com"


@pytest.fixture
def drive(cloud: Emulator) -> Drive:
    drive = cloud.files.drive_of(ANNA)
    drive.write("folder/a.txt", b"a")
    return drive


def token_has_ended(home: Path) -> None:
    file = home / "rclone.conf"
    ended = re.sub(r'"expiry":\s*"[^"]+"', '"expiry":"2020-01-01T00:00:00Z"', file.read_text())
    file.write_text(ended)


@dataclass
class Screen:
    code: int
    has: tuple[str, ...]
    lacks: tuple[str, ...] = ()


def judge(ran_code: int, said: str, screen: Screen) -> None:
    flat = " ".join(said.split())
    assert ran_code == screen.code, said
    for words in screen.has:
        assert words in flat, said
    for words in (*screen.lacks, "Traceback", "rclone reports an error", "HTTP error 4"):
        assert words not in flat, said


@pytest.fixture(autouse=True)
def nobody_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """No waits before a request is repeated: tests/microsoft/test_microsoft_http.py tests their
    length with a clock of its own, and rclone's grow with each attempt."""
    monkeypatch.setattr(Http, "_hold", lambda http, seconds: max(0.0, seconds))
    monkeypatch.setenv("RCLONE_LOW_LEVEL_RETRIES", "3")


@pytest.mark.parametrize("body", ["html", "text", "empty"])
@pytest.mark.parametrize(
    ("status", "screen"),
    [
        (401, Screen(3, ("no longer accepts the access token", "you can fix it"))),
        (403, Screen(4, ("not allowed to do that", "you can fix it"), ("administrator",))),
        (404, Screen(4, ("The drive does not exist",))),
        (423, Screen(4, ("Someone else is using or has changed this",))),
        (503, Screen(8, ("Microsoft asks to slow down", "try again later"))),
        (504, Screen(8, ("Microsoft did not answer as expected", "try again later"))),
    ],
)
def test_an_answer_without_a_body_is_read_by_its_status(
    connected: Command, cloud: Emulator, drive: Drive, status: int, body: str, screen: Screen
) -> None:
    with cloud.quirks.bare_answer(status, body, times=None):
        ran = connected("ls", "Work files:")
    judge(ran.code, ran.err, screen)


@pytest.mark.parametrize("status", [403, 503])
def test_the_sign_in_service_without_a_body(
    connected: Command, cloud: Emulator, home: Path, status: int
) -> None:
    token_has_ended(home)
    with cloud.quirks.bare_answer(status, at="sign-in", times=None):
        ran = connected("ls", "Work files:")
    screens = {
        403: Screen(3, ("something else answered", "try again later"), ("eauthorize",)),
        503: Screen(8, ("slow down", "try again later"), ("eauthorize",)),
    }
    judge(ran.code, ran.err, screens[status])
    assert ran.err.startswith("ERROR")
    # rclone asks ten times; we ask once with retries, and once more to find the reason.
    assert [each.status for each in cloud.requests].count(status) <= ATTEMPTS + 1


def test_a_token_service_that_resets_connections_is_for_later(
    connected: Command, cloud: Emulator, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RCLONE_LOW_LEVEL_RETRIES", "1")  # each of them waits five seconds
    monkeypatch.setenv("RCLONE_RETRIES", "1")
    token_has_ended(home)
    (tmp_path / "a.txt").write_text("a")
    with cloud.quirks.connection_reset():
        for arguments in (("ls", "Work files:"), ("copy", str(tmp_path / "a.txt"), "Work files:x")):
            ran = connected(*arguments)
            judge(ran.code, ran.err, Screen(8, ("try again later",), ("eauthorize",)))


@pytest.mark.parametrize("form", NO_DRIVE)
def test_an_account_without_onedrive_in_all_its_words(
    connected: Command, cloud: Emulator, drive: Drive, form: str
) -> None:
    """rclone prints no status beside a body: 503 and 400 with the same words are one line. It also
    contains the path, whose words are not Microsoft's."""
    with cloud.quirks.no_license(ANNA, form):
        ran = connected("ls", "Work files:Remote work/2026")
    judge(ran.code, ran.err, Screen(4, ("OneDrive licence",)))


@pytest.mark.parametrize("form", [form for form, (status, *_) in NO_DRIVE.items() if status < 500])
def test_connecting_an_account_without_onedrive(
    command: Command, cloud: Emulator, form: str
) -> None:
    with cloud.quirks.no_license(ANNA, form):
        ran = command("connect", "New", "--type", "personal")
    judge(ran.code, ran.err, Screen(4, ("OneDrive licence",)))


def test_microsofts_own_store_for_reading_only_is_nobodys_fault_here(
    connected: Command, cloud: Emulator
) -> None:
    with cloud.quirks.service_read_only(ANNA):
        ran = connected("ls", "Work files:")
    judge(
        ran.code, ran.err, Screen(8, ("made it read-only", "try again later"), ("administrator",))
    )


def test_a_drive_that_is_none(connected: Command, cloud: Emulator, drive: Drive) -> None:
    with cloud.quirks.handle_invalid(drive):
        ran = connected("ls", "Work files:")
    judge(ran.code, ran.err, Screen(4, ("The drive does not exist",), ("Vault",)))


def test_the_personal_vault(connected: Command, cloud: Emulator, drive: Drive) -> None:
    with cloud.quirks.handle_invalid(drive, "folder"):
        ran = connected("ls", "Work files:folder")
    judge(ran.code, ran.err, Screen(4, ("Personal Vault", "you can fix it")))


def test_a_file_that_is_open_elsewhere(
    connected: Command, cloud: Emulator, drive: Drive, tmp_path: Path
) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "a.txt").write_text("changed")
    with cloud.quirks.open_elsewhere(drive, "folder/a.txt"):
        ran = connected("copy", str(tmp_path / "folder"), "Work files:folder")
    assert ran.code != 0
    assert "Close the file where it is open" in ran.err
    assert "administrator" not in ran.err


def test_deleting_for_good_from_a_personal_drive_names_the_option(
    command: Command, cloud: Emulator, drive: Drive
) -> None:
    assert command("connect", "Hard", "--set", "hard_delete=true").code == 0
    with cloud.quirks.permanent_delete_unsupported(drive):
        ran = command("delete", "Hard:folder/a.txt", "--yes")
    assert ran.code != 0
    assert "hard_delete" in ran.err, ran.err


def test_a_token_check_that_passes_by_itself(connected: Command, cloud: Emulator) -> None:
    with cloud.quirks.access_token_refused_once(ANNA, times=100):
        ran = connected("ls", "Work files:")
    judge(
        ran.code,
        ran.err,
        Screen(8, ("could not check the token", "try again later"), ("eauthorize",)),
    )


def test_a_registration_for_personal_accounts_alone_wants_the_tenant_consumers(
    command: Command, cloud: Emulator
) -> None:
    with cloud.quirks.personal_accounts_only(PUBLIC_CLIENT_ID):
        ran = command("connect", "New", "--method", "device")
    judge(ran.code, ran.err, Screen(3, ("personal accounts only", "Set the tenant to consumers")))


def test_a_personal_account_at_a_registration_for_organisations(
    command: Command, cloud: Emulator
) -> None:
    with cloud.quirks.personal_account_refused(ANNA):
        ran = command("connect", "New")
    judge(ran.code, ran.err, Screen(3, ("This is a personal account", "you can fix it")))


def test_a_code_that_is_refused_while_nothing_is_stored_yet(
    command: Command, cloud: Emulator
) -> None:
    with cloud.quirks.code_refused():
        ran = command("connect", "New")
    judge(
        ran.code,
        ran.err,
        Screen(3, ("Sign in again and finish at once",), ("stored", "eauthorize")),
    )


def test_a_site_that_this_person_may_not_open_although_sites_may_be_read(
    command: Command, cloud: Emulator, browser: Callable[..., None]
) -> None:
    site = cloud.files.site_at("contoso.sharepoint.com", "/sites/Backups")
    assert site is not None
    browser("admin@contoso.onmicrosoft.com")
    with cloud.quirks.site_forbidden(site, "admin@contoso.onmicrosoft.com"):
        ran = command("connect", "New", "--site", "https://contoso.sharepoint.com/sites/Backups")
    judge(ran.code, ran.err, Screen(4, ("no access to this site", "Ask an owner of the site")))


def test_a_site_that_an_administrator_has_blocked(
    command: Command, cloud: Emulator, browser: Callable[..., None]
) -> None:
    site = cloud.files.site_at("contoso.sharepoint.com", "/sites/Backups")
    assert site is not None
    browser("admin@contoso.onmicrosoft.com")
    with cloud.quirks.site_blocked(site):
        ran = command("connect", "New", "--site", "https://contoso.sharepoint.com/sites/Backups")
    judge(
        ran.code,
        ran.err,
        Screen(4, ("administrator has blocked this site", "your administrator can fix it")),
    )


def test_a_token_that_is_refused_before_its_end_is_nobodys_business(
    connected: Command, cloud: Emulator, drive: Drive, tmp_path: Path
) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "b.txt").write_text("b")
    for arguments in (
        ("ls", "Work files:folder"),
        ("copy", str(tmp_path / "folder"), "Work files:folder"),
        ("sync", "--yes", str(tmp_path / "folder"), "Work files:folder"),
        ("delete", "--yes", "Work files:folder/b.txt"),
        ("about", "Work files"),
    ):
        cloud.quirks.access_token_refused(ANNA)
        ran = connected(*arguments)
        judge(ran.code, ran.err, Screen(0, (), ("ERROR", "eauthorize")))


def test_only_a_refresh_token_that_is_refused_as_well_sends_the_person_to_sign_in(
    connected: Command, cloud: Emulator
) -> None:
    cloud.quirks.access_token_refused(ANNA)
    cloud.world.revoke_tokens(cloud.world.person(ANNA))
    ran = connected("ls", "Work files:")
    judge(ran.code, ran.err, Screen(3, ("pluton-rclone reauthorize 'Work files'",)))


def test_a_personal_account_has_no_administrator_whatever_rclone_logs(
    connected: Command, cloud: Emulator, drive: Drive, tmp_path: Path
) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "b.txt").write_text("b")
    cloud.faults.refuse(403, times=None)
    for arguments in (
        ("ls", "Work files:folder"),
        ("ls", "-R", "Work files:"),
        ("copy", str(tmp_path / "folder"), "Work files:new"),
        ("cat", "Work files:folder/a.txt"),
    ):
        ran = connected(*arguments)
        assert ran.code != 0
        assert "administrator" not in ran.err, ran.err
        assert "Ask the owner of the drive" in ran.err, ran.err


def test_a_work_account_has_one(command: Command, cloud: Emulator, tmp_path: Path) -> None:
    save_storage(cloud, "business", name="work")
    cloud.faults.refuse(403, times=None)
    assert "your administrator can fix it" in command("ls", "work:").err


def test_of_what_cannot_be_imported_no_command_is_advised_that_needs_it_saved(
    command: Command, cloud: Emulator, tmp_path: Path
) -> None:
    """Formerly, it was `pluton-rclone reauthorize NAME`, although there is no such storage."""
    remote = remote_of(cloud, "business", seconds=-60)
    cloud.world.revoke_tokens(cloud.world.person(BERT))
    (tmp_path / "rclone.conf").write_bytes(as_conf("old", remote.to_section()))
    ran = command("import", "New", str(tmp_path / "rclone.conf"), "--yes")
    assert (ran.code, "Sign in again" in ran.err) == (3, True), ran.err
    assert "pluton-rclone" not in ran.err


def test_of_a_clock_that_is_far_off_no_library_complains_in_its_own_words(
    connected: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Formerly, urllib3 warned on stderr at each connection, with a line of its source. The
    connection test, and the error if no connection succeeds, say what is wrong and what to do."""
    monkeypatch.setattr("urllib3.connection.RECENT_DATE", date(2999, 1, 1))
    ran = connected("health")
    assert (ran.code, ran.err) == (0, "ok       Work files\n")


@pytest.mark.parametrize(
    "words",
    [
        ("connect", "x", "--client-id", "x", "--client-secret-file"),
        ("plan", "check"),
        ("storages", "--rclone"),
        ("import", "x"),
    ],
)
@pytest.mark.parametrize("what", ["missing", "folder", "of bytes"])
def test_why_a_file_cannot_be_used_is_said_without_pythons_words(
    command: Command, tmp_path: Path, words: tuple[str, ...], what: str
) -> None:
    """`[Errno 2] No such file or directory: '/the/path/once/more'`."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "of bytes").write_bytes(b"geh\xe9im\n")
    refused = command(*words, str(tmp_path / what))
    assert "Errno" not in refused.err
    assert "codec" not in refused.err
