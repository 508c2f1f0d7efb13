"""The emulated host names of Microsoft, with the cloud and the service that each belongs to.

Source: clouds.json of the facts; repeated here on purpose, so that the emulator does not share a
mistake in the product's own list.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from functools import lru_cache


class Service(enum.Enum):
    """The service behind a host name."""

    LOGIN = "login"  # the sign-in service, Microsoft Entra
    DEVICE_PAGE = "device page"  # where a person types a device code
    GRAPH = "graph"
    SHAREPOINT = (
        "sharepoint"  # a tenant's sites and personal sites: downloads, upload sessions, /_api/v2.0
    )
    CONTENT = "content"  # pre-authenticated hosts of personal drives: uploads, downloads


@dataclass(frozen=True)
class CloudHosts:
    """The host names of one national cloud."""

    cloud: str
    login: str  # the host that rclone uses
    login_aliases: tuple[str, ...]
    issuer: str  # the host in the tokens' `iss`; differs from `login` in China
    graph: str
    sharepoint: str  # the suffix of {tenant}.… and {tenant}-my.…
    device_page: str  # verification_uri of the device code


CLOUDS: dict[str, CloudHosts] = {
    "global": CloudHosts(
        "global",
        login="login.microsoftonline.com",
        login_aliases=("login.microsoft.com", "login.windows.net", "sts.windows.net"),
        issuer="login.microsoftonline.com",
        graph="graph.microsoft.com",
        sharepoint="sharepoint.com",
        device_page="https://microsoft.com/devicelogin",
    ),
    "us": CloudHosts(
        "us",
        login="login.microsoftonline.us",
        login_aliases=("login.usgovcloudapi.net", "login-us.microsoftonline.com"),
        issuer="login.microsoftonline.us",
        graph="graph.microsoft.us",
        sharepoint="sharepoint.us",
        device_page="https://microsoft.com/deviceloginus",
    ),
    "de": CloudHosts(
        "de",
        login="login.microsoftonline.de",
        login_aliases=(),
        issuer="login.microsoftonline.de",
        graph="graph.microsoft.de",
        sharepoint="sharepoint.de",
        device_page="https://login.microsoftonline.de/common/oauth2/deviceauth",
    ),
    "cn": CloudHosts(
        "cn",
        login="login.chinacloudapi.cn",
        login_aliases=("login.partner.microsoftonline.cn",),
        issuer="login.partner.microsoftonline.cn",
        graph="microsoftgraph.chinacloudapi.cn",
        sharepoint="sharepoint.cn",
        device_page="https://login.partner.microsoftonline.cn/common/oauth2/deviceauth",
    ),
}

# Where personal drives store bytes: upload sessions, downloads, thumbnails, the old API's copy
# monitor.
CONTENT_HOSTS = (
    "my.microsoftpersonalcontent.com",
    "api.onedrive.com",
    "onedrive.live.com",
    "1drv.ms",
)
CONTENT_SUFFIXES = ("up.1drv.com", "files.1drv.com")
DEVICE_PAGE_HOSTS = ("microsoft.com", "www.microsoft.com", "aka.ms")


@lru_cache(maxsize=4096)
def place(host: str) -> tuple[str, Service] | None:
    """The cloud ("global", "us", "de", "cn") and the service of a host name; None if unknown."""
    host = host.lower().rstrip(".")
    for hosts in CLOUDS.values():
        if host == hosts.login or host in hosts.login_aliases:
            return hosts.cloud, Service.LOGIN
        if host == hosts.graph:
            return hosts.cloud, Service.GRAPH
        label, dot, suffix = host.partition(".")
        if dot and label and suffix == hosts.sharepoint:
            return hosts.cloud, Service.SHAREPOINT
    if host in DEVICE_PAGE_HOSTS:
        return "global", Service.DEVICE_PAGE
    if host in CONTENT_HOSTS or any(host.endswith(f".{suffix}") for suffix in CONTENT_SUFFIXES):
        return "global", Service.CONTENT
    return None


def certificate_names() -> list[str]:
    """Every name for the server's certificate, wildcards where Microsoft generates host names."""
    names = [*CONTENT_HOSTS, *DEVICE_PAGE_HOSTS, *(f"*.{suffix}" for suffix in CONTENT_SUFFIXES)]
    for hosts in CLOUDS.values():
        names += [hosts.login, *hosts.login_aliases, hosts.graph, f"*.{hosts.sharepoint}"]
    return names
