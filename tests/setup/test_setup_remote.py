"""From a setup to its remote and back: what the sign-in decides, and what it leaves unchanged."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from pluton_rclone import Account, AppRegistration, Certificate, OneDriveRemote, Token
from pluton_rclone.errors import UsageError
from pluton_rclone.microsoft.graph.drives import Drive
from pluton_rclone.setup.remote import authorization, digest, make_remote, state_of
from pluton_rclone.setup.state import SetupState
from pluton_rclone.values.drive_ids import any_drive

CLIENT_ID = "11111111-2222-3333-4444-555555555555"
TENANT = "contoso.onmicrosoft.com"
BERT = Account("id-of-bert", "Bert", "bert@contoso.onmicrosoft.com", "tenant", "work")
END = datetime(2100, 1, 1, tzinfo=timezone.utc)
TOKEN = Token("AT", "RT", END)
LIBRARY = Drive("b!library", "documentLibrary", "Documents")


def state(**changes: Any) -> SetupState:
    """The state after Bert's sign-in."""
    given: dict[str, Any] = {"access": "write", "token": TOKEN, "account": BERT, "drive": LIBRARY}
    return SetupState(**{**given, **changes})


def remote(kind: str = "business", **options: Any) -> OneDriveRemote:
    return OneDriveRemote(**any_drive(kind), **{"token": SecretStr(TOKEN.to_rclone()), **options})


# ---- what a sign-in decides ----


@pytest.mark.parametrize("missing", ["token", "account"])
def test_without_a_sign_in_there_is_no_remote(missing: str) -> None:
    with pytest.raises(UsageError, match="Nobody has signed in yet") as caught:
        authorization(state(**{missing: None}))
    assert caught.value.advice == "Sign in first."


def test_a_sign_in_brings_its_registration() -> None:
    app = AppRegistration(CLIENT_ID, TENANT, "us", "a secret")
    given = authorization(state(app=app, scopes=("Files.Read",)))
    assert given.pop("client_secret").get_secret_value() == "a secret"
    assert given.pop("token").get_secret_value() == TOKEN.to_rclone()
    assert given.pop("access_scopes") == "Files.Read offline_access"
    assert given == {
        "account_id": BERT.id,
        "account_name": BERT.username,
        "granted_scopes": ("Files.Read",),
        "client_credentials": False,
        "region": "us",
        "client_id": CLIENT_ID,
        "tenant": TENANT,
        "certificate": "",
        "disable_site_permission": False,  # rclone would ignore access_scopes
    }


def test_by_rclones_own_registration_no_other_one_stays() -> None:
    before = remote(client_id=CLIENT_ID, client_secret=SecretStr("a secret"), tenant=TENANT)
    after = before.replace(**authorization(state(app=None)))
    assert (after.client_id, after.client_secret, after.tenant, after.certificate) == (
        "",
        None,
        "",
        "",
    )


def test_common_is_no_tenant_of_a_remote() -> None:
    """It is the default in rclone's sign-in address."""
    assert authorization(state(app=AppRegistration(CLIENT_ID)))["tenant"] == ""


def test_only_an_application_has_a_certificate_and_no_token(tmp_path: Path) -> None:
    app = AppRegistration(CLIENT_ID, TENANT, certificate=Certificate(tmp_path / "key.pem"))
    assert authorization(state(app=app))["certificate"] == ""
    given = authorization(state(app=app, app_only=True))
    assert (given["certificate"], given["token"]) == (str(tmp_path / "key.pem"), None)
    secret = AppRegistration(CLIENT_ID, TENANT, client_secret="a secret")
    assert authorization(state(app=secret, app_only=True))["certificate"] == ""


@pytest.mark.parametrize(
    ("account", "name"),
    [
        (BERT, BERT.username),
        (Account("id-of-anna", "Anna", "", "tenant", "personal"), "Anna"),
        (Account("", "an unknown person", "", "tenant", "work"), ""),
    ],
)
def test_the_account_has_its_user_name_or_the_name_of_somebody_known(
    account: Account, name: str
) -> None:
    assert authorization(state(account=account))["account_name"] == name


def test_the_id_of_a_base_folder_goes_with_that_folder_alone() -> None:
    chosen = state(folder="laptop", folder_id="01ID")
    assert make_remote(chosen, {}).base_folder_id == "01ID"
    other = make_remote(chosen, {"base_folder": "desktop"})
    assert (other.base_folder, other.base_folder_id) == ("desktop", "")


def test_the_digest_is_of_the_settings_without_token_and_name() -> None:
    one = remote(chunk_size="20Mi", hard_delete=True)
    again = one.replace(token=SecretStr(Token("AT2", "RT2", END).to_rclone()), description="Work")
    assert digest(one) == digest(again) != digest(one.replace(chunk_size="5Mi"))


# ---- from a saved remote ----


@pytest.mark.parametrize(
    ("drive_type", "kind", "account"),
    [
        ("personal", "personal", "personal"),
        ("business", "business", "work"),
        ("documentLibrary", "sharepoint", "work"),
    ],
)
def test_the_same_kind_of_account_is_expected_again(
    drive_type: str, kind: str, account: str
) -> None:
    saved = remote(drive_type, account_id=BERT.id, account_name=BERT.username)
    made = state_of(saved, "Work")
    assert (made.name, made.kind, made.token) == ("Work", kind, None)
    assert made.expected == Account(BERT.id, BERT.username, BERT.username, "", account)  # type: ignore[arg-type]


def test_who_is_not_known_is_not_expected() -> None:
    assert state_of(remote(), "Work").expected is None
    by_name = state_of(remote(account_name=BERT.username), "Work").expected
    assert by_name is not None
    assert by_name.username == BERT.username
    daemon = remote(
        client_credentials=True,
        client_id=CLIENT_ID,
        client_secret=SecretStr("a secret"),
        tenant=TENANT,
        account_id=BERT.id,
    )
    assert state_of(daemon, "Work").expected is None


@pytest.mark.parametrize(
    ("kind", "granted", "access", "shared"),
    [
        ("business", (), "write", False),
        ("business", ("Files.Read",), "read", False),
        ("business", ("Files.ReadWrite",), "write", False),
        ("business", ("Files.ReadWrite", "Sites.Read.All"), "write", False),
        ("business", ("Files.ReadWrite.All",), "write", True),
        ("documentLibrary", ("Files.ReadWrite.All", "Sites.Read.All"), "write", False),
    ],
)
def test_it_asks_again_for_what_was_granted(
    kind: str, granted: tuple[str, ...], access: str, shared: bool
) -> None:
    """`shared`: a folder of another account, for which Files.*.All is asked for."""
    made = state_of(remote(kind, granted_scopes=granted), "Work")
    assert (made.access, made.shared) == (access, shared)
