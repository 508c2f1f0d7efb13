"""The directory of the emulated Microsoft: tenants, their policies, people, app registrations."""

from __future__ import annotations

import enum
import hashlib
from dataclasses import dataclass, field

PERSONAL_TENANT_ID = (
    "9188040d-6c67-4c5b-b112-36a304b66dad"  # the tenant id of all personal accounts, documented
)


class Consent(enum.Enum):
    """Who may consent to an app's permissions in a tenant."""

    ALLOWED = "allowed"  # every person, for themselves
    # Microsoft's policy since summer 2025: administrators for Files.*.All, Sites.*.All
    MANAGED = "managed"
    FORBIDDEN = "forbidden"  # administrators only (AADSTS90094)
    WORKFLOW = (
        "workflow"  # administrators only, and the page offers to send them a request (AADSTS90095)
    )


@dataclass
class Policies:
    """What an organisation enforces; a test sets each policy in one line."""

    user_consent: Consent = Consent.ALLOWED
    device_code_allowed: bool = (
        True  # False: AADSTS53003, the managed policy "Block device code flow"
    )
    conditional_access: str | None = (
        None  # an AADSTS code that stops every sign-in and refresh, such as "AADSTS53000"
    )
    multi_factor_since: float | None = (
        None  # sign-ins before this time, or without a second factor, get AADSTS50076
    )
    withheld: frozenset[str] = (
        frozenset()
    )  # permissions left out of every token: less is granted than was asked for
    assignment_required: bool = False  # people who are not in Registration.assigned get AADSTS50105


@dataclass
class Tenant:
    """One organisation in one cloud; all personal accounts are one tenant as well."""

    id: str
    domain: str
    name: str
    cloud: str = "global"
    policies: Policies = field(default_factory=Policies)

    @property
    def personal(self) -> bool:
        return self.id == PERSONAL_TENANT_ID

    @property
    def sharepoint_label(self) -> str:
        """The tenant's part of its SharePoint host names: `contoso` of contoso.sharepoint.com."""
        return self.domain.partition(".")[0]


@dataclass
class Person:
    """A person with an account."""

    username: str
    name: str
    # the directory's object id; for personal accounts the 16 hex digits of the CID padded to a GUID
    id: str
    tenant: Tenant
    admin: bool = False
    disabled: bool = False  # AADSTS50057
    locked: bool = False  # AADSTS50053
    licensed: bool = (
        True  # False: no OneDrive was ever made for this account (me-drive-not-provisioned.json)
    )
    guest_in: set[str] = field(
        default_factory=set
    )  # ids of other tenants that invited this account
    tokens_valid_from: float = (
        0.0  # set by World.revoke_tokens: older grants are revoked (AADSTS50173)
    )

    @property
    def kind(self) -> str:
        """ "personal" or "work"."""
        return "personal" if self.tenant.personal else "work"

    @property
    def cid(self) -> str:
        """16 hex digits; the id of a personal drive."""
        return self.id.replace("-", "")[-16:]


@dataclass(frozen=True)
class Secret:
    """A client secret, kept as a hash so that neither a memory dump nor a repr of the emulator
    reveals it."""

    sha256: str
    expires: float | None = None  # by the world's clock; None: never

    @classmethod
    def of(cls, value: str, expires: float | None = None) -> Secret:
        return cls(hashlib.sha256(value.encode()).hexdigest(), expires)

    def matches(self, value: str) -> bool:
        return hashlib.sha256(value.encode()).hexdigest() == self.sha256


@dataclass
class SignInFault:
    """A refusal on demand, whatever the request."""

    code: str  # "AADSTS90033", or an OAuth error that Microsoft sends without a number
    at: str  # "authorize", "token", "devicecode"
    times: int = 1  # how often it is still to happen; negative: always
    username: str | None = None  # only for this account
    text: str | None = None  # instead of the text that belongs to the code


class Audience(enum.Enum):
    """Whose accounts an app accepts: `signInAudience` of the registration."""

    THIS_TENANT = "AzureADMyOrg"
    ANY_TENANT = "AzureADMultipleOrgs"
    ANY_TENANT_AND_PERSONAL = "AzureADandPersonalMicrosoftAccount"
    PERSONAL = "PersonalMicrosoftAccount"

    @property
    def single_tenant(self) -> bool:
        return self is Audience.THIS_TENANT


@dataclass
class Registration:
    """One app registration, in one cloud."""

    client_id: str
    name: str
    tenant: Tenant  # where it is registered
    audience: Audience = Audience.ANY_TENANT_AND_PERSONAL
    native_redirects: tuple[
        str, ...
    ] = ()  # platform "Mobile and desktop applications": public client
    web_redirects: tuple[str, ...] = ()  # platform "Web": confidential client
    public_flows: bool = False  # "Allow public client flows": device code without a secret
    secrets: list[Secret] = field(default_factory=list)
    certificates: list[bytes] = field(default_factory=list)  # DER, the public part
    delegated: tuple[
        str, ...
    ] = ()  # the permissions listed in the registration, what /.default means
    roles: tuple[str, ...] = ()  # application permissions listed in the registration
    granted_roles: dict[str, frozenset[str]] = field(
        default_factory=dict
    )  # tenant id -> roles that an administrator granted
    assigned: set[str] = field(default_factory=set)  # user names, where assignment is required
    publisher_verified: bool = (
        True  # False: people of other tenants need their administrator (AADSTS90094)
    )
    disabled: bool = False  # AADSTS7000112

    @property
    def cloud(self) -> str:
        return self.tenant.cloud


@dataclass(frozen=True)
class Grant:
    """What an access token allows; `world.authenticate` returns it."""

    person: Person | None  # None for app-only
    app: Registration
    scopes: frozenset[str]  # short names: Files.ReadWrite; roles for app-only
    cloud: str
    tenant: Tenant
    app_only: bool = False
    issued: float = 0.0
    expires: float = 0.0
    session: str = ""  # identifies one sign-in and all tokens issued from it
    device_code: bool = (
        False  # the sign-in used a device code; Microsoft remembers this through refreshes
    )
    refused: str = ""  # why Graph no longer accepts it although it has not expired

    def allows(self, *scopes: str) -> bool:
        """Whether any of these permissions was granted."""
        return not self.scopes.isdisjoint(scopes)
