"""The national clouds: their hosts, and the clouds that rclone cannot reach.

Sources: rclone's backend/onedrive/onedrive.go @64ab1ac32260, Microsoft Graph's
concepts/deployments.md @032e3efe8cdb, Entra's authentication-national-cloud.md @07d3251d2333, MSAL.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from pluton_rclone.errors import OptionInvalid, RegistrationError, Who

COPY_ADDRESS = "Copy the address from the browser while the site, library or folder is open."
WORDS_FOR_TENANTS = frozenset({"common", "organizations", "consumers"})
PERSONAL_TENANT_ID = "9188040d-6c67-4c5b-b112-36a304b66dad"  # of all personal accounts
CONSUMERS = ("consumers", PERSONAL_TENANT_ID)


@dataclass(frozen=True)
class Cloud:
    """One of rclone's regions. Host names have no scheme."""

    region: str  # rclone's word: global, us, de, cn
    name: str
    login_host: str  # rclone refreshes tokens here too, so both use the same service
    graph_host: str
    portal: str  # where apps are registered
    sharepoint_suffix: str
    warning: str | None = None  # shown beside the choice
    other_consent_host: str | None = None  # for admin consent, if it differs from `login_host`

    @property
    def graph_root(self) -> str:
        """`https://graph.microsoft.com`; the API is at `graph_root + "/v1.0"`."""
        return f"https://{self.graph_host}"

    def owns(self, url: str) -> bool:
        """Whether a token of this cloud may be sent to `url`: https to this cloud's Graph host."""
        return _https_host(url) in (self.graph_host, f"{self.graph_host}:443")


GERMANY_CLOSED = (
    "Microsoft closed this cloud on 2021-10-29. Use Global: accounts and data were moved there. "
    "The sovereign clouds that came later have other hosts, which rclone does not know."
)

CLOUDS: dict[str, Cloud] = {
    cloud.region: cloud
    for cloud in (
        Cloud(
            region="global",
            name="Microsoft Cloud Global (also Microsoft 365 GCC)",
            login_host="login.microsoftonline.com",
            graph_host="graph.microsoft.com",
            portal="https://entra.microsoft.com",
            sharepoint_suffix="sharepoint.com",
        ),
        Cloud(
            region="us",
            name="Microsoft Cloud for US Government (GCC High)",
            login_host="login.microsoftonline.us",
            graph_host="graph.microsoft.us",
            portal="https://portal.azure.us",
            sharepoint_suffix="sharepoint.us",
        ),
        Cloud(
            region="de",
            name="Microsoft Cloud Germany (closed)",
            login_host="login.microsoftonline.de",
            graph_host="graph.microsoft.de",
            portal="https://portal.microsoftazure.de",
            sharepoint_suffix="sharepoint.de",
            warning=GERMANY_CLOSED,
        ),
        Cloud(
            region="cn",
            name="Azure and Office 365 operated by 21Vianet (China)",
            login_host="login.chinacloudapi.cn",
            graph_host="microsoftgraph.chinacloudapi.cn",
            portal="https://portal.azure.cn",
            sharepoint_suffix="sharepoint.cn",
            other_consent_host="login.partner.microsoftonline.cn",
        ),
    )
}

# Clouds that rclone does not support, by the word that a user types and by SharePoint suffix.
_BEYOND_RCLONE = {
    **dict.fromkeys(("dod", "sharepoint-mil.us"), "US Government DoD (L5)"),
    **dict.fromkeys(("bleu", "fr", "svc.sovcloud.fr"), "Bleu (France)"),
    **dict.fromkeys(("delos", "svc.sovcloud.de"), "Delos (Germany)"),
    "sg": "Singapore government cloud",
}
_OTHER_WORDS = {
    **dict.fromkeys(("", "public", "commercial", "gcc"), "global"),
    **dict.fromkeys(("gcch", "gcchigh", "usgov"), "us"),
    **dict.fromkeys(("china", "21vianet"), "cn"),
    "germany": "de",
}


def _https_host(address: str) -> str:
    """The host of an https address, with its user and port if any; "" if it is not https."""
    scheme, _, rest = address.lower().partition("://")
    return re.split("[/?#]", rest)[0] if scheme == "https" else ""


def is_of_microsoft(address: str, *, sharepoint: bool) -> bool:
    """Whether secrets may be sent to `address`: https to Microsoft's sign-in or SharePoint."""
    host = _https_host(address)
    if not sharepoint:
        known = ((cloud.login_host, cloud.other_consent_host) for cloud in CLOUDS.values())
        return bool(host) and any(host in hosts for hosts in known)
    name, _, suffix = host.partition(".")
    known_suffix = any(suffix == cloud.sharepoint_suffix for cloud in CLOUDS.values())
    return known_suffix and re.fullmatch("[a-z0-9-]+", name) is not None


def cloud(region: str) -> Cloud:
    """The cloud of a region of rclone, or of another common name (gcc, china, germany). Raises
    `OptionInvalid`, also for a cloud that rclone cannot reach."""
    word = re.sub("[-_ ]", "", region.strip().lower())
    found = CLOUDS.get(_OTHER_WORDS.get(word, word))
    if found is not None:
        return found
    if word in _BEYOND_RCLONE:
        raise _unreachable_for_rclone(_BEYOND_RCLONE[word])
    advice = f"Choose one of {', '.join(CLOUDS)}."
    raise OptionInvalid(f"There is no region {region!r}.", advice=advice, option="region")


def cloud_of_sharepoint(host: str) -> Cloud:
    """The cloud of a SharePoint host, such as contoso-my.sharepoint.us. Raises `OptionInvalid`."""
    host = host.lower().rstrip(".")
    for known in CLOUDS.values():
        if host.endswith("." + known.sharepoint_suffix):
            return known
    for suffix, name in _BEYOND_RCLONE.items():
        if "." in suffix and host.endswith("." + suffix):
            raise _unreachable_for_rclone(name)
    what = f"{host} is not an address of SharePoint or OneDrive."
    raise OptionInvalid(what, advice=COPY_ADDRESS, option="address")


def _unreachable_for_rclone(name: str) -> OptionInvalid:
    why, advice = "rclone does not know its hosts", f"Regions that work: {', '.join(CLOUDS)}."
    what = f"The cloud {name} cannot be used."
    return OptionInvalid(what, why=why, advice=advice, option="region")


def refuse_type(cloud: Cloud, tenant: str, *, personal: bool) -> None:
    """Raise RegistrationError if the cloud or tenant has no personal, or no work, accounts."""
    organisations = tenant == "organizations" or ".onmicrosoft." in tenant
    if personal and cloud.region != "global":
        what = f"There are no personal accounts in {cloud.name}."
        why = "Microsoft serves personal accounts through the global cloud only"
        advice = "Use region global for a personal account, or a work account of this cloud."
    elif organisations if personal else tenant in CONSUMERS:
        kind = "personal" if personal else "work or school"
        what = f"There are no {kind} accounts in the tenant {tenant}."
        why = f"the drive type that was chosen belongs to a {kind} account"
        advice = "Choose the other drive type, or another tenant: common takes every account."
    else:
        return
    raise RegistrationError(what, why=why, who=Who.YOU, advice=advice)


def refuse_rclone_registration(cloud: Cloud, tenant: str = "common") -> None:
    """Raise `RegistrationError` for a national cloud or a tenant: rclone's own app has neither."""
    where, why = cloud.name, "rclone's own registration exists in the global cloud only"
    advice = f"Register an app at {cloud.portal} and give its client id."
    if cloud.region == "global":
        where = f"the tenant {tenant} in particular"
        why = "rclone's own registration accepts all accounts, and cannot be limited to some"
        advice = f"Omit the tenant, or register an app at {cloud.portal} and give its client id."
    if cloud.region != "global" or tenant != "common":
        what = f"Without an app registration nobody can sign in to {where}."
        raise RegistrationError(what, why=why, who=Who.YOU, advice=advice)
