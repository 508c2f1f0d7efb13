"""Contradictory options are refused before the sign-in, with both named, as are accidentally empty
values; OPTION= restores the default."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pluton_rclone.conf.export import as_conf
from pluton_rclone.emulator import Emulator
from pluton_rclone.remote.options import BY_NAME
from tests.cli.conftest import Command
from tests.connected import remote_of

SITE = "https://contoso.sharepoint.com/sites/Backups"
SET = ("set", "Work files")
AGAIN = ("reauthorize", "Work files")
CONNECT = ("connect", "New")


@pytest.mark.parametrize(
    ("arguments", "one", "other"),
    [
        ((*CONNECT, "--drive", "0123", "--site", SITE), "--site", "--drive"),
        ((*CONNECT, "--method", "app", "--drive", "b!1", "--user", "x"), "--drive", "--user"),
        ((*CONNECT, "--base-folder", "a", "--set", "base_folder=b"), "--base-folder", "--set base"),
        (
            (*CONNECT, "--client-secret-file", "/dev/null", "--certificate", "/dev/null"),
            "--client-secret-file",
            "--certificate",
        ),
        ((*CONNECT, "--method", "rclone", "--client-id", "x"), "--method rclone", "--client-id"),
        ((*CONNECT, "--method", "app", "--type", "personal"), "--type personal", "--method app"),
        ((*CONNECT, "--user", "x", "--type", "personal"), "--type personal", "--user"),
        (
            (*CONNECT, "--certificate", "/dev/null", "--type", "personal"),
            "--type personal",
            "--certificate",
        ),
        ((*CONNECT, "--type", "personal", "--region", "cn"), "--type personal", "--region cn"),
        (
            (*CONNECT, "--tenant", "consumers", "--type", "business"),
            "--tenant consumers",
            "--type business",
        ),
        ((*CONNECT, "--type", "personal", "--site", SITE), "--type personal", f"--site {SITE}"),
        (
            (*CONNECT, "--type", "business", "--site", "https://onedrive.live.com/?cid=ab12"),
            "--type business",
            "--site https://onedrive.live.com",
        ),
        ((*CONNECT, "--type", "personal", "--drive", "b!1"), "--type personal", "--drive b!1"),
        ((*CONNECT, "--type", "business", "--drive", "ab12"), "--type business", "--drive ab12"),
        ((*CONNECT, "--method", "device", "--user", "x"), "--user", "--method device"),
        (
            (*CONNECT, "--method", "browser", "--certificate", "/dev/null"),
            "--certificate",
            "--method browser",
        ),
        ((*CONNECT, "--set", "delta=true", "--set", "delta=false"), "delta=true", "delta=false"),
        ((*SET, "chunk_size=5Mi", "chunk_size=20Mi"), "chunk_size=5Mi", "chunk_size=20Mi"),
        ((*SET, "chunk_size=", "chunk_size=20Mi"), "chunk_size=", "chunk_size=20Mi"),
        ((*SET, "link_password=", "--secret", "link_password"), "--secret", "link_password="),
        (
            (*AGAIN, "--client-secret-file", "/dev/null", "--certificate", "/dev/null"),
            "--client-secret-file",
            "--certificate",
        ),
        (("encrypt", "--keyring", "--decrypt"), "--keyring", "--decrypt"),
    ],
)
def test_of_two_that_contradict_each_other_none_wins_in_silence(
    connected: Command, cloud: Emulator, arguments: tuple[str, ...], one: str, other: str
) -> None:
    before = len(cloud.requests)
    refused = connected(*arguments, "--json")
    assert (refused.code, refused.error["error"], refused.out) == (2, "usage", "")
    assert one in refused.error["what"]
    assert other in refused.error["what"]
    assert "contradict each other" in refused.error["what"]
    assert len(cloud.requests) == before


def test_a_drive_of_another_type_than_asked_for_is_not_saved(
    command: Command, cloud: Emulator, browser: Callable[..., None]
) -> None:
    administrator = "admin@contoso.onmicrosoft.com"
    browser(administrator)
    drive = cloud.files.drive_of(administrator).id
    refused = command("connect", "New", "--type", "sharepoint", "--drive", drive, "--json")
    assert (refused.code, refused.error["error"]) == (2, "usage")
    assert "--type sharepoint and --drive (business) contradict" in refused.error["what"]
    assert command("storages", "--json").json == []


def test_a_base_folder_that_is_none_is_refused_before_the_sign_in(command: Command) -> None:
    refused = command("connect", "New", "--type", "personal", "--base-folder", "a/../../b")
    assert (refused.code, "base_folder" in refused.err) == (5, True)
    assert "Authorize with OneDrive" not in refused.err


@pytest.mark.parametrize("option", ["--site", "--drive", "--user", "--client-id"])
def test_a_variable_of_a_script_that_is_empty_is_not_as_if_nothing_was_asked(
    command: Command, cloud: Emulator, option: str
) -> None:
    refused = command("connect", "New", option, " ")
    assert refused.code == 2
    assert option in refused.err
    assert cloud.requests == []


def test_a_secret_file_without_its_option_is_not_passed_over(connected: Command) -> None:
    refused = connected(*SET, "chunk_size=5Mi", "--secret-file", "/dev/null")
    assert refused.code == 2
    assert "--secret OPTION" in refused.err


def test_an_empty_secret_file_takes_no_secret_away(
    connected: Command, home: Path, tmp_path: Path
) -> None:
    secret, empty = tmp_path / "secret", tmp_path / "empty"
    secret.write_text("geheim\n", encoding="utf-16")  # as written by PowerShell's >
    empty.write_text("\n")
    change = ("set", "work-files", "--secret", "link_password", "--secret-file")
    assert connected(*change, str(secret)).code == 0
    before = (home / "rclone.conf").read_text()
    assert "link_password = geheim\n" in before

    refused = connected(*change, str(empty))

    assert (refused.code, f"{empty} is empty" in refused.err) == (2, True)
    assert (home / "rclone.conf").read_text() == before


def test_a_switch_is_taken_as_people_write_it(connected: Command, home: Path) -> None:
    assert connected(*SET, "hard_delete=yes", "delta=On", "expose_onenote_files=no").code == 0
    section = (home / "rclone.conf").read_text()
    assert "hard_delete = true" in section
    assert "delta = true" in section
    assert "onenote" not in section


def test_the_same_twice_is_no_contradiction(connected: Command) -> None:
    assert connected(*SET, "chunk_size=5Mi", "chunk_size=5Mi").code == 0


OTHER = {
    "upload_cutoff": "1Mi",
    "tenant_url": "https://contoso.sharepoint.com/_api",
    "chunk_size": "20Mi",
    "expose_onenote_files": "true",
    "server_side_across_configs": "1",
    "list_chunk": "500",
    "hard_delete": "true",
    "link_type": "edit",
    "hash_type": "quickxor",
    "av_override": "true",
    "delta": "true",
    "metadata_permissions": "read",
    "encoding": "Slash,Dot",
    "base_folder": "Backups",
    "secret_expires": "2030-01-01",
}
FIXED = {"no_versions", "link_scope", "link_password"}  # a personal drive has one value of these


def test_an_option_without_a_value_is_at_its_default_again(connected: Command, home: Path) -> None:
    asked = {option.name for option in BY_NAME.values() if option.decided_by == "person"}
    assert set(OTHER) | FIXED == asked
    tried = {name: value for name, value in OTHER.items() if name != "tenant_url"}
    given = connected(*SET, *(f"{name}={value}" for name, value in tried.items()))
    assert given.code == 0, given.err
    for name in tried:
        assert f"{name} = " in (home / "rclone.conf").read_text() or name == "base_folder"

    back = connected(*SET, *(f"{name}=" for name in (*OTHER, *FIXED)))
    assert back.code == 0, back.err
    now = (home / "rclone.conf").read_text().splitlines()
    for name in (*OTHER, *FIXED):
        assert not any(name in line for line in now), name
    assert connected("ls", "Work files:").code == 0


def test_connect_takes_an_option_without_a_value_as_its_default(command: Command) -> None:
    made = command("connect", "New", "--set", "chunk_size=", "--set", "base_folder=")
    assert made.code == 0, made.err
    assert "chunk_size" not in command("show", "New").out


@pytest.mark.parametrize(
    "setting", ["client_id=", "region=us", "drive_id=b!x", "token=", "account_id="]
)
def test_set_leaves_alone_what_the_walk_or_the_sign_in_decides(
    connected: Command, cloud: Emulator, setting: str
) -> None:
    """Formerly, `set w client_id=` was saved, and an hour later the token could not be renewed."""
    before = len(cloud.requests)
    refused = connected(*SET, setting, "--json")
    assert (refused.code, refused.error["error"]) == (5, "option_invalid")
    assert "cannot be set as an option" in refused.error["what"]
    assert "onnect" in refused.error["advice"]
    assert len(cloud.requests) == before


# ---- variables ----


@pytest.mark.parametrize(
    ("variables", "options", "code", "said"),
    [
        ({"REGION": "dod"}, (), 5, "The cloud US Government DoD"),
        ({"TENANT": "a b"}, (), 5, "'a b' is not a tenant"),
        ({"CLIENT_ID": "a b"}, (), 5, "The client id is empty or has spaces"),
        ({"REGION": "us"}, ("--tenant", "consumers"), 3, "There are no personal accounts in"),
        ({"REGION": "us"}, ("--type", "personal"), 3, "There are no personal accounts in"),
        ({"TENANT": "consumers"}, ("--region", "us"), 3, "There are no personal accounts in"),
        ({"REGION": "us"}, ("--site", SITE), 5, "This address belongs to"),
        ({"TENANT": "contoso.com"}, ("--method", "rclone"), 3, "Without an app registration"),
        ({"TENANT": "consumers"}, ("--method", "app", "--user", "x"), 3, "needs the tenant"),
    ],
)
def test_an_error_about_what_a_variable_gave_names_it(
    command: Command,
    monkeypatch: pytest.MonkeyPatch,
    variables: dict[str, str],
    options: tuple[str, ...],
    code: int,
    said: str,
) -> None:
    """Formerly, only the option was named, or neither: people looked for it on the command line."""
    for name, value in variables.items():
        monkeypatch.setenv(f"PLUTON_ONEDRIVE_{name}", value)
    refused = command(*CONNECT, *options)
    assert (refused.code, said in refused.err) == (code, True), refused.err
    (why,) = [line for line in refused.err.splitlines() if line.startswith("  Why ")]
    assert all(f"PLUTON_ONEDRIVE_{name}" in why for name in variables)


def test_an_option_takes_the_place_of_a_variable_that_nobody_could_use(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLUTON_ONEDRIVE_REGION", "mars")
    made = command(*CONNECT, "--region", "global")
    assert made.code == 0, made.err
    assert "From the environment" not in made.err


def test_without_a_client_id_a_region_that_a_variable_names_is_not_passed_over(
    command: Command, cloud: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Formerly, it was: the sign-in used the global cloud, through rclone's registration."""
    monkeypatch.delenv("PLUTON_ONEDRIVE_CLIENT_ID")
    monkeypatch.setenv("PLUTON_ONEDRIVE_REGION", "us")
    refused = command(*CONNECT, "--json")
    assert (refused.code, refused.error["error"]) == (3, "registration_error")
    assert "PLUTON_ONEDRIVE_REGION" in refused.error["why"]
    assert refused.error["who"] == "you"
    assert cloud.requests == []


def test_a_variable_that_nobody_could_use_is_named_before_the_page_is_served(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Formerly, the page's third step failed, and did not say where the region came from."""
    monkeypatch.delenv("PLUTON_ONEDRIVE_CLIENT_ID")
    monkeypatch.setenv("PLUTON_ONEDRIVE_REGION", "mars")
    refused = command("web", "--no-browser", "--public-url", "refused", "--json")
    assert (refused.code, refused.error["what"]) == (5, "There is no region 'mars'.")
    assert "PLUTON_ONEDRIVE_REGION" in refused.error["why"]


def test_what_variables_give_to_a_sign_in_is_told_before_it(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLUTON_ONEDRIVE_TENANT", "consumers")
    made = command(*CONNECT)
    assert made.code == 0, made.err
    told = "From the environment: PLUTON_ONEDRIVE_CLIENT_ID, PLUTON_ONEDRIVE_TENANT\n"
    assert told in made.err.partition("Authorize with OneDrive")[0]


def test_a_secret_that_a_variable_gives_is_said_to_be_its(
    connected: Command, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Formerly, it was taken silently where a person expects to be asked."""
    monkeypatch.setenv("PLUTON_ONEDRIVE_LINK_PASSWORD", "geheim")
    changed = connected(*SET, "--secret", "link_password")
    assert (
        changed.code,
        "Link password: taken from PLUTON_ONEDRIVE_LINK_PASSWORD" in changed.err,
    ) == (
        0,
        True,
    )
    assert "link_password = geheim\n" in (home / "rclone.conf").read_text()
    assert "geheim" not in changed.err


@pytest.mark.parametrize(
    ("variables", "options", "said"),
    [
        ({"TENANT": "consumers"}, ("--type", "business"), "no work or school accounts"),
        ({"TENANT": "consumers"}, ("--site", SITE), "no work or school accounts"),
        ({"TENANT": "organizations"}, ("--type", "personal"), "no personal accounts"),
        ({"TENANT": "contoso.onmicrosoft.com"}, ("--type", "personal"), "no personal accounts"),
        ({}, ("--tenant", "contoso.onmicrosoft.com", "--type", "personal"), "no personal accounts"),
    ],
)
def test_a_drive_type_that_the_tenant_does_not_have_is_refused_before_the_sign_in(
    command: Command,
    cloud: Emulator,
    monkeypatch: pytest.MonkeyPatch,
    variables: dict[str, str],
    options: tuple[str, ...],
    said: str,
) -> None:
    """A variable, or a tenant by its name, was found out after the sign-in, by Microsoft."""
    for name, value in variables.items():
        monkeypatch.setenv(f"PLUTON_ONEDRIVE_{name}", value)
    refused = command(*CONNECT, *options)
    assert (refused.code, said in refused.err) == (3, True), refused.err
    assert all(f"PLUTON_ONEDRIVE_{name}" in refused.err for name in variables)
    assert cloud.requests == []


@pytest.mark.parametrize("name", ["REGION=us", "TENANT=contoso.onmicrosoft.com"])
@pytest.mark.parametrize("door", ["import", "connect"])
def test_without_a_client_id_a_paste_of_rclones_own_does_not_pass_over_a_variable(
    command: Command, cloud: Emulator, monkeypatch: pytest.MonkeyPatch, name: str, door: str
) -> None:
    """It was saved as a storage of the global cloud, of any tenant."""
    variable, _, value = f"PLUTON_ONEDRIVE_{name}".partition("=")
    monkeypatch.delenv("PLUTON_ONEDRIVE_CLIENT_ID")
    monkeypatch.setenv(variable, value)
    section = {**remote_of(cloud).to_section(), "client_id": ""}
    paste = as_conf("old", section).decode()
    monkeypatch.setattr("pluton_rclone.cli.ask.paste", lambda *_: paste)
    refused = command(door, "New", "--yes" if door == "import" else "--method=token")
    assert (refused.code, variable in refused.err) == (3, True), refused.err
    assert "Without an app registration" in refused.err
    assert command("storages", "--json").json == []
