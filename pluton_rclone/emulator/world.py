"""The state of one emulated Microsoft: people, tenants, apps, tokens, the clock, the request log.

Tests change it while it serves, so every mutable value is replaced or set in one step.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple, TypeVar, cast

from . import inhabitants
from .directory import PERSONAL_TENANT_ID, Grant, Person, Registration, SignInFault, Tenant
from .faults import TokenRefused
from .hosts import CLOUDS

Part = TypeVar("Part")

# What Graph says about a token whose session was revoked (continuous access evaluation).
REVOKED = (
    "Continuous access evaluation resulted in challenge with result: InteractionRequired and code: "
    "TokenIssuedBeforeRevocationTimestamp"
)


class Request(NamedTuple):
    """One request to the emulated Microsoft, as logged; it contains no secret."""

    method: str
    host: str
    path: str
    query: str
    status: int
    user_agent: str
    started: float  # time.monotonic()
    seconds: float  # until the answer began
    prefer: str = ""


@dataclass
class Lifetimes:
    """How long tokens and codes are valid, in seconds."""

    access_token: float = 3599
    refresh_token: float = 90 * 24 * 3600  # without use; then AADSTS700082
    rotated_refresh_token: float = (
        90 * 24 * 3600
    )  # a used one keeps working this long; 0: revoked by its use
    authorization_code: float = 600
    device_code: float = 900
    device_poll_interval: int = (
        5  # whole seconds, as the answer says; clients must wait that long between polls
    )


class World:
    """The whole state of the emulated Microsoft."""

    def __init__(self, *, content_folder: Path | None = None) -> None:
        self.content_folder = content_folder  # where drives keep file contents; None: in memory
        self.lifetimes = Lifetimes()
        self.door = ""  # the address of the door for ordinary browsers (door.py); "" without one
        self.requests: list[Request] = []
        self.tenants: dict[str, Tenant] = {tenant.id: tenant for tenant in inhabitants.tenants()}
        domains = {tenant.domain: tenant for tenant in self.tenants.values()}
        self.people: dict[str, Person] = {
            person.username: person for person in inhabitants.people(domains)
        }
        self.registrations: dict[str, Registration] = {
            registration.client_id: registration
            for registration in inhabitants.registrations(domains)
        }
        self.sign_in_faults: list[SignInFault] = []
        self.access_tokens: dict[str, Grant] = {}
        self._clock_offset = 0.0
        self._parts: dict[object, Any] = {}

    # ---- the clock -------------------------------------------------------------------------------

    def now(self) -> float:
        """Seconds since 1970 by Microsoft's clock; `advance` moves it."""
        return time.time() + self._clock_offset

    def advance(self, seconds: float) -> None:
        """Move the clock forward: tokens and codes grow older without a wait."""
        self._clock_offset += seconds

    def shown(self, address: str) -> str:
        """An emulated `https://HOST/…` as a person opens it: through the door, if there is one."""
        return address.replace("https:/", self.door, 1) if self.door else address

    # ---- who is there ----------------------------------------------------------------------------

    def person(self, username: str) -> Person:
        """The account with that user name; KeyError when there is none."""
        return self.people[username.lower()]

    def tenant(self, id_or_domain: str) -> Tenant:
        """The tenant with that id or domain; KeyError when there is none."""
        for tenant in self.tenants.values():
            if id_or_domain.lower() in (tenant.id, tenant.domain):
                return tenant
        raise KeyError(id_or_domain)

    def tenants_of(self, cloud: str) -> list[Tenant]:
        """The organisations of a cloud; the personal accounts are not among them."""
        return [
            tenant
            for tenant in self.tenants.values()
            if tenant.cloud == cloud and not tenant.personal
        ]

    def add_tenant(self, domain: str, name: str, cloud: str = "global") -> Tenant:
        """Add an organisation."""
        tenant = Tenant(inhabitants.stable_id("tenant", domain), domain.lower(), name, cloud)
        self.tenants[tenant.id] = tenant
        return tenant

    def add_person(self, username: str, name: str, *, admin: bool = False) -> Person:
        """Add an account: in the tenant whose domain the user name ends with, otherwise a personal
        one."""
        username = username.lower()
        local, _, domain = username.partition("@")
        tenant = next((tenant for tenant in self.tenants.values() if tenant.domain == domain), None)
        if tenant is None or tenant.personal:
            person = inhabitants.personal_person(username, name, self.tenants[PERSONAL_TENANT_ID])
        else:
            person = Person(
                username, name, inhabitants.stable_id("person", local, domain), tenant, admin=admin
            )
        self.people[username] = person
        return person

    # ---- tokens ----------------------------------------------------------------------------------

    def authenticate(self, authorization: str | None, cloud: str) -> Grant:
        """The grant of the token in an `Authorization` header, in that cloud.

        Raises `TokenRefused`, Graph's 401, if the token is missing, unknown, expired, revoked or
        from another cloud.
        """
        scheme, _, token = (authorization or "").partition(" ")
        grant = self.access_tokens.get(token) if scheme.lower() == "bearer" else None
        if (
            grant is not None
            and grant.cloud == cloud
            and self.now() < grant.expires
            and not grant.refused
        ):
            person = grant.person
            if person is None or (not person.disabled and person.tokens_valid_from <= grant.issued):
                return grant
        raise self._refusal(token, grant, cloud)

    def _refusal(self, token: str, grant: Grant | None, cloud: str) -> TokenRefused:
        login_host = CLOUDS[cloud].login
        if not token:
            return TokenRefused("Access token is empty.", login_host=login_host)
        if grant is None:
            if token.count(".") == 2:
                return TokenRefused(
                    "CompactToken validation failed with reason code: 80049228.",
                    login_host=login_host,
                )
            return TokenRefused(
                "IDX14100: JWT is not well formed, there are no dots (.).", login_host=login_host
            )
        if grant.cloud != cloud:
            return TokenRefused(
                "Access token validation failure. Invalid audience.", login_host=login_host
            )
        if self.now() >= grant.expires:
            return TokenRefused(
                "Access token has expired or is not yet valid.", login_host=login_host
            )
        if grant.refused not in ("", REVOKED):
            return TokenRefused(grant.refused, login_host=login_host)
        return TokenRefused(
            REVOKED,
            login_host=login_host,
            error="insufficient_claims",
            claims="eyJhY2Nlc3NfdG9rZW4iOnt9fQ==",
        )

    def username_of(self, authorization: str | None) -> str | None:
        """The user name of a token in an `Authorization` header, valid or not; None if unknown."""
        grant = self.access_tokens.get((authorization or "").partition(" ")[2])
        return None if grant is None or grant.person is None else grant.person.username

    def refuse_sign_in(
        self,
        code: str,
        *,
        at: str = "token",
        times: int = 1,
        username: str | None = None,
        text: str | None = None,
    ) -> SignInFault:
        """Refuse sign-ins `times` times (negative: until removed), with any code of Microsoft's
        AADSTS list or, with `text`, any other.

        `at` is the endpoint: "authorize", "token" or "devicecode"; "code" is the token endpoint
        while an authorization code is redeemed.
        """
        fault = SignInFault(code, at, times, username, text)
        self.sign_in_faults.append(fault)
        return fault

    def refuse_access_tokens(self, person: Person, message: str = REVOKED) -> None:
        """Make Graph refuse every access token that this person has so far; refresh tokens stay
        valid."""
        for token, grant in list(self.access_tokens.items()):
            if grant.person is person:
                self.access_tokens[token] = replace(grant, refused=message)

    def revoke_tokens(self, person: Person) -> None:
        """Sign this person out everywhere: revoke every token (AADSTS50173 at the next refresh)."""
        person.tokens_valid_from = self.now()

    # ---- the rest of Microsoft -------------------------------------------------------------------

    def part(self, kind: Callable[[World], Part]) -> Part:
        """The single `kind(world)` of this world, made on first use: drives, sign-in sessions, …"""
        part = self._parts.get(kind)
        if part is None:
            part = self._parts.setdefault(kind, kind(self))
        return cast("Part", part)
