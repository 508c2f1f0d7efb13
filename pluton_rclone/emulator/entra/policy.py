"""What an organisation's policies and the state of an account forbid, at sign-in and at every
refresh."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from pluton_rclone.emulator.directory import Consent, Person, Registration, Tenant

from .aadsts import EntraError
from .scopes import ADMIN_ONLY, MANAGED

if TYPE_CHECKING:
    from pluton_rclone.emulator.world import World

# Sent with AADSTS50076: the client passes it unchanged to the next interactive sign-in.
_CLAIMS = {
    "access_token": {
        "capolids": {"essential": True, "values": ["00000000-0000-0000-0000-0000000000aa"]}
    }
}


def check_account(person: Person, tenant: Tenant, app: Registration) -> None:
    """Raises EntraError: 50057 (disabled), 50053 (locked), 50105 (not assigned to the app)."""
    if person.disabled:
        raise EntraError(50057)
    if person.locked:
        raise EntraError(50053)
    if tenant.policies.assignment_required and person.username not in app.assigned:
        raise EntraError(50105, app=app.name, client_id=app.client_id, username=person.username)


def check_conditional_access(tenant: Tenant, *, device_code: bool) -> None:
    """Raise EntraError with the policy's code, or 53003 for a sign-in by device code if that is
    blocked."""
    if tenant.policies.conditional_access:
        raise EntraError(int(tenant.policies.conditional_access.removeprefix("AADSTS")))
    if device_code and not tenant.policies.device_code_allowed:
        raise EntraError(53003)


def wants_second_factor(tenant: Tenant, authenticated: float, multi_factor: bool) -> bool:
    """Whether the tenant's rule needs a second factor because this sign-in is too old or had
    none."""
    since = tenant.policies.multi_factor_since
    return since is not None and (not multi_factor or authenticated < since)


def second_factor_required() -> EntraError:
    return EntraError(50076, claims=json.dumps(_CLAIMS, separators=(",", ":")))


def check_consent(
    person: Person, tenant: Tenant, app: Registration, missing: frozenset[str]
) -> None:
    """Check that this person may consent to the missing permissions.

    Raises EntraError 90094, or 90095 if a request can be sent to an administrator.
    """
    if not missing or tenant.personal or person.admin:
        return
    rule = tenant.policies.user_consent
    unverified = not app.publisher_verified and app.tenant is not tenant
    if rule is Consent.WORKFLOW:
        raise EntraError(90095)
    if (
        rule is Consent.FORBIDDEN
        or unverified
        or missing & ADMIN_ONLY
        or (rule is Consent.MANAGED and missing & MANAGED)
    ):
        raise EntraError(90094, app=app.name)


def play_fault(world: World, at: str, username: str | None) -> None:
    """Raise the refusal that a test armed for this endpoint and account with
    `world.refuse_sign_in`."""
    for fault in world.sign_in_faults:
        if fault.at == at and fault.times != 0 and fault.username in (None, username):
            fault.times -= 1
            number = fault.code.removeprefix("AADSTS")
            if number.isdigit():
                raise EntraError(int(number), text=fault.text)
            raise EntraError(
                None,
                error=fault.code,
                text="The server is temporarily too busy to handle the request.",
            )
