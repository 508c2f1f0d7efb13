"""The address at which an administrator agrees for the whole organisation."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import urlencode

from .app import AppRegistration
from .scopes import OPENID, full_names

ACCEPT_OR_ASK = (
    "Sign in again and accept the permissions. If Microsoft then asks for an administrator, "
    "send them the consent address below."
)
"""For a person who may be able to agree alone; the error's link is the address made here."""


def admin_consent_url(
    app: AppRegistration,
    scopes: Iterable[str] = (),
    *,
    tenant: str | None = None,
    redirect_uri: str | None = None,
    state: str | None = None,
) -> str:
    """The address for an administrator of the organisation, in the registration's cloud.

    Without `scopes` it asks for all that the registration lists, the only way for application
    permissions. `tenant` is the person's organisation if known. `redirect_uri` must be registered;
    the default http://localhost ends on a page that does not load, and the consent is recorded all
    the same. Source: Entra's v2-admin-consent.md (tenant id, domain or organizations, not common).
    """
    where = tenant or app.tenant
    if where in ("common", "consumers"):
        where = "organizations"
    wanted = full_names(scopes, app.cloud)
    # Where people may not agree to anything, OpenID's own want the administrator as well.
    wanted = (*wanted, *OPENID) if wanted else (f"{app.cloud.graph_root}/.default",)
    query = {
        "client_id": app.client_id,
        "scope": " ".join(wanted),
        "redirect_uri": redirect_uri or "http://localhost",
    }
    if state is not None:
        query["state"] = state
    return f"https://{app.cloud.consent_host}/{where}/v2.0/adminconsent?{urlencode(query)}"
