"""Microsoft's sign-in service and the OneDrive part of Microsoft Graph, emulated on this machine.

with Emulator() as cloud:
    # HTTPS_PROXY, SSL_CERT_FILE, REQUESTS_CA_BUNDLE: all a client needs
    cloud.environment
    # people, tenants, registrations, drives, policies: look and change
    cloud.world
    cloud.requests                       # what was asked
    cloud.person("anna@outlook.com").visit(address)   # a person at the sign-in page
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .directory import Audience, Consent, Person, Policies, Registration, Secret, Tenant
from .inhabitants import (
    DAEMON_CLIENT_ID,
    DAEMON_CLIENT_SECRET,
    PUBLIC_CLIENT_ID,
    RCLONE_CLIENT_ID,
    SINGLE_TENANT_CLIENT_ID,
    SINGLE_TENANT_WEB_CLIENT_ID,
    WEB_CLIENT_ID,
    WEB_CLIENT_SECRET,
    WEB_REDIRECT_URI,
    client_id,
)
from .world import Request, World

if TYPE_CHECKING:
    from .server import Emulator

__all__ = [
    "DAEMON_CLIENT_ID",
    "DAEMON_CLIENT_SECRET",
    "PUBLIC_CLIENT_ID",
    "RCLONE_CLIENT_ID",
    "SINGLE_TENANT_CLIENT_ID",
    "SINGLE_TENANT_WEB_CLIENT_ID",
    "WEB_CLIENT_ID",
    "WEB_CLIENT_SECRET",
    "WEB_REDIRECT_URI",
    "Audience",
    "Consent",
    "Emulator",
    "Person",
    "Policies",
    "Registration",
    "Request",
    "Secret",
    "Tenant",
    "World",
    "client_id",
]


def __getattr__(name: str) -> Any:
    # The server imports uvicorn and trustme; the simulated person (person.py) needs neither.
    if name == "Emulator":
        from .server import Emulator

        return Emulator
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
