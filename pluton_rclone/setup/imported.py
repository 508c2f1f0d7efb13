"""A token that was made elsewhere, taken over: read, renewed when it has ended, and its owner found
out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pluton_rclone.errors import OptionInvalid, TokenExpired, TokenInvalid
from pluton_rclone.microsoft.clouds import cloud
from pluton_rclone.microsoft.entra.app import AppRegistration
from pluton_rclone.microsoft.entra.paste import read_paste
from pluton_rclone.microsoft.entra.sign_in import SignIn, refresh
from pluton_rclone.microsoft.graph.graph import Graph
from pluton_rclone.microsoft.http import Http, pool


@dataclass(frozen=True)
class Imported:
    """A sign-in that was pasted. `app` is the registration that it belongs to, None for rclone's
    own; `options` are the others of a pasted remote (drive_id, drive_type, …) and may hold a
    secret.
    """

    sign_in: SignIn
    app: AppRegistration | None
    options: Mapping[str, str] = field(default_factory=dict, repr=False)
    name: str | None = None


def import_token(
    text: str,
    *,
    app: AppRegistration | None = None,
    region: str = "global",
    http: Http | None = None,
) -> Imported:
    """Takes over what was pasted, in any form that `read_paste` knows.

    A pasted remote names its own registration; otherwise the token is taken to belong to `app`, or
    to rclone's registration when that is None. One that has ended is renewed, which only its own
    registration can do. Whose it is, Graph is asked: the token itself stays closed. Raises
    `TokenInvalid` saying what is wrong with the paste, `TokenExpired`, and the rest of
    `SignInError` and `GraphError`.
    """
    pasted = read_paste(text)
    options = pasted.options
    app = _registration(options) or app
    home = cloud(options.get("region") or (app.region if app is not None else region))
    token = pasted.token
    with pool(http) as open_pool:
        if token.expired():
            if app is None:
                raise TokenExpired(
                    "This token has ended, and rclone's own registration can renew it in rclone "
                    "only.",
                    advice=(
                        "Run `rclone authorize onedrive` and paste what it prints within the hour."
                    ),
                )
            token = refresh(app, token, http=open_pool)
        graph = Graph(home, token, http=open_pool)
        account = graph.me()
    return Imported(SignIn(token, account, token.scopes, home.region), app, options, pasted.name)


def _registration(options: Mapping[str, str]) -> AppRegistration | None:
    client_id = options.get("client_id")
    if not client_id:
        return None
    try:
        return AppRegistration(
            client_id,
            tenant=options.get("tenant") or "common",
            region=options.get("region") or "global",
            client_secret=options.get("client_secret") or None,
        )
    except OptionInvalid as problem:
        raise TokenInvalid("The pasted remote cannot be used.", why=problem.what) from None
