"""Admin consent: an administrator agrees to an app's permissions for everyone in the
organisation."""

from __future__ import annotations

from collections.abc import Mapping

from .aadsts import EntraError
from .endpoint import Endpoint, find_app, is_native_redirect
from .interactive import Interaction, Page
from .scopes import Scopes, parse
from .sessions import Flow


def begin(interaction: Interaction, endpoint: Endpoint, query: Mapping[str, str]) -> Page:
    """GET /{tenant}/v2.0/adminconsent. `common` is refused, as the documents say. Raises
    EntraError."""
    if endpoint.segment == "common" or (endpoint.tenant is not None and endpoint.tenant.personal):
        raise EntraError(90002, tenant=endpoint.segment)
    app = find_app(interaction.world, endpoint, query.get("client_id", ""))
    redirect_uri = query.get("redirect_uri")
    if redirect_uri is not None:
        is_native_redirect(app, redirect_uri)
    scope = query.get("scope")
    scopes = parse(scope, cloud=endpoint.cloud, app=app.name) if scope else Scopes(default=True)
    return interaction.begin(
        Flow(
            endpoint,
            app,
            scopes,
            redirect_uri=redirect_uri,
            state=query.get("state"),
            prompt="select_account",
            admin_consent=True,
        )
    )
