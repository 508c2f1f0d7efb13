"""The private CA, and the certificate with which every emulated host answers."""

from __future__ import annotations

import ssl
from functools import cache

import trustme

from .hosts import certificate_names


@cache
def authority() -> trustme.CA:
    """One CA for all emulators of this process, so that clients that cache trust keep working."""
    return trustme.CA(organization_name="pluton-rclone emulator", key_type=trustme.KeyType.ECDSA)


def ca_certificate() -> bytes:
    """The CA's certificate, PEM: what a client has to trust."""
    return authority().cert_pem.bytes()


@cache
def server_context() -> ssl.SSLContext:
    """TLS as Microsoft's front doors speak it, HTTP/1.1 only, with the real host names in the
    certificate."""
    certificate = authority().issue_cert(*certificate_names(), key_type=trustme.KeyType.ECDSA)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    certificate.configure_cert(context)
    return context
