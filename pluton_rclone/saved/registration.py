"""The app registration that a remote's token belongs to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pluton_rclone.microsoft.entra.app import AppRegistration, Certificate

if TYPE_CHECKING:
    from pluton_rclone.microsoft.entra.token import Token
    from pluton_rclone.microsoft.http import Http
    from pluton_rclone.remote.onedrive import OneDriveRemote


def registration(remote: OneDriveRemote) -> AppRegistration | None:
    """None for rclone's own. A certificate's password comes from the environment."""
    if not remote.client_id:
        return None
    certificate = Certificate.at(remote.certificate) if remote.certificate else None
    tenant, given = remote.tenant or "common", remote.client_secret
    secret = given.get_secret_value() if given else None
    return AppRegistration(remote.client_id, tenant, remote.region, secret, certificate)


def own_registration(remote: OneDriveRemote) -> AppRegistration:
    """As `registration`, for a remote without a person: the model refuses one without it."""
    app = registration(remote)
    assert app is not None
    return app


def app_token(remote: OneDriveRemote, http: Http | None = None) -> Token:
    """A new token of the application itself."""
    from pluton_rclone.microsoft.entra.sign_in import sign_in_as_app

    return sign_in_as_app(own_registration(remote), http=http).token
