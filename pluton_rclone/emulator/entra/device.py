"""The device code: given to a machine without a browser, typed by a person at another one."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pluton_rclone.emulator.hosts import CLOUDS

from . import pages, policy
from .aadsts import EntraError
from .credentials import read_credentials
from .endpoint import Endpoint, check_audience, find_app
from .interactive import Interaction, Page
from .keys import opaque
from .scopes import parse
from .sessions import DeviceCode, Flow, Sessions

if TYPE_CHECKING:
    from pluton_rclone.emulator.world import World

_ALPHABET = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"  # no characters that look alike


def issue(
    world: World, endpoint: Endpoint, form: Mapping[str, str], headers: Mapping[str, str]
) -> dict[str, Any]:
    """POST /oauth2/v2.0/devicecode; members as in entra-devicecode.json. Raises EntraError."""
    client_id = read_credentials(form, headers.get("authorization")).client_id
    try:
        app = find_app(world, endpoint, client_id)
    except EntraError as error:
        # For a single-tenant app at /common, this endpoint has a code of its own.
        raise EntraError(50059) if error.code == 50194 else error from None
    check_audience(endpoint, app)
    scope = form.get("scope")
    if not scope:
        raise EntraError(900144, parameter="scope")
    scopes = parse(scope, cloud=endpoint.cloud, app=app.name)
    policy.play_fault(world, "devicecode", None)
    lifetimes = world.lifetimes
    code = DeviceCode(
        "".join(secrets.choice(_ALPHABET) for _ in range(9)),
        app,
        endpoint,
        scopes,
        world.now() + lifetimes.device_code,
        lifetimes.device_poll_interval,
    )
    device_code = opaque("FAQABAAEAAAAm", 110)
    world.part(Sessions).device_codes[device_code] = code
    where = world.shown(CLOUDS[endpoint.cloud].device_page)
    return {
        "user_code": code.user_code,
        "device_code": device_code,
        "verification_uri": where,
        "expires_in": int(lifetimes.device_code),
        "interval": lifetimes.device_poll_interval,
        "message": f"To sign in, use a web browser to open the page {where} "
        f"and enter the code {code.user_code} to authenticate.",
    }


def enter(interaction: Interaction, host: str, user_code: str | None) -> Page:
    """The page where the code is typed, and what follows a right one."""
    action = f"https://{host}/common/oauth2/deviceauth"
    if user_code is None:
        return Page(pages.enter_code(action, wrong=False))
    code = interaction.sessions.device_code_of(user_code)
    if code is None or code.session is not None or interaction.world.now() >= code.expires:
        return Page(pages.enter_code(action, wrong=True))
    # A person who types a code must choose the account, even in a browser that is signed in.
    return interaction.begin(
        Flow(
            code.endpoint, code.app, code.scopes, public=True, prompt="select_account", device=code
        )
    )
