"""Client certificates such as people make for an app registration."""

from __future__ import annotations

import base64
from datetime import datetime, timedelta, timezone

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import pkcs12

from pluton_rclone.microsoft.entra.app import AppRegistration
from pluton_rclone.microsoft.entra.sign_in import sign_in_as_app
from pluton_rclone.microsoft.entra.token_endpoint import TokenEndpoint

Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


def made(key: Key, *, days: int = 30) -> x509.Certificate:
    """A self-signed certificate that expires in `days`."""
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Pluton Backup Daemon")])
    now = datetime.now(timezone.utc)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=60))
        .not_valid_after(now + timedelta(days=days))
        .sign(key, hashes.SHA256())
    )


KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
CERTIFICATE = made(KEY)
DER_CERTIFICATE = CERTIFICATE.public_bytes(serialization.Encoding.DER)
PEM_CERTIFICATE = CERTIFICATE.public_bytes(serialization.Encoding.PEM)


def pem_key(password: str | None = None, key: Key = KEY) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, _encryption(password)
    )


def pfx(password: str | None = None) -> bytes:
    return pkcs12.serialize_key_and_certificates(
        b"daemon", KEY, CERTIFICATE, None, _encryption(password)
    )


def on_an_unusual_curve(der: bytes, what: str) -> bytes:
    """PEM of the same object on the curve prime239v3, which the library does not support."""
    usual, unusual = bytes.fromhex("2A8648CE3D030107"), bytes.fromhex("2A8648CE3D030106")
    text = base64.encodebytes(der.replace(usual, unusual)).decode()
    return f"-----BEGIN {what}-----\n{text}-----END {what}-----\n".encode()


def _encryption(password: str | None) -> serialization.KeySerializationEncryption:
    if password is None:
        return serialization.NoEncryption()
    return serialization.BestAvailableEncryption(password.encode())


def as_application(app: AppRegistration) -> TokenEndpoint:
    """The endpoint from which rclone gets app-only tokens."""
    return TokenEndpoint(app.client_id, app.tenant, lambda: sign_in_as_app(app).token)
