"""Sign-in without the pages, for tests whose subject comes after the sign-in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .endpoint import find_app, find_endpoint, tenant_for
from .issuing import token_answer
from .scopes import parse
from .sessions import Session, Sessions

if TYPE_CHECKING:
    from pluton_rclone.emulator.world import World


def sign_in(world: World, username: str, scopes: str, client_id: str) -> dict[str, Any]:
    """The token endpoint's answer for a person who signed in and consented to everything.

    `scopes` as in a request, separated by spaces. Raises EntraError if the account or the app
    cannot be used.
    """
    person = world.person(username)
    registration = world.registrations[client_id]
    host_cloud = registration.cloud
    where = registration.tenant.id if registration.audience.single_tenant else "common"
    endpoint = find_endpoint(world, host_cloud, "", where)
    app = find_app(world, endpoint, client_id)
    tenant = tenant_for(endpoint, app, person)
    wanted = parse(scopes, cloud=host_cloud, app=app.name)
    world.part(Sessions).consent(person, app, wanted.consented - tenant.policies.withheld)
    public = bool(app.native_redirects)
    session = Session(
        person, app, tenant, host_cloud, public, wanted, world.now(), multi_factor=True
    )
    return token_answer(world, session, wanted, nonce=None, client_info=True)
