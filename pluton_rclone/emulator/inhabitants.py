"""The default tenants, people and app registrations of a new world."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

from .directory import PERSONAL_TENANT_ID, Audience, Person, Registration, Secret, Tenant

PUBLIC_CLIENT_ID = "00001111-aaaa-2222-bbbb-3333cccc4444"
WEB_CLIENT_ID = "11112222-bbbb-3333-cccc-4444dddd5555"
WEB_CLIENT_SECRET = "emulated~web~secret~value"  # opens nothing but the emulator
WEB_REDIRECT_URI = "https://pluton.example/onedrive/callback"
DAEMON_CLIENT_ID = "22223333-cccc-4444-dddd-5555eeee6666"
DAEMON_CLIENT_SECRET = "emulated~daemon~secret~value"
SINGLE_TENANT_CLIENT_ID = "33334444-dddd-5555-eeee-6666ffff7777"
SINGLE_TENANT_WEB_CLIENT_ID = "44445555-eeee-6666-ffff-777700008888"

# rclone's own registration, as in clouds.json of the facts. Its secret is public (in rclone's
# source); only its hash is here, because the emulator has to recognise it but not to know it.
RCLONE_CLIENT_ID = "b15665d9-eda6-4092-8539-0eec376afd59"
RCLONE_SECRET_SHA256 = "ed3db726467234178b455e6064a0873ec95faeb9a49503b19d59796b562ac00d"

DELEGATED = (
    "Files.Read",
    "Files.ReadWrite",
    "Files.Read.All",
    "Files.ReadWrite.All",
    "Sites.Read.All",
    "User.Read",
    "offline_access",
)

_ORGANISATIONS = {
    # cloud: (domain, name, the person, the administrator)
    "global": (
        "contoso.onmicrosoft.com",
        "Contoso",
        ("bert", "Bert Jansen"),
        ("admin", "Contoso Administrator"),
    ),
    "us": (
        "fabrikam.onmicrosoft.us",
        "Fabrikam",
        ("carla", "Carla Hayes"),
        ("admin", "Fabrikam Administrator"),
    ),
    "de": (
        "nordwind.onmicrosoft.de",
        "Nordwind",
        ("dora", "Dora Klein"),
        ("admin", "Nordwind Administrator"),
    ),
    "cn": (
        "tailspin.partner.onmschina.cn",
        "Tailspin",
        ("chen", "Chen Wei"),
        ("admin", "Tailspin Administrator"),
    ),
}


def stable_id(*parts: str) -> str:
    """A GUID that is the same in every world and every run."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, "pluton-rclone-emulator:" + "/".join(parts)))


def client_id(base: str, cloud: str) -> str:
    """The id of the same registration in another cloud: each cloud has its own registrations."""
    return base if cloud == "global" else stable_id("registration", base, cloud)


def tenants() -> Iterator[Tenant]:
    yield Tenant(PERSONAL_TENANT_ID, "outlook.com", "Personal accounts")
    for cloud, (domain, name, _, _) in _ORGANISATIONS.items():
        yield Tenant(stable_id("tenant", domain), domain, name, cloud)


def personal_person(username: str, name: str, tenant: Tenant) -> Person:
    """A personal account; its directory id is its CID (16 hex digits) in the form of a GUID."""
    cid = stable_id("cid", username).replace("-", "")[:16]
    return Person(username, name, f"00000000-0000-0000-{cid[:4]}-{cid[4:]}", tenant)


def people(tenants_by_domain: dict[str, Tenant]) -> Iterator[Person]:
    personal = tenants_by_domain["outlook.com"]
    yield personal_person("anna@outlook.com", "Anna Berg", personal)
    for domain, _, (local, name), (admin, admin_name) in _ORGANISATIONS.values():
        tenant = tenants_by_domain[domain]
        yield Person(f"{local}@{domain}", name, stable_id("person", local, domain), tenant)
        yield Person(
            f"{admin}@{domain}", admin_name, stable_id("person", admin, domain), tenant, admin=True
        )


def registrations(tenants_by_domain: dict[str, Tenant]) -> Iterator[Registration]:
    elsewhere = Tenant(stable_id("tenant", "rclone"), "rclone.onmicrosoft.com", "rclone")
    yield Registration(
        RCLONE_CLIENT_ID,
        "rclone",
        elsewhere,
        web_redirects=("http://localhost:53682/",),
        secrets=[Secret(RCLONE_SECRET_SHA256)],
        delegated=DELEGATED,
    )
    for cloud, (domain, _, _, _) in _ORGANISATIONS.items():
        home = tenants_by_domain[domain]
        audience = Audience.ANY_TENANT_AND_PERSONAL if cloud == "global" else Audience.ANY_TENANT
        yield Registration(
            client_id(PUBLIC_CLIENT_ID, cloud),
            "Pluton Backup",
            home,
            audience,
            native_redirects=("http://localhost",),
            public_flows=True,
            delegated=DELEGATED,
        )
        yield Registration(
            client_id(WEB_CLIENT_ID, cloud),
            "Pluton Backup Server",
            home,
            audience,
            web_redirects=(WEB_REDIRECT_URI, "http://localhost/onedrive/callback"),
            secrets=[Secret.of(WEB_CLIENT_SECRET)],
            delegated=DELEGATED,
        )
        yield Registration(
            client_id(DAEMON_CLIENT_ID, cloud),
            "Pluton Backup Daemon",
            home,
            Audience.THIS_TENANT,
            secrets=[Secret.of(DAEMON_CLIENT_SECRET)],
            roles=("Files.ReadWrite.All", "Sites.Read.All"),
            granted_roles={home.id: frozenset({"Files.ReadWrite.All", "Sites.Read.All"})},
        )
        yield Registration(
            client_id(SINGLE_TENANT_CLIENT_ID, cloud),
            f"{home.name} Backup",
            home,
            Audience.THIS_TENANT,
            native_redirects=("http://localhost",),
            public_flows=True,
            delegated=DELEGATED,
        )
        yield Registration(
            client_id(SINGLE_TENANT_WEB_CLIENT_ID, cloud),
            f"{home.name} Backup Server",
            home,
            Audience.THIS_TENANT,
            web_redirects=(WEB_REDIRECT_URI, "http://localhost/onedrive/callback"),
            secrets=[Secret.of(WEB_CLIENT_SECRET)],
            delegated=DELEGATED,
        )
