"""The app registration that a remote's token belongs to."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from pluton_rclone.microsoft.entra.app import AppRegistration, Certificate


def registration(section: Mapping[str, str]) -> AppRegistration | None:
    """From a remote's section, without its model, whose library a renewal would import for 150 ms.
    None for rclone's own. A certificate's password comes from the environment."""
    if not section.get("client_id"):
        return None
    certificate = None
    if file := section.get("pluton_certificate"):
        password = os.environ.get("PLUTON_ONEDRIVE_CERTIFICATE_PASSWORD") or None
        certificate = Certificate(Path(file), password)
    tenant, region = section.get("tenant") or "common", section.get("region") or "global"
    secret = section.get("client_secret") or None
    return AppRegistration(section["client_id"], tenant, region, secret, certificate)


def own_registration(section: Mapping[str, str]) -> AppRegistration:
    """As `registration`, for one that is known to have its own."""
    app = registration(section)
    assert app is not None
    return app
