"""App-only at the command line: the secret, the certificate's password, the drive's owner."""

from __future__ import annotations

from pathlib import Path

import pytest

from pluton_rclone import Storages, StorageSetup
from pluton_rclone.emulator import DAEMON_CLIENT_ID, DAEMON_CLIENT_SECRET, Emulator
from pluton_rclone.errors import Cancelled
from tests.cli.conftest import Command
from tests.connected import remote_of
from tests.microsoft.certificate import DER_CERTIFICATE, pfx

BERT = "bert@contoso.onmicrosoft.com"
WHOSE = ("--method", "app", "--tenant", "contoso.onmicrosoft.com", "--user", BERT)


def connected_by_certificate(
    command: Command, cloud: Emulator, content: bytes, folder: Path
) -> Path:
    """Connect the storage "Daemon" with a certificate; return the certificate's file."""
    cloud.world.registrations[DAEMON_CLIENT_ID].certificates.append(DER_CERTIFICATE)
    file = folder / "app.pfx"
    file.write_bytes(content)
    options = ("--client-id", DAEMON_CLIENT_ID, *WHOSE, "--certificate", str(file))
    assert command("connect", "Daemon", *options).code == 0
    return file


def test_the_secret_comes_from_the_environment_also_beside_an_option_for_the_client_id(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PLUTON_ONEDRIVE_CLIENT_ID")
    monkeypatch.setenv("PLUTON_ONEDRIVE_CLIENT_SECRET", DAEMON_CLIENT_SECRET)

    ran = command("connect", "Daemon", "--client-id", DAEMON_CLIENT_ID, *WHOSE)

    assert ran.code == 0, ran.err
    assert command("ls", "Daemon:").code == 0


@pytest.mark.parametrize("way", ["app", "token"])
def test_for_reading_only_holds_where_microsoft_does_not_say_what_was_granted(
    command: Command, cloud: Emulator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, way: str
) -> None:
    whose: tuple[str, ...] = ("--client-id", DAEMON_CLIENT_ID, *WHOSE)
    if way == "app":
        monkeypatch.delenv("PLUTON_ONEDRIVE_CLIENT_ID")
        monkeypatch.setenv("PLUTON_ONEDRIVE_CLIENT_SECRET", DAEMON_CLIENT_SECRET)
    else:
        whose, bare = ("--method", "token"), remote_of(cloud, "business").token
        assert bare is not None
        monkeypatch.setattr("pluton_rclone.cli.ask.paste", lambda *_: bare.get_secret_value())
    (tmp_path / "a.txt").write_text("a")
    made = command("connect", "Archive", *whose, "--read-only")
    copied = command("copy", str(tmp_path / "a.txt"), "Archive:")
    again = command("reauthorize", "Archive", "--method", way)

    assert (made.code, copied.code, again.code) == (0, 4, 0), made.err + copied.err + again.err
    assert "connected for reading only" in copied.err
    assert "skipped  Writing" in made.err
    assert "skipped  Writing" in again.err
    assert command("ls", "Archive:").code == 0


@pytest.mark.parametrize("by", ["secret", "certificate"])
def test_a_credential_of_the_command_line_takes_the_place_of_the_environments(
    command: Command, cloud: Emulator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, by: str
) -> None:
    certificates = cloud.world.registrations[DAEMON_CLIENT_ID].certificates
    monkeypatch.setenv("PLUTON_ONEDRIVE_CLIENT_ID", DAEMON_CLIENT_ID)
    (tmp_path / "app.pfx").write_bytes(pfx())
    (tmp_path / "secret").write_text(DAEMON_CLIENT_SECRET)
    if by == "secret":
        monkeypatch.setenv("PLUTON_ONEDRIVE_CERTIFICATE", str(tmp_path / "app.pfx"))
        option = ("--client-secret-file", str(tmp_path / "secret"))
    else:
        certificates.append(DER_CERTIFICATE)
        monkeypatch.setenv("PLUTON_ONEDRIVE_CLIENT_SECRET", "of~another~day")
        option = ("--certificate", str(tmp_path / "app.pfx"))

    made = command("connect", "Daemon", *WHOSE, *option)

    assert made.code == 0, made.err
    saved = Storages()["Daemon"].remote
    assert (bool(saved.client_secret), bool(saved.certificate)) == (by == "secret", by != "secret")


def test_whose_drive_it_is_means_the_application(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def opened(*_: object, **given: object) -> None:
        raise Cancelled("A browser was opened.")

    monkeypatch.setattr(StorageSetup, "sign_in_with_browser", opened)
    monkeypatch.setenv("PLUTON_ONEDRIVE_CLIENT_ID", DAEMON_CLIENT_ID)
    monkeypatch.setenv("PLUTON_ONEDRIVE_CLIENT_SECRET", DAEMON_CLIENT_SECRET)
    made = command("connect", "Daemon", *WHOSE[2:])
    assert made.code == 0, made.err


def test_the_secret_of_another_registration_is_not_used(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLUTON_ONEDRIVE_CLIENT_SECRET", DAEMON_CLIENT_SECRET)

    ran = command("connect", "Daemon", "--client-id", DAEMON_CLIENT_ID, *WHOSE)

    assert ran.code != 0
    assert "Traceback" not in ran.err


def test_without_a_person_it_is_asked_before_the_sign_in_whose_drive_it_is(
    command: Command, cloud: Emulator
) -> None:
    ran = command("connect", "Daemon", "--method", "app", "--tenant", "contoso.onmicrosoft.com")

    assert ran.code == 2
    assert "--user NAME" in ran.err
    assert list(cloud.requests) == []


def test_a_certificate_with_a_password_serves_from_the_sign_in_to_the_copy(
    command: Command, cloud: Emulator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    cloud.world.registrations[DAEMON_CLIENT_ID].certificates.append(DER_CERTIFICATE)
    file = tmp_path / "app.pfx"
    file.write_bytes(pfx("open sesame"))
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "a.txt").write_text("a")
    monkeypatch.setenv("PLUTON_ONEDRIVE_CERTIFICATE_PASSWORD", "open sesame")

    made = command(
        "connect", "Daemon", "--client-id", DAEMON_CLIENT_ID, *WHOSE, "--certificate", str(file)
    )
    copied = command("copy", str(tmp_path / "source"), "Daemon:backup")
    again = command("reauthorize", "Daemon", "--method", "app", "--certificate", str(file))

    assert (made.code, copied.code, again.code) == (0, 0, 0), made.err + copied.err + again.err


@pytest.mark.parametrize("by", ["secret", "certificate"])
def test_without_a_person_the_suggested_command_signs_the_application_in_again(
    command: Command,
    cloud: Emulator,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    by: str,
) -> None:
    """A person who signed in at a browser instead would give it their own token."""
    if by == "certificate":
        connected_by_certificate(command, cloud, pfx(), tmp_path)
    else:
        monkeypatch.setenv("PLUTON_ONEDRIVE_CLIENT_SECRET", DAEMON_CLIENT_SECRET)
        options = ("--client-id", DAEMON_CLIENT_ID, *WHOSE)
        monkeypatch.delenv("PLUTON_ONEDRIVE_CLIENT_ID")
        assert command("connect", "Daemon", *options).code == 0

    def opened(*_: object, **given: object) -> None:
        raise Cancelled("A browser was opened.")

    monkeypatch.setattr(StorageSetup, "sign_in_with_browser", opened)
    again = command("reauthorize", "Daemon")
    assert again.code == 0, again.err


@pytest.mark.parametrize("named", ["app.pfx", "~/app.pfx"])
def test_a_certificates_file_is_found_from_another_folder_as_well(
    command: Command, cloud: Emulator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, named: str
) -> None:
    cloud.world.registrations[DAEMON_CLIENT_ID].certificates.append(DER_CERTIFICATE)
    (tmp_path / "app.pfx").write_bytes(pfx())
    monkeypatch.setenv("HOME", str(tmp_path))  # a service's file of variables keeps the ~
    monkeypatch.setenv("PLUTON_ONEDRIVE_CERTIFICATE", named)
    monkeypatch.setenv("PLUTON_ONEDRIVE_CLIENT_ID", DAEMON_CLIENT_ID)
    monkeypatch.chdir(tmp_path)
    made = command("connect", "Daemon", *WHOSE)
    monkeypatch.chdir("/")  # as under cron and systemd

    listed = command("ls", "Daemon:")

    assert (made.code, listed.code) == (0, 0), made.err + listed.err


def test_a_certificates_file_that_is_gone_is_for_the_person_to_bring_back(
    command: Command, cloud: Emulator, tmp_path: Path
) -> None:
    file = connected_by_certificate(command, cloud, pfx(), tmp_path)
    file.unlink()

    ran = command("ls", "Daemon:")

    assert ran.code == 3
    assert f"{file} cannot be read. (No such file or directory)" in ran.err
    assert "you can fix it" in ran.err


def test_a_password_that_is_missing_at_the_time_of_the_copy_is_the_reason_that_is_shown(
    command: Command, cloud: Emulator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PLUTON_ONEDRIVE_CERTIFICATE_PASSWORD", "open sesame")
    connected_by_certificate(command, cloud, pfx("open sesame"), tmp_path)
    monkeypatch.delenv("PLUTON_ONEDRIVE_CERTIFICATE_PASSWORD")
    cloud.world.advance(7200)

    ran = command("ls", "Daemon:")

    assert ran.code == 3
    assert "password is wrong or missing" in ran.err


def test_a_certificate_that_microsoft_no_longer_knows_is_the_reason_that_is_shown(
    command: Command, cloud: Emulator, tmp_path: Path
) -> None:
    connected_by_certificate(command, cloud, pfx(), tmp_path)
    cloud.world.registrations[DAEMON_CLIENT_ID].certificates.clear()

    ran = command("ls", "Daemon:")

    assert ran.code == 3
    assert "certificate" in ran.err
    assert "AADSTS7000" in ran.err


def test_an_application_is_imported_without_a_token(
    command: Command, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It needs none, and guides show its section without one: "no OneDrive remote with a token"."""
    monkeypatch.delenv("PLUTON_ONEDRIVE_CLIENT_ID")
    monkeypatch.setenv("PLUTON_ONEDRIVE_CLIENT_SECRET", DAEMON_CLIENT_SECRET)
    assert command("connect", "Daemon", "--client-id", DAEMON_CLIENT_ID, *WHOSE).code == 0
    lines = (home / "rclone.conf").read_text().split("\n")
    (home / "old.conf").write_text("\n".join(one for one in lines if "token = " not in one))

    done = command("import", "Moved", str(home / "old.conf"), "--yes")

    assert done.code == 0, done.err
    assert command("ls", "Moved:").code == 0


def test_an_import_says_that_the_certificate_is_not_in_the_text(
    command: Command, cloud: Emulator, home: Path, tmp_path: Path
) -> None:
    connected_by_certificate(command, cloud, pfx(), tmp_path)
    (home / "old.conf").write_text(command("export", "Daemon").out)

    refused = command("import", "Moved", str(home / "old.conf"), "--yes")

    assert (refused.code, "certificate" in refused.err) == (3, True), refused.err
    assert "connect it anew" in refused.err
