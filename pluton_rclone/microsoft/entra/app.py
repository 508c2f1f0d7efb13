"""The app registration in use: who we are to Microsoft."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from pluton_rclone.errors import OptionInvalid

from ..clouds import WORDS_FOR_TENANTS, Cloud, cloud, refuse_personal

_TENANT = re.compile(r"[0-9A-Za-z](?:[0-9A-Za-z-]*[0-9A-Za-z])?(?:\.[0-9A-Za-z-]+)*")
_GUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)


class HidesSecret(Protocol):
    """What pydantic's SecretStr looks like; this package does not need pydantic for it."""

    def get_secret_value(self) -> str: ...


@dataclass(frozen=True)
class Certificate:
    """A client certificate with its private key: a PEM file (the key may be in a file of its own,
    `key_path`) or PFX (PKCS#12). Files are read when they are used."""

    path: Path
    password: str | None = field(default=None, repr=False)
    key_path: Path | None = None


@dataclass(frozen=True)
class AppRegistration:
    """An app registration at Microsoft Entra.

    `tenant` is common (any account), organizations (work and school), consumers (personal), a
    tenant id or a domain; a single-organisation registration needs one of the last two. `region` is
    its national cloud: global, us, de or cn. Only a confidential client has a `client_secret`.
    `certificate` is for app-only sign-in. OptionInvalid, also for a cloud that rclone cannot reach.
    """

    client_id: str
    tenant: str = "common"
    region: str = "global"
    client_secret: str | HidesSecret | None = field(default=None, repr=False)
    certificate: Certificate | None = None

    def __post_init__(self) -> None:
        client_id = self.client_id.strip()
        if not client_id or not client_id.isprintable() or " " in client_id:
            what = "The client id is empty or has spaces."
            advice = "Copy Application (client) ID from the registration's Overview page."
            raise OptionInvalid(what, advice=advice, option="client_id")
        tenant = self.tenant.strip().lower() or "common"
        known = tenant in WORDS_FOR_TENANTS or "." in tenant or _GUID.fullmatch(tenant)
        if not known or not _TENANT.fullmatch(tenant):
            advice = "Give common, organizations, consumers, the tenant's id or a domain of it."
            raise OptionInvalid(f"{self.tenant!r} is not a tenant.", advice=advice, option="tenant")
        found = cloud(self.region)
        refuse_personal(found, tenant)
        read = {"client_id": client_id, "tenant": tenant, "region": found.region}
        self.__dict__.update(read, client_secret=self.secret_text or None)

    @property
    def cloud(self) -> Cloud:
        """The national cloud of its region: its hosts."""
        return cloud(self.region)

    @property
    def authority(self) -> str:
        """The address of this tenant's sign-in: `https://host/tenant`."""
        return self.cloud.authority(self.tenant)

    @property
    def token_url(self) -> str:
        """Where tokens are renewed: for rclone before 1.69, which ignores the option `tenant`."""
        return f"{self.authority}/oauth2/v2.0/token"

    @property
    def confidential(self) -> bool:
        """Whether it has credentials of its own; without any it is a public client."""
        return self.client_secret is not None or self.certificate is not None

    @property
    def secret_text(self) -> str | None:
        """The client secret, readable: for MSAL and for rclone.conf, never for a log."""
        secret = self.client_secret
        return secret if secret is None or isinstance(secret, str) else secret.get_secret_value()

    @classmethod
    def from_environment(
        cls, environment: Mapping[str, str] = os.environ
    ) -> AppRegistration | None:
        """The registration of PLUTON_ONEDRIVE_CLIENT_ID; None if it is not set. The same prefix:
        _TENANT, _REGION, _CLIENT_SECRET, _CERTIFICATE (path), _CERTIFICATE_PASSWORD."""

        def given(name: str) -> str | None:
            return environment.get(f"PLUTON_ONEDRIVE_{name.upper()}") or None

        client_id, path = given("client_id"), given("certificate")
        if client_id is None:
            return None
        options: dict[str, Any] = {
            name: given(name) for name in ("tenant", "region", "client_secret") if given(name)
        }
        if path is not None:
            options["certificate"] = Certificate(Path(path), given("certificate_password"))
        return cls(client_id, **options)
