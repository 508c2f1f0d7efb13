"""The app registration that a remote's token belongs to."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from pluton_rclone.microsoft.entra.app import AppRegistration, Certificate

if TYPE_CHECKING:
    from pluton_rclone.remote.onedrive import OneDriveRemote


def registration(remote: OneDriveRemote) -> AppRegistration | None:
    """None for rclone's own. A certificate's password comes from the environment."""
    if not remote.client_id:
        return None
    certificate = None
    if remote.certificate:
        password = os.environ.get("PLUTON_ONEDRIVE_CERTIFICATE_PASSWORD") or None
        certificate = Certificate(Path(remote.certificate), password)
    tenant, given = remote.tenant or "common", remote.client_secret
    secret = given.get_secret_value() if given else None
    return AppRegistration(remote.client_id, tenant, remote.region, secret, certificate)


def own_registration(remote: OneDriveRemote) -> AppRegistration:
    """As `registration`, for a remote without a person: the model refuses one without it."""
    app = registration(remote)
    assert app is not None
    return app
