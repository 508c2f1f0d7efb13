"""Issuing tokens: access tokens that Graph recognises, refresh tokens, id tokens, client_info."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from pluton_rclone.emulator.directory import Grant, Person, Registration, Tenant
from pluton_rclone.emulator.hosts import CLOUDS

from .aadsts import EntraError
from .keys import base64url, opaque, signing_key
from .scopes import Scopes, render
from .sessions import RefreshToken, Session, Sessions

if TYPE_CHECKING:
    from pluton_rclone.emulator.world import World


def granted(world: World, session: Session, wanted: Scopes) -> frozenset[str]:
    """The permissions that a token of this session carries.

    A work account's token carries everything consented to for Graph so far, a personal account's
    only what was requested. Raises EntraError 65001 if a requested permission lacks consent.
    """
    consented = world.part(Sessions).consented(session.person, session.tenant, session.app)
    withheld = session.tenant.policies.withheld
    asked = frozenset(session.app.delegated) & consented if wanted.default else wanted.consented
    if asked - consented - withheld:
        raise EntraError(65001, client_id=session.app.client_id, app=session.app.name)
    return (asked if session.tenant.personal else consented) - withheld


def token_answer(
    world: World, session: Session, wanted: Scopes, *, nonce: str | None, client_info: bool
) -> dict[str, Any]:
    """The token endpoint's answer; members as in entra-token-graph-composed.json."""
    graph = granted(world, session, wanted)
    lifetime = world.lifetimes.access_token
    now = world.now()
    grant = Grant(
        session.person,
        session.app,
        graph,
        session.cloud,
        session.tenant,
        issued=session.authenticated,
        expires=now + lifetime,
        session=session.id,
        device_code=session.device_code,
    )
    access_token = _access_token(grant, now)
    world.access_tokens[access_token] = grant
    answer: dict[str, Any] = {
        "token_type": "Bearer",
        "scope": render(graph, wanted.openid, cloud=session.cloud),
        "expires_in": int(lifetime),
        "ext_expires_in": int(lifetime),
        "access_token": access_token,
    }
    if "offline_access" in session.scopes.openid:
        answer["refresh_token"] = _refresh_token(world, session, now)
    if "openid" in wanted.openid:
        answer["id_token"] = _id_token(session, now, nonce)
    if client_info:
        answer["client_info"] = client_info_of(session.person, session.tenant)
    return answer


def app_only_answer(
    world: World, app: Registration, tenant: Tenant, cloud: str, roles: frozenset[str]
) -> dict[str, Any]:
    """The answer to client credentials: no refresh token, no scope, no person."""
    lifetime = world.lifetimes.access_token
    now = world.now()
    grant = Grant(
        None, app, roles, cloud, tenant, app_only=True, issued=now, expires=now + lifetime
    )
    access_token = _access_token(grant, now)
    world.access_tokens[access_token] = grant
    return {
        "token_type": "Bearer",
        "expires_in": int(lifetime),
        "ext_expires_in": int(lifetime),
        "access_token": access_token,
    }


def client_info_of(person: Person, tenant: Tenant) -> str:
    """The account that signed in, as MSAL reads it: its id and its home tenant."""
    return base64url(
        json.dumps({"uid": person.id, "utid": person.tenant.id}, separators=(",", ":")).encode()
    )


def _refresh_token(world: World, session: Session, now: float) -> str:
    token = opaque("M.C5xx_BAY.0.U.-" if session.person.tenant.personal else "1.AXoA", 330)
    world.part(Sessions).refresh_tokens[token] = RefreshToken(session, now)
    return token


def _access_token(grant: Grant, now: float) -> str:
    """Opaque for personal accounts; for work accounts a JWT, which only Graph may interpret."""
    if grant.person is not None and grant.person.tenant.personal:
        return opaque("EwB", 820)
    claims: dict[str, Any] = {
        "aud": f"https://{CLOUDS[grant.cloud].graph}",
        "iss": f"https://sts.windows.net/{grant.tenant.id}/",
        "iat": int(now),
        "nbf": int(now),
        "exp": int(grant.expires),
        "appid": grant.app.client_id,
        "app_displayname": grant.app.name,
        "tid": grant.tenant.id,
        "uti": opaque("", 16),
        "ver": "1.0",
    }
    if grant.person is None:
        claims |= {"idtyp": "app", "roles": sorted(grant.scopes), "oid": grant.app.client_id}
    else:
        claims |= {
            "idtyp": "user",
            "scp": " ".join(sorted(grant.scopes)),
            "oid": grant.person.id,
            "upn": grant.person.username,
            "name": grant.person.name,
        }
    # The nonce in the header makes Graph's tokens unverifiable for anyone else.
    return signing_key().sign(claims, nonce=opaque("", 32))


def _id_token(session: Session, now: float, nonce: str | None) -> str:
    person, tenant = session.person, session.tenant
    pairwise = hashlib.sha256(f"{person.id}/{session.app.client_id}".encode()).digest()
    claims: dict[str, Any] = {
        "ver": "2.0",
        "iss": f"https://{CLOUDS[session.cloud].issuer}/{tenant.id}/v2.0",
        "sub": base64url(pairwise),
        "aud": session.app.client_id,
        "exp": int(now) + 3600,
        "iat": int(now),
        "nbf": int(now),
        "name": person.name,
        "preferred_username": person.username,
        "oid": person.id,
        "tid": tenant.id,
        "uti": opaque("", 16),
    }
    if "email" in session.scopes.openid:
        claims["email"] = person.username
    if nonce:
        claims["nonce"] = nonce
    return signing_key().sign(claims)
