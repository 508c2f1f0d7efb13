"""Permissions: the fewest that suffice, the missing ones, their meaning, and admin consent.

Source: microsoftgraph/microsoft-graph-devx-content @6cbd6bbd665a, permissions.json and
permissions-descriptions.json (2026-08-07; MC1097272 for the policy that requires admin consent).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Literal
from urllib.parse import urlencode

from .app import AppRegistration

Place = Literal["own", "shared", "sharepoint"]

# In the words of Microsoft's consent page.
_IN_WORDS = {
    "Files.Read": "read your files",
    "Files.ReadWrite": "read and write your files",
    "Files.Read.All": "read all files that you have access to, including others'",
    "Files.ReadWrite.All": "read and write all files that you have access to, including others'",
    "Sites.Read.All": "find and read SharePoint sites",
    "Sites.ReadWrite.All": "read and write in SharePoint sites",
    "User.Read": "read your profile",
}

# A grant of the key includes all of the values.
_IMPLIES = {
    "Files.ReadWrite": {"Files.Read"},
    "Files.Read.All": {"Files.Read"},
    "Files.ReadWrite.All": {"Files.Read", "Files.ReadWrite", "Files.Read.All"},
    "Sites.Read.All": set[str](),
    "Sites.ReadWrite.All": {"Sites.Read.All"},
    "Sites.FullControl.All": {"Sites.Read.All", "Sites.ReadWrite.All"},
}

# OpenID's own scopes: MSAL adds them to every request, and rejects them as arguments.
OPENID = ("openid", "profile", "offline_access")

# Microsoft ignores the port, which differs at each sign-in.
_LOOPBACK = re.compile(r"^(http://localhost):[0-9]{1,5}\Z")

# For a user who may be able to consent alone; the error's link is `admin_consent_url`.
ACCEPT_OR_ASK = (
    "Sign in again and accept the permissions. If Microsoft then asks for an administrator, "
    "send them the consent address below."
)


def least(place: Place = "own", *, access: Literal["write", "read"] = "write") -> tuple[str, ...]:
    """The fewest permissions for the user's own drive, folders that others share, or SharePoint
    libraries. `access="read"` is for a storage that is never written to."""
    files = "Files.ReadWrite" if access == "write" else "Files.Read"
    if place == "own":
        return (files,)
    return (f"{files}.All", "Sites.Read.All")[: 1 if place == "shared" else 2]


def short_names(scopes: Iterable[str]) -> tuple[str, ...]:
    """Sorted names without the resource (https://graph.microsoft.com/) and OpenID's own scopes."""
    names = {scope.rsplit("/", 1)[-1] for scope in scopes}
    return tuple(sorted(name for name in names if name and name.lower() not in (*OPENID, "email")))


def missing(granted: Iterable[str], wanted: Iterable[str]) -> tuple[str, ...]:
    """The scopes of `wanted` that were not granted (`Files.ReadWrite.All` includes the others)."""
    have: set[str] = set()
    for name in short_names(granted):
        have |= {name.lower(), *(implied.lower() for implied in _IMPLIES.get(name, ()))}
    return tuple(name for name in short_names(wanted) if name.lower() not in have)


def reading(granted: Iterable[str]) -> tuple[str, ...]:
    """The read-only form of these scopes: `Files.Read` for `Files.ReadWrite`."""
    return short_names(name.replace("ReadWrite", "Read") for name in granted)


def in_words(scopes: Iterable[str]) -> str:
    """Scopes in words, such as `read and write your files (Files.ReadWrite)`, joined with "; "."""
    names = short_names(scopes)
    return "; ".join(f"{_IN_WORDS[one]} ({one})" if one in _IN_WORDS else one for one in names)


def remote_options(granted: Iterable[str]) -> dict[str, Any]:
    """rclone's options for the granted scopes. rclone uses `access_scopes` in its own `config
    reconnect` (its refresh sends no scope), but ignores it with `disable_site_permission`, which
    requests access to everybody's files instead (its onedrive.go, `makeOauthConfig`)."""
    asked = [name for name in short_names(granted) if name != "User.Read"]
    scopes = " ".join([*asked, "offline_access"])
    return {"access_scopes": scopes, "disable_site_permission": False}


def admin_consent_url(
    app: AppRegistration,
    scopes: Iterable[str] = (),
    *,
    tenant: str | None = None,
    redirect_uri: str = "",
) -> str:
    """The address where an administrator consents. Without `scopes` it requests every permission
    that the registration lists, the only way for application permissions. `tenant` is the user's
    organisation, `redirect_uri` the sign-in's, if known. The page after the redirect may not load,
    but the consent is recorded. A public client has registered http://localhost; a confidential one
    without `redirect_uri` gets an address without a redirect, which requests every permission.
    Sources: Entra's v2-admin-consent.md @0ec14b1a8574, grant-admin-consent.md @23507cb02043."""
    where = tenant or app.tenant
    if where in ("common", "consumers"):
        where = "organizations"
    host = app.cloud.other_consent_host or app.cloud.login_host
    query = {"client_id": app.client_id}
    if not redirect_uri and app.confidential:
        return f"https://{host}/{where}/adminconsent?{urlencode(query)}"
    root, names = app.cloud.graph_root, short_names(scopes)
    # Where users may not consent at all, OpenID's own scopes need admin consent, too.
    wanted = [*(f"{root}/{name}" for name in names), *OPENID] if names else [f"{root}/.default"]
    query["scope"] = " ".join(wanted)
    query["redirect_uri"] = _LOOPBACK.sub(r"\1", redirect_uri or "http://localhost")
    return f"https://{host}/{where}/v2.0/adminconsent?{urlencode(query)}"
