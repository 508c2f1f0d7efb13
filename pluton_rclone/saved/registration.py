"""The app registration that a remote's token belongs to."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from pluton_rclone.microsoft.clouds import is_of_microsoft
from pluton_rclone.microsoft.entra.app import AppRegistration, Certificate

if TYPE_CHECKING:
    from pluton_rclone.microsoft.entra.token import Token
    from pluton_rclone.microsoft.http import Http


def registration(section: Mapping[str, str]) -> AppRegistration | None:
    """The registration of a remote's section; None for rclone's own."""
    return own_registration(section) if section.get("client_id") else None


def own_registration(section: Mapping[str, str]) -> AppRegistration:
    """The registration of a section that has its own. Does not use the remote's model: importing it
    would take 150 ms. A certificate's password is in the environment."""
    file = section.get("pluton_certificate")
    certificate = Certificate.at(file) if file else None
    tenant, region = section.get("tenant") or _tenant(section), section.get("region") or "global"
    secret = section.get("client_secret") or None
    return AppRegistration(section["client_id"], tenant, region, secret, certificate)


def _tenant(section: Mapping[str, str]) -> str:
    """The tenant in the sign-in addresses, where rclone before 1.69 expects it."""
    address = section.get("token_url") or section.get("auth_url") or ""
    named = re.match(r"https://[^/]+/([^/]+)/oauth2/", address)
    return named[1] if named and is_of_microsoft(address, sharepoint=False) else "common"


def app_token(section: Mapping[str, str], http: Http | None = None) -> Token:
    """A new token for the application itself."""
    from pluton_rclone.microsoft.entra.sign_in import sign_in_as_app

    return sign_in_as_app(own_registration(section), http=http).token
