"""What the sign-in service remembers: unfinished sign-ins, codes, refresh tokens, consents,
browsers."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pluton_rclone.emulator.directory import Person, Registration, Tenant

from .scopes import Scopes

if TYPE_CHECKING:
    from pluton_rclone.emulator.world import World

    from .aadsts import EntraError
    from .endpoint import Endpoint


@dataclass
class Session:
    """One sign-in of one person to one app; all its tokens point here."""

    person: Person
    app: Registration
    tenant: Tenant
    cloud: str
    # through a native redirect or a public flow: no credentials may be sent with its tokens
    public: bool
    scopes: Scopes
    authenticated: float
    multi_factor: bool = False
    device_code: bool = False
    id: str = field(default_factory=lambda: secrets.token_hex(16))


@dataclass
class AuthorizationCode:
    session: Session
    redirect_uri: str
    challenge: str | None
    nonce: str | None
    expires: float
    redeemed: bool = False


@dataclass
class RefreshToken:
    session: Session
    issued: float
    retired: float | None = None  # when it was exchanged for a newer one


@dataclass
class DeviceCode:
    user_code: str
    app: Registration
    endpoint: Endpoint
    scopes: Scopes
    expires: float
    interval: float
    last_poll: float | None = None
    session: Session | None = None  # set when the person agreed
    refusal: EntraError | None = None  # set when the person or a policy refused
    redeemed: bool = False


@dataclass
class Flow:
    """A person's way through the pages; a hidden field of every form identifies it."""

    endpoint: Endpoint
    app: Registration
    scopes: Scopes
    redirect_uri: str | None = None  # None: no app waits at a redirect address (device code)
    public: bool = False
    response_mode: str = "query"
    state: str | None = None
    challenge: str | None = None
    nonce: str | None = None
    prompt: str = ""
    login_hint: str = ""
    client_info: bool = False
    device: DeviceCode | None = None
    admin_consent: bool = False
    person: Person | None = None
    tenant: Tenant | None = None
    multi_factor: bool = False
    refusal: EntraError | None = None
    id: str = field(default_factory=lambda: secrets.token_urlsafe(24))


class Sessions:
    """The memory of the sign-in service of one world: `world.part(Sessions)`."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.flows: dict[str, Flow] = {}
        self.codes: dict[str, AuthorizationCode] = {}
        self.refresh_tokens: dict[str, RefreshToken] = {}
        self.device_codes: dict[str, DeviceCode] = {}
        self.browsers: dict[str, Person] = {}  # cookie -> who is signed in there
        self.consents: dict[
            tuple[str, str], frozenset[str]
        ] = {}  # (person's id, client id) -> permissions
        self.tenant_consents: dict[
            tuple[str, str], frozenset[str]
        ] = {}  # (tenant's id, client id) -> permissions

    def consented(self, person: Person, tenant: Tenant, app: Registration) -> frozenset[str]:
        """The permissions that this person, or an administrator for the tenant, consented to."""
        own = self.consents.get((person.id, app.client_id), frozenset())
        return own | self.tenant_consents.get((tenant.id, app.client_id), frozenset())

    def consent(self, person: Person, app: Registration, permissions: frozenset[str]) -> None:
        """Record a person's consent for themselves."""
        key = (person.id, app.client_id)
        self.consents[key] = self.consents.get(key, frozenset()) | permissions

    def consent_for_tenant(
        self, tenant: Tenant, app: Registration, permissions: frozenset[str]
    ) -> None:
        """Record an administrator's consent for everyone in the tenant."""
        key = (tenant.id, app.client_id)
        self.tenant_consents[key] = self.tenant_consents.get(key, frozenset()) | permissions

    def device_code_of(self, user_code: str) -> DeviceCode | None:
        """The sign-in that waits for this code, in the form that a person types."""
        typed = user_code.replace("-", "").replace(" ", "").upper()
        return next((code for code in self.device_codes.values() if code.user_code == typed), None)
