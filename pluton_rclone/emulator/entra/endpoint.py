"""The first part of every address, `/{tenant}/…`: the accounts that an endpoint serves, and the app
that uses it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pluton_rclone.emulator.directory import (
    PERSONAL_TENANT_ID,
    Audience,
    Person,
    Registration,
    Tenant,
)
from pluton_rclone.emulator.hosts import CLOUDS

from .aadsts import EntraError

if TYPE_CHECKING:
    from pluton_rclone.emulator.world import World


@dataclass(frozen=True)
class Endpoint:
    """The cloud and the tenant of an address. `tenant` is None for /common and /organizations."""

    cloud: str
    host: str  # the login host of the request, perhaps an alias
    segment: str  # "common", "organizations", or the tenant's id
    tenant: Tenant | None

    @property
    def issuer(self) -> str:
        """`iss` of the discovery document: a placeholder where the tenant is not known yet."""
        return (
            f"https://{CLOUDS[self.cloud].issuer}/"
            f"{self.tenant.id if self.tenant else '{tenantid}'}/v2.0"
        )

    def address(self, path: str) -> str:
        return f"https://{self.host}/{self.segment}/{path}"


def find_endpoint(world: World, cloud: str, host: str, segment: str) -> Endpoint:
    """Raises EntraError 90002 (no such tenant) or 90038 (it lives in another cloud)."""
    name = segment.lower()
    if name in ("common", "organizations"):
        return Endpoint(cloud, host, name, None)
    if name == "consumers":
        name = PERSONAL_TENANT_ID
    try:
        tenant = world.tenant(name)
    except KeyError:
        raise EntraError(90002, tenant=segment) from None
    if tenant.cloud != cloud:
        raise EntraError(90002 if tenant.personal else 90038, tenant=segment)
    return Endpoint(cloud, host, tenant.id, tenant)


def find_app(world: World, endpoint: Endpoint, client_id: str) -> Registration:
    """The registration, if it exists in this cloud and may use this endpoint.

    Raises EntraError: 900144 (no client id), 700016 (unknown here), 7000112 (disabled), 50194
    (registered for one tenant, used at /common), 9002332 (for work accounts only, used at
    /consumers).
    """
    if not client_id:
        raise EntraError(900144, parameter="client_id")
    app = world.registrations.get(client_id)
    where = endpoint.tenant.name if endpoint.tenant else endpoint.segment
    if app is None or app.cloud != endpoint.cloud:
        raise EntraError(700016, client_id=client_id, tenant=where)
    if app.disabled:
        raise EntraError(7000112, client_id=client_id, app=app.name)
    if app.audience.single_tenant:
        if endpoint.tenant is None:
            raise EntraError(50194, client_id=client_id, app=app.name)
        if endpoint.tenant is not app.tenant:
            raise EntraError(700016, client_id=client_id, tenant=where)
    if (
        endpoint.tenant is not None
        and endpoint.tenant.personal
        and app.audience is Audience.ANY_TENANT
    ):
        raise EntraError(9002332, client_id=client_id, app=app.name)
    return app


def check_audience(endpoint: Endpoint, app: Registration) -> None:
    """Raise EntraError 9002331 if an app for personal accounts only is used elsewhere than at
    /consumers."""
    if app.audience is Audience.PERSONAL and (
        endpoint.tenant is None or not endpoint.tenant.personal
    ):
        raise EntraError(
            9002331,
            text="Application '{client_id}'({app}) is configured for use by Microsoft Account "
            "users only. "
            "Please use the /consumers endpoint to serve this request.",
            client_id=app.client_id,
            app=app.name,
        )


def is_native_redirect(app: Registration, redirect_uri: str) -> bool:
    """Whether the address is of the platform "Mobile and desktop", whose sign-ins are a public
    client's.

    Raises EntraError 50011 if it is not registered at all.
    """
    for registered in app.native_redirects:
        if _same_redirect(registered, redirect_uri):
            return True
    for registered in app.web_redirects:
        if _same_redirect(registered, redirect_uri):
            return False
    raise EntraError(50011, redirect_uri=redirect_uri, client_id=app.client_id)


def _same_redirect(registered: str, sent: str) -> bool:
    """Whether both are equal, apart from the port of http://localhost and a lone slash after it."""
    if registered == sent:
        return True
    return (known := _without_port(registered)) is not None and known == _without_port(sent)


def _without_port(address: str) -> str | None:
    for start in ("http://localhost", "http://127.0.0.1"):
        if address.startswith(start):
            port, slash, path = address[len(start) :].partition("/")
            if port == "" or (port[0] == ":" and port[1:].isdigit()):
                return f"{start}{slash}{path}".rstrip("/")
    return None


def tenant_for(endpoint: Endpoint, app: Registration, person: Person) -> Tenant:
    """The tenant that this account signs in to here.

    Raises EntraError: 50034 (the account lives in another cloud), 50020 (no guest of that tenant),
    500208 (personal account at /organizations, work account at /consumers), 700016 (work account,
    app for personal accounts only), or no number (personal account, app for work accounts only).
    """
    if person.tenant.cloud != endpoint.cloud:
        raise EntraError(50034, username=person.username, tenant=endpoint.segment)
    if endpoint.tenant is not None and endpoint.tenant is not person.tenant:
        if endpoint.tenant.personal:
            raise EntraError(500208)
        if endpoint.tenant.id not in person.guest_in:
            provider = (
                "live.com"
                if person.tenant.personal
                else f"https://sts.windows.net/{person.tenant.id}/"
            )
            raise EntraError(
                50020,
                username=person.username,
                provider=provider,
                tenant=endpoint.tenant.name,
                client_id=app.client_id,
                app=app.name,
            )
        return endpoint.tenant
    if person.tenant.personal:
        if endpoint.segment == "organizations":
            raise EntraError(500208)
        if app.audience is Audience.ANY_TENANT:
            raise EntraError(
                None,
                error="unauthorized_client",
                text="The client does not exist or is not enabled for consumers. "
                "If you are the application developer, configure a new application through the "
                "App Registrations in the Azure Portal at "
                "https://go.microsoft.com/fwlink/?linkid=2083908.",
            )
    elif app.audience is Audience.PERSONAL:
        raise EntraError(700016, client_id=app.client_id, tenant=person.tenant.name)
    return person.tenant
