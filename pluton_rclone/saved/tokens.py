"""The token of a saved storage: read for Graph, renewed, and kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pluton_rclone.errors import InteractionRequired, TokenExpired
from pluton_rclone.setup.remote import registration
from pluton_rclone.values.token_text import SIGN_IN, TOKEN

if TYPE_CHECKING:
    from pluton_rclone.microsoft.entra.token import Token
    from pluton_rclone.microsoft.http import Http
    from pluton_rclone.remote.onedrive import OneDriveRemote
    from pluton_rclone.storages.storage import Storage


def stored_token(remote: OneDriveRemote) -> Token:
    """The remote's token as it is. TokenExpired when it has none."""
    from pluton_rclone.microsoft.entra.token import Token

    if remote.token is None:
        raise TokenExpired("This storage has no token.", why="nobody has signed in")
    return Token.from_rclone(remote.token.get_secret_value(), scopes=remote.granted_scopes)


def graph_token(storage: Storage, http: Http | None = None) -> Token:
    """A token that Graph takes now: app-only ones are fetched, one that has ended is renewed."""
    from pluton_rclone.microsoft.entra.app_only import sign_in_as_app

    remote = storage.remote
    if remote.client_credentials:
        app = registration(remote)
        assert app is not None  # the model refuses app-only without a registration
        return sign_in_as_app(app, http=http).token
    if stored_token(remote).expired():
        renew(storage, http)
    return stored_token(storage.remote)


def renew(storage: Storage, http: Http | None = None) -> str:
    """Renews the token and keeps it; says how. By ourselves where the registration is ours; with rclone's own
    registration only rclone can do it, and does so when the token has ended.
    """
    from pluton_rclone.microsoft.entra.sign_in import refresh

    remote = storage.remote
    if remote.client_credentials:
        graph_token(storage, http)
        return "fetched anew for each run"
    token = stored_token(remote)
    app = registration(remote)
    if app is None or remote.token_url:
        if not token.expired():
            return "rclone renews it after that"
        storage.about()
        return "renewed by rclone just now"
    try:
        renewed = refresh(app, token, remote.granted_scopes, http=http)
    except (TokenExpired, InteractionRequired) as problem:
        problem.advice = (
            "Re-authorize the storage: drive and options stay as they are "
            f"(pluton-rclone reauthorize {storage.name!r})."
        )
        raise
    kept = {TOKEN: renewed.to_rclone(), SIGN_IN: remote.sign_in or None}
    storage.storages.conf.update(storage.remote_name, kept)
    return "renewed just now"
