"""The app registration, which identifies us to Microsoft, and the certificate that proves it."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from pluton_rclone.errors import OptionInvalid, RegistrationError, Who

from ..clouds import CONSUMERS, WORDS_FOR_TENANTS, Cloud, cloud, refuse_type

ID, TENANT, REGION, SECRET, CERTIFICATE = (
    f"PLUTON_ONEDRIVE_{name}"
    for name in ("CLIENT_ID", "TENANT", "REGION", "CLIENT_SECRET", "CERTIFICATE")
)
PASSWORD = f"{CERTIFICATE}_PASSWORD"
_TENANT = re.compile(r"[0-9A-Za-z](?:[0-9A-Za-z-]*[0-9A-Za-z])?(?:\.[0-9A-Za-z-]+)*")
_GUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)


@dataclass(frozen=True)
class Certificate:
    """A client certificate with its private key: a PEM or PFX file, read when it is used. The path
    is made absolute and `~` expanded, since it is saved and then read from elsewhere."""

    path: Path
    password: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        path = Path(os.path.expanduser(self.path))
        with suppress(OSError):  # the current directory may have been removed
            path = path.absolute()
        object.__setattr__(self, "path", path)  # the dataclass is frozen

    @classmethod
    def at(cls, path: str | Path) -> Certificate:
        """The certificate at `path`, with PLUTON_ONEDRIVE_CERTIFICATE_PASSWORD if it is set."""
        return cls(Path(path), os.environ.get("PLUTON_ONEDRIVE_CERTIFICATE_PASSWORD") or None)


@dataclass(frozen=True)
class AppRegistration:
    """An app registration in Microsoft Entra.

    `tenant` is common (any account), organizations (work and school), consumers (personal), a
    tenant id or a domain; a single-tenant registration needs one of the last two. `region` is its
    national cloud: global, us, de or cn. Only a confidential client has a `client_secret`.
    `certificate` is for app-only sign-in. Raises `OptionInvalid`, also for a cloud that rclone
    cannot reach."""

    client_id: str
    tenant: str = "common"
    region: str = "global"
    client_secret: str | None = field(default=None, repr=False)
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
            advice = "Give common, organizations, consumers, the tenant's id or one of its domains."
            raise OptionInvalid(f"{self.tenant!r} is not a tenant.", advice=advice, option="tenant")
        found = cloud(self.region)
        refuse_type(found, tenant, personal=tenant in CONSUMERS)
        read = {"client_id": client_id, "tenant": tenant, "region": found.region}
        secret = (self.client_secret or "").strip()  # often read from a file, with its newline
        self.__dict__.update(read, client_secret=secret or None)

    @property
    def cloud(self) -> Cloud:
        """The national cloud of `region`."""
        return cloud(self.region)

    @property
    def authority(self) -> str:
        """The tenant's sign-in address: `https://host/tenant`."""
        return f"https://{self.cloud.login_host}/{self.tenant}"

    @property
    def confidential(self) -> bool:
        """Whether the app has credentials of its own; without any it is a public client."""
        return self.client_secret is not None or self.certificate is not None

    @classmethod
    def from_environment(
        cls, environment: Mapping[str, str] = os.environ
    ) -> AppRegistration | None:
        """The registration in PLUTON_ONEDRIVE_CLIENT_ID; None if it is not set. With the same
        prefix: _TENANT, _REGION, _CLIENT_SECRET, _CERTIFICATE (path), _CERTIFICATE_PASSWORD.
        Raises `OptionInvalid` for an unknown region."""
        client_id, path, certificate = environment.get(ID), environment.get(CERTIFICATE), None
        if not client_id:
            cloud(environment.get(REGION) or "global")  # refused now, not in a later step
            return None
        if path:
            certificate = Certificate(Path(path), environment.get(PASSWORD) or None)
        tenant, region = environment.get(TENANT) or "common", environment.get(REGION) or "global"
        return cls(client_id, tenant, region, environment.get(SECRET) or None, certificate)


def msal_credential(app: AppRegistration) -> str | dict[str, str] | None:
    """MSAL's client_credential: the client secret, or the key and certificate as PEM text. Secret.
    Raises `RegistrationError` if the certificate file cannot be used."""
    source = app.certificate
    if source is None:
        return app.client_secret
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key, certificates = _read(source)
    if not isinstance(key, rsa.RSAPrivateKey):
        raise _unusable(source, "its key is not an RSA key, the only kind that Microsoft accepts")
    own = [one for one in certificates if _is_of(key, one)]
    if not own:
        raise _unusable(source, "the private key does not belong to the certificate")
    certificate = max(own, key=lambda one: one.not_valid_after_utc)
    end = certificate.not_valid_after_utc
    if end <= datetime.now(timezone.utc):
        what = f"The certificate {source.path} expired on {end:%Y-%m-%d}."
        advice = "Make a new one, upload its public part to the registration, and set it here."
        raise RegistrationError(what, advice=advice, expires=end.isoformat())
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain).decode()
    public = certificate.public_bytes(pem).decode()
    return {"private_key": private, "public_certificate": public}


def _read(source: Certificate) -> tuple[Any, list[Any]]:
    """The key and all certificates: a file may also hold the issuers' and older certificates."""
    from cryptography import x509
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_pem_private_key, pkcs12

    try:
        content = source.path.read_bytes()
    except OSError as problem:
        what = f"The certificate file {source.path} cannot be read."
        advice = "Check path and permissions."
        raise RegistrationError(what, why=problem.strerror, who=Who.YOU, advice=advice) from None
    # One that is not UTF-8 becomes a wrong password: Python's own error would contain it.
    password = source.password.encode(errors="replace") if source.password else None
    key: Any = None
    certificates: list[Any] = []
    encrypted = b"ENCRYPTED" in content
    try:
        if b"-----BEGIN " not in content:
            key, own, others = pkcs12.load_key_and_certificates(content, password)
            certificates = [one for one in (own, *others) if one is not None]
        if b"PRIVATE KEY-----" in content:
            key = load_pem_private_key(content, password if encrypted else None)
        if b"-----BEGIN CERTIFICATE-----" in content:
            certificates = x509.load_pem_x509_certificates(content)
    except UnsupportedAlgorithm:
        why = "its key, or its encryption, is of an unknown kind; Microsoft accepts only RSA keys"
        raise _unusable(source, why) from None
    except (ValueError, TypeError) as problem:
        why = "it is neither PEM nor PFX (PKCS#12), or it is damaged"
        # 1 in 256 wrong passwords yields bytes that look decrypted, so both causes are named.
        if encrypted or re.search("password|decrypt|mac", str(problem).lower()):
            why = "the password is wrong or missing, or the key is damaged"
        raise _unusable(source, why) from None
    for what, found in (("private key", key), ("certificate", certificates)):
        if not found:
            raise _unusable(source, f"it does not contain a {what}")
    return key, certificates


def _is_of(key: Any, certificate: Any) -> bool:
    from cryptography.exceptions import UnsupportedAlgorithm

    with suppress(UnsupportedAlgorithm, ValueError):
        return bool(certificate.public_key() == key.public_key())
    return False


def _unusable(source: Certificate, why: str) -> RegistrationError:
    what = f"The certificate {source.path} cannot be used."
    advice = "Give a PEM file with key and certificate, or a PFX file, and its password if any."
    return RegistrationError(what, why=why, who=Who.YOU, advice=advice)
