"""Impossible settings are reported before the sign-in; a name belongs to one storage; a
registration's secrets are renewed and cleared."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest

from pluton_rclone import AppRegistration, Storages, StorageSetup
from pluton_rclone.emulator import (
    PUBLIC_CLIENT_ID,
    WEB_CLIENT_ID,
    WEB_CLIENT_SECRET,
    WEB_REDIRECT_URI,
    Emulator,
)
from pluton_rclone.errors import ConfigError, RegistrationError, StorageExists
from tests.cli.conftest import Command
from tests.connected import ANNA, connected

SITE = "https://contoso.sharepoint.com/sites/Backups"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--set", "chunk_size=19Mi"), "chunk_size"),
        (("--type", "personal", "--set", "no_versions=true"), "no_versions"),
        (("--site", "https://contoso.sharepoint.cn/sites/x"), "belongs to"),
        (("--region", "us", "--site", SITE), "belongs to"),
        (("--tenant", "no tenant"), "is not a tenant"),
        (("--type", "sharepoint"), "Give --site URL"),
        (("--config", "/proc/none/rclone.conf"), "/proc/none/rclone.conf"),
    ],
)
def test_what_cannot_be_is_said_before_the_sign_in(
    command: Command, cloud: Emulator, arguments: tuple[str, ...], said: str
) -> None:
    ran = command("connect", "Work", *arguments)
    assert ran.code not in (0, 1), ran.err
    assert said in ran.err
    assert "Authorize with OneDrive" not in ran.err
    assert cloud.requests == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--region", "us"), "US Government"),
        (("--tenant", "contoso.onmicrosoft.com"), "contoso.onmicrosoft.com"),
        (("--client-secret-file", "/dev/null"), "belongs to an app registration"),
        (("--certificate", "/dev/null"), "belongs to an app registration"),
    ],
)
def test_with_rclones_own_registration_nothing_is_dropped_in_silence(
    command: Command, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], said: str
) -> None:
    monkeypatch.delenv("PLUTON_ONEDRIVE_CLIENT_ID")
    ran = command("connect", "Work", *arguments)
    assert ran.code in (2, 3), ran.err
    assert said in ran.err
    assert "Authorize with OneDrive" not in ran.err


def test_the_library_refuses_rclones_registration_for_a_tenant_or_another_cloud(home: Path) -> None:
    for app in (
        AppRegistration("id", region="us"),
        AppRegistration("id", tenant="contoso.onmicrosoft.com"),
    ):
        with pytest.raises(RegistrationError, match="Without an app registration"):
            StorageSetup(app).sign_in_with_rclone(show_address=lambda url: pytest.fail(url))


def test_re_authorizing_says_before_the_sign_in_that_it_could_not_be_saved(
    cloud: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage = connected(cloud)

    def refuse(name: str) -> None:
        raise ConfigError("not writable")

    monkeypatch.setattr(storage.storages.conf, "check_writable", refuse)
    with pytest.raises(ConfigError, match="not writable"):
        StorageSetup.for_storage(storage)


def test_no_door_gives_a_storage_the_name_of_another_one(
    connected: Command, cloud: Emulator
) -> None:
    """Formerly, `set description=` did."""
    from tests.connected import connected as save

    other = save(cloud, "business", name="Other")
    refused = connected("set", "Other", "description=Work files", "--json")
    assert refused.error["error"] == "storage_exists"
    with pytest.raises(StorageExists):
        other.update(description=" Work files ")
    assert connected("set", "Other", "description=Bürö").code == 0
    assert list(Storages()) == ["Work files", "Bürö"]


# ---- secrets of the registration -----------------------------------------------------------------


def by_web_client(cloud: Emulator, secret: str = WEB_CLIENT_SECRET) -> None:
    setup = StorageSetup(AppRegistration(WEB_CLIENT_ID, client_secret=WEB_CLIENT_SECRET))
    flow = setup.begin_sign_in(WEB_REDIRECT_URI)
    setup.finish_sign_in(flow, cloud.person(ANNA).visit(flow.url).answer)
    setup.choose_own_drive()
    storage = Storages().add_tested("web", setup.remote())
    storage.storages.conf.update("web", {"client_secret": secret})


def test_a_client_secret_is_renewed_from_a_file_a_variable_or_stdin_and_never_from_an_argument(
    command: Command, cloud: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_web_client(cloud, secret="ended~long~ago")
    assert command("health").code == 4
    (tmp_path / "secret").write_text(f"{WEB_CLIENT_SECRET}\n")

    refused = command("set", "web", f"client_secret={WEB_CLIENT_SECRET}")
    assert (refused.code, "--secret client_secret" in refused.err) == (2, True)
    assert command("set", "web").code == 2
    assert command("set", "web", "--secret", "token").code == 2
    monkeypatch.setattr("sys.stdin", io.StringIO("a wrong one\n"))
    assert command("set", "web", "--secret", "client_secret").code == 4
    changed = command(
        "set",
        "web",
        "--secret",
        "client_secret",
        "--secret-file",
        str(tmp_path / "secret"),
        "hard_delete=true",
    )
    assert changed.code == 0, changed.err
    assert WEB_CLIENT_SECRET not in changed.out + changed.err
    assert command("health").code == 0
    Storages().conf.update("web", {"client_secret": "ended again"})
    monkeypatch.setenv("PLUTON_ONEDRIVE_CLIENT_SECRET", WEB_CLIENT_SECRET)
    assert command("set", "web", "--secret", "client_secret").code == 0  # and tested


def test_a_public_client_with_a_stray_secret_is_told_and_the_secret_is_cleared(
    connected: Command, cloud: Emulator
) -> None:
    Storages().conf.update("work-files", {"client_secret": "stray"})
    told = connected("health")
    assert told.code == 4
    assert "secret" in told.err
    cleared = connected("set", "Work files", "client_secret=")
    assert cleared.code == 0, cleared.err
    assert Storages()["Work files"].remote.client_secret is None
    assert connected("health").code == 0


def test_reauthorizing_takes_a_new_credential(
    command: Command, cloud: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_web_client(cloud, secret="ended~long~ago")
    seen: list[Any] = []

    def sign_in(setup: StorageSetup, *_: object, **__: object) -> None:
        seen.append(setup.app)
        flow = setup.begin_sign_in(WEB_REDIRECT_URI)
        setup.finish_sign_in(flow, cloud.person(ANNA).visit(flow.url).answer)

    monkeypatch.setattr(
        "pluton_rclone.cli.care.sign_in", sign_in
    )  # this client cannot redirect to localhost
    (tmp_path / "secret").write_text(WEB_CLIENT_SECRET)
    ran = command("reauthorize", "web", "--client-secret-file", str(tmp_path / "secret"))
    assert ran.code == 0, ran.err
    assert seen[0].client_secret == WEB_CLIENT_SECRET
    assert command("health").code == 0
    setup = StorageSetup.for_storage(Storages()["web"], credential=None)
    assert setup.app.client_id != PUBLIC_CLIENT_ID
