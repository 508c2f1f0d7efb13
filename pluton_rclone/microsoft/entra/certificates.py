"""Client certificates, PEM and PFX, in the shape that MSAL takes."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from pluton_rclone.errors import RegistrationError, Who

from .app import AppRegistration, Certificate


def msal_credential(app: AppRegistration) -> str | dict[str, str] | None:
    """MSAL's client_credential: the secret, or key and certificate as PEM text. It is secret.
    RegistrationError if the certificate's file cannot be used."""
    source = app.certificate
    if source is None:
        return app.secret_text
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    content = _read(source.path)
    password = source.password.encode() if source.password else None
    read = _from_pem if b"-----BEGIN " in content else _from_pfx
    key, certificate = read(source, content, password)
    if not isinstance(key, rsa.RSAPrivateKey):
        raise _unusable(source, "its key is not an RSA key, the only kind that Microsoft takes")
    if key.public_key() != certificate.public_key():
        raise _unusable(source, "the private key does not belong to the certificate")
    end = certificate.not_valid_after_utc
    if end <= datetime.now(timezone.utc):
        what = f"The certificate {source.path} expired on {end:%Y-%m-%d}."
        advice = "Make a new one, upload its public part to the registration, and set it here."
        raise RegistrationError(what, advice=advice, expires=end.isoformat())
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain).decode()
    public = certificate.public_bytes(pem).decode()
    return {"private_key": private, "public_certificate": public}


def _from_pem(source: Certificate, content: bytes, password: bytes | None) -> tuple[Any, Any]:
    from cryptography import x509
    from cryptography.hazmat.primitives import serialization

    key_content = content if source.key_path is None else _read(source.key_path)
    if b"PRIVATE KEY-----" not in key_content:
        raise _unusable(source, "it holds no private key")
    if b"-----BEGIN CERTIFICATE-----" not in content:
        raise _unusable(source, "it holds no certificate")
    encrypted = b"ENCRYPTED" in key_content
    if encrypted and password is None:
        raise _unusable(source, "its key is encrypted and no password was given")
    try:
        key = serialization.load_pem_private_key(key_content, password if encrypted else None)
    except (ValueError, TypeError) as problem:
        # A wrong password (1 in 256) can leave bytes that look decrypted: both causes are named.
        why = "the password is wrong, or the key is damaged" if encrypted else _reason(problem)
        raise _unusable(source, why) from None
    try:
        return key, x509.load_pem_x509_certificate(content)
    except ValueError as problem:
        raise _unusable(source, _reason(problem)) from None


def _from_pfx(source: Certificate, content: bytes, password: bytes | None) -> tuple[Any, Any]:
    from cryptography.hazmat.primitives.serialization import pkcs12

    try:
        key, certificate, _ = pkcs12.load_key_and_certificates(content, password)
    except (ValueError, TypeError) as problem:
        raise _unusable(source, _reason(problem)) from None
    for what, found in (("private key", key), ("certificate", certificate)):
        if found is None:
            raise _unusable(source, f"it holds no {what}")
    return key, certificate


def _reason(problem: Exception) -> str:
    text = str(problem).lower()
    if "password" in text or "decrypt" in text or "mac" in text:
        return "the password is wrong or missing"
    return "it is neither PEM nor PFX (PKCS#12), or it is damaged"


def _read(path: Path) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as problem:
        what, advice = f"The certificate file {path} cannot be read.", "Check path and permissions."
        raise RegistrationError(what, why=problem.strerror, who=Who.YOU, advice=advice) from None


def _unusable(source: Certificate, why: str) -> RegistrationError:
    what = f"The certificate {source.path} cannot be used."
    advice = "Give a PEM file with key and certificate, or a PFX file, and its password if any."
    return RegistrationError(what, why=why, who=Who.YOU, advice=advice)
