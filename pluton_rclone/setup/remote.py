"""Converts a setup to its remote, and a saved remote to a setup."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pluton_rclone.errors import OptionInvalid, UsageError
from pluton_rclone.microsoft.entra.account import Account
from pluton_rclone.microsoft.entra.scopes import missing, remote_options
from pluton_rclone.remote.options import BY_NAME
from pluton_rclone.saved.registration import registration
from pluton_rclone.values.conf_text import value_fault
from pluton_rclone.values.drive_ids import any_drive
from pluton_rclone.values.token_text import ANY, SIGN_IN, TOKEN

from .state import DRIVE_TYPES, KINDS, SetupState, of_others

if TYPE_CHECKING:
    from pluton_rclone.remote.onedrive import OneDriveRemote


def make_remote(state: SetupState, options: Mapping[str, Any]) -> OneDriveRemote:
    """The remote of a complete setup; `options` override. OptionInvalid, RemoteIncomplete."""
    from pluton_rclone.remote.onedrive import OneDriveRemote

    assert state.drive is not None
    given = {
        "drive_id": state.drive.id,
        "drive_type": state.drive.type,
        "base_folder": state.folder,
        **authorization(state),
        **state.options,
        **options,
    }
    if given["base_folder"] == state.folder:
        given["base_folder_id"] = state.folder_id
    return OneDriveRemote(**given)


def check_options(state: SetupState) -> None:
    """OptionInvalid if the options are invalid for the drive or, without one, for any drive."""
    from pluton_rclone.remote.onedrive import OneDriveRemote

    if state.drive is not None:
        state.folder = make_remote(state, {}).base_folder
        return
    given = {"token": ANY, "base_folder": state.folder, **state.options}
    # Business drives and libraries accept the same options.
    kinds = [DRIVE_TYPES[state.kind]] if state.kind else ["business", "personal"]
    faults: list[OptionInvalid] = []
    for kind in kinds:
        try:
            OneDriveRemote(**any_drive(kind), **given)
        except OptionInvalid as fault:
            faults.append(fault)
    if len(faults) == len(kinds):
        raise faults[0]


def authorization(state: SetupState) -> dict[str, Any]:
    """The remote options from a sign-in: account, permissions, token, registration."""
    from pydantic import SecretStr

    if state.token is None or state.account is None:
        raise UsageError("Nobody has signed in yet.", advice="Sign in first.")
    name = state.account.username or (state.account.id and state.account.name)
    name, scopes = " ".join(name.split()), state.scopes
    if not scopes and state.access == "read":  # an application or a bare token does not list them
        scopes = state.least_scopes()
    given: dict[str, Any] = {
        "account_id": state.account.id,
        "account_name": "" if value_fault(name) else name,  # for display; the id identifies
        "granted_scopes": scopes,
        "token": None if state.app_only else SecretStr(state.token.to_rclone()),
        "client_credentials": state.app_only,
    }
    if scopes:  # further scopes, perhaps granted for another storage, are not requested again
        least = state.least_scopes()
        given |= remote_options(scopes if missing(scopes, least) else least)
    app = state.app
    if app is None:
        given.update(client_id="", client_secret=None, tenant="", certificate="")
    else:
        given.update(
            region=app.region,
            client_id=app.client_id,
            client_secret=SecretStr(app.client_secret) if app.client_secret else None,
            tenant="" if app.tenant == "common" else app.tenant,
            certificate=str(app.certificate.path) if app.certificate and state.app_only else "",
        )
    return given


def state_of(remote: OneDriveRemote, name: str) -> SetupState:
    """A setup with the same registration, account, drive type and permissions, not signed in."""
    kind = KINDS[remote.drive_type]
    expected = None
    if not remote.client_credentials and (remote.account_id or remote.account_name):
        who = "personal" if remote.drive_type == "personal" else "work"
        expected = Account(remote.account_id, remote.account_name, remote.account_name, "", who)  # type: ignore[arg-type]
    asked, section = (remote.granted_scopes, remote.access_scopes), remote.to_section()
    return SetupState(
        app=registration(section),
        access="read" if remote.reads_only else "write",
        name=name,
        expected=expected,
        meant={key: section[key] for key in ("drive_id", SIGN_IN) if key in section},
        kind=kind,
        shared=kind != "sharepoint" and all(map(of_others, asked)),
    )


def digest(remote: OneDriveRemote) -> str:
    """A digest of a remote's settings, without token, name and test results."""
    left_out = (TOKEN, SIGN_IN, "description", BY_NAME["base_folder_id"].key)
    section = {key: value for key, value in remote.to_section().items() if key not in left_out}
    return hashlib.sha256(json.dumps(section, sort_keys=True).encode()).hexdigest()
