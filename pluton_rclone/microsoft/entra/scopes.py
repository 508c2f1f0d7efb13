"""Permissions: how little is enough, what is missing, what each means, how an administrator agrees.

Source: microsoftgraph/microsoft-graph-devx-content @6cbd6bbd665a, permissions.json and
permissions-descriptions.json (2026-08-07; MC1097272 for the policy that wants an administrator).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Literal
from urllib.parse import urlencode

from .app import AppRegistration

Place = Literal["own", "shared", "sharepoint"]

# As on Microsoft's consent page.
_IN_WORDS = {
    "Files.Read": "read your files",
    "Files.ReadWrite": "read and write your files",
    "Files.Read.All": "read all files that you have access to, also those of others",
    "Files.ReadWrite.All": "read and write all files that you have access to, also those of others",
    "Sites.Read.All": "find and read SharePoint sites",
    "Sites.ReadWrite.All": "read and write in SharePoint sites",
    "User.Read": "read your profile",
}

# Granting the left one gives all of the right.
_IMPLIES = {
    "Files.ReadWrite": {"Files.Read"},
    "Files.Read.All": {"Files.Read"},
    "Files.ReadWrite.All": {"Files.Read", "Files.ReadWrite", "Files.Read.All"},
    "Sites.Read.All": set[str](),
    "Sites.ReadWrite.All": {"Sites.Read.All"},
    "Sites.FullControl.All": {"Sites.Read.All", "Sites.ReadWrite.All"},
}

# OpenID's own: MSAL adds them to every request and refuses to be handed them.
OPENID = ("openid", "profile", "offline_access")

# Its port does not count, and is another one at each sign-in.
_LOOPBACK = re.compile(r"^(http://localhost):[0-9]{1,5}\Z")

# For a person who may be able to agree alone; the error's link is the address made here.
ACCEPT_OR_ASK = (
    "Sign in again and accept the permissions. If Microsoft then asks for an administrator, "
    "send them the consent address below."
)


def least(place: Place = "own", *, access: Literal["write", "read"] = "write") -> tuple[str, ...]:
    """The fewest permissions for the own drive, folders that others share, SharePoint libraries;
    `access="read"` if the storage is only read from."""
    files = "Files.ReadWrite" if access == "write" else "Files.Read"
    if place == "own":
        return (files,)
    return (f"{files}.All", "Sites.Read.All")[: 1 if place == "shared" else 2]


def short_names(scopes: Iterable[str]) -> tuple[str, ...]:
    """Names without the resource (https://graph.microsoft.com/), sorted, without OpenID's own."""
    names = {scope.rsplit("/", 1)[-1] for scope in scopes}
    return tuple(sorted(name for name in names if name and name.lower() not in (*OPENID, "email")))


def missing(granted: Iterable[str], wanted: Iterable[str]) -> tuple[str, ...]:
    """The part of `wanted` that was not granted (`Files.ReadWrite.All` contains the others)."""
    have: set[str] = set()
    for name in short_names(granted):
        have |= {name.lower(), *(implied.lower() for implied in _IMPLIES.get(name, ()))}
    return tuple(name for name in short_names(wanted) if name.lower() not in have)


def reading(granted: Iterable[str]) -> tuple[str, ...]:
    """What of these is needed to read: `Files.Read` of `Files.ReadWrite`."""
    return short_names(name.replace("ReadWrite", "Read") for name in granted)


def in_words(scopes: Iterable[str]) -> str:
    """`read and write your files (Files.ReadWrite)`, joined with semicolons."""
    names = short_names(scopes)
    return "; ".join(f"{_IN_WORDS[one]} ({one})" if one in _IN_WORDS else one for one in names)


def remote_options(granted: Iterable[str]) -> dict[str, Any]:
    """rclone's options for what was granted. rclone uses `access_scopes` at its own `config
    reconnect` (its refresh sends no scope), but not beside `disable_site_permission`, which asks
    for everybody's files instead (its onedrive.go, `makeOauthConfig`)."""
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
    """The address for an administrator of the organisation. Without `scopes` it asks for all that
    the registration lists, the only way for application permissions. `tenant` is the person's
    organisation, `redirect_uri` the sign-in's, if known. A page there may not load at the end, but
    the consent is recorded. A public client has registered http://localhost; of another whose
    address is not known, the form without one asks for all. Sources: Entra's v2-admin-consent.md
    @0ec14b1a8574, grant-admin-consent.md @23507cb02043."""
    where = tenant or app.tenant
    if where in ("common", "consumers"):
        where = "organizations"
    host = app.cloud.other_consent_host or app.cloud.login_host
    query = {"client_id": app.client_id}
    if not redirect_uri and app.confidential:
        return f"https://{host}/{where}/adminconsent?{urlencode(query)}"
    root, names = app.cloud.graph_root, short_names(scopes)
    # Where people may not agree to anything, OpenID's own need the administrator as well.
    wanted = [*(f"{root}/{name}" for name in names), *OPENID] if names else [f"{root}/.default"]
    query["scope"] = " ".join(wanted)
    query["redirect_uri"] = _LOOPBACK.sub(r"\1", redirect_uri or "http://localhost")
    return f"https://{host}/{where}/v2.0/adminconsent?{urlencode(query)}"
