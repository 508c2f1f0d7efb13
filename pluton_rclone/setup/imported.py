"""Imports a token made elsewhere: reads it, renews it if expired, and looks up its account."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from pluton_rclone import errors
from pluton_rclone.microsoft.clouds import Cloud, cloud
from pluton_rclone.microsoft.entra.account import Account
from pluton_rclone.microsoft.entra.app import AppRegistration
from pluton_rclone.microsoft.entra.paste import read_paste
from pluton_rclone.microsoft.entra.scopes import short_names
from pluton_rclone.microsoft.entra.sign_in import SignIn, refresh, sign_in_as_app
from pluton_rclone.microsoft.entra.token import ALREADY_EXPIRED, Token
from pluton_rclone.microsoft.graph.graph import Graph
from pluton_rclone.microsoft.http import Http
from pluton_rclone.remote.options import BY_NAME, TRUE
from pluton_rclone.saved.registration import registration
from pluton_rclone.values.drive_ids import any_drive


@dataclass(frozen=True)
class Imported:
    """A pasted sign-in. `app` is its registration, None for rclone's own; `options` are the other
    options of a pasted remote (drive_id, drive_type, …), which may include a secret."""

    sign_in: SignIn
    app: AppRegistration | None
    options: Mapping[str, str] = field(repr=False)


def import_token(text: str, *, app: AppRegistration | None = None) -> Imported:
    """Import pasted text in any form that `read_paste` accepts. A pasted remote names its own
    registration; other tokens belong to `app`, or to rclone's own registration if that is None. An
    expired token, or one that Graph refuses, is renewed, by rclone if it is of rclone's own
    registration; Graph returns the account. An application signs in again. The permissions of a
    pasted remote are taken as they are. Raises `TokenInvalid`, `TokenExpired`, other
    `SignInError`s, `GraphError`, `RcloneNotFound`."""
    pasted = read_paste(text)
    options = pasted.options
    try:
        named = registration({**options, "pluton_certificate": ""})
    except errors.OptionInvalid as problem:
        raise errors.TokenInvalid("The pasted remote cannot be used.", why=problem.what) from None
    app = named or (None if "type" in options else app)  # a whole remote without one: rclone's own
    if app is not None and options.get("client_credentials") in TRUE:
        return Imported(sign_in_as_app(app), app, options)
    home = cloud(options.get("region") or (app.region if app else "global"))
    token = pasted.token
    if options.get("tenant_url"):  # SharePoint's token, which Graph would refuse
        own_id, name = (options.get(BY_NAME[f"account_{each}"].key, "") for each in ("id", "name"))
        account = Account(own_id, name or "unknown", name, "", "work")
        return Imported(SignIn(token, account, ()), app, options)
    with Http() as http:
        bare = app is not None and "type" not in options
        if token.expired():
            token, bare = renewed(app, token, home, http), False
        try:
            account = Graph(home, token, http=http).me()
        except errors.TokenExpired as refusal:  # expired by Microsoft's clock; ours may be wrong
            try:
                token, bare = renewed(app, token, home, http), False
            except errors.SignInError:  # of another cloud, for example
                raise refusal from None
            account = Graph(home, token, http=http).me()
        if bare:  # unknown registration: only the token's own can renew it
            token = renewed(app, token, home, http)
    granted = options.get(BY_NAME["granted_scopes"].key) or options.get("access_scopes", "")
    scopes = short_names(granted.split()) or token.scopes
    return Imported(SignIn(token, account, scopes), app, options)


def renewed(
    app: AppRegistration | None, token: Token, home: Cloud, http: Http | None = None
) -> Token:
    """A new token in place of an unsaved one of the cloud `home`, renewed by its registration, or
    by rclone if that is rclone's own. SignInError with the advice to sign in again."""
    if app is None:
        return _renewed_by_rclone(token, home)
    try:
        return refresh(app, token, http=http)
    except errors.TokenExpired as problem:  # there is no storage to re-authorize yet
        problem.advice = f"Sign in again with the app registration {app.client_id}."
        problem.next_step = None
        raise


def _renewed_by_rclone(token: Token, home: Cloud) -> Token:
    """The token after rclone has used it. TokenExpired; RcloneNotFound."""
    from pydantic import SecretStr

    from pluton_rclone.connection.trial import trial_of
    from pluton_rclone.rclone.binary import find_binary
    from pluton_rclone.remote.onedrive import OneDriveRemote

    token = replace(token, expiry=ALREADY_EXPIRED)  # otherwise rclone would not renew it
    drive, text = any_drive("business"), SecretStr(token.to_rclone())
    remote = OneDriveRemote(**drive, region=home.region, token=text)
    with trial_of(remote, find_binary()) as trial:
        try:
            trial.graph_token()
        except errors.Unreachable:
            raise
        except errors.PlutonRcloneError:  # it renews before it notices that the drive is missing
            token = trial.token()
    if token.expired():
        what = "This token has expired, and rclone cannot renew it."
        why = "it is of a registration other than rclone's own, or too old"
        advice = "Run `rclone authorize onedrive` and paste its output."
        raise errors.TokenExpired(what, why=why, advice=advice)
    return token
