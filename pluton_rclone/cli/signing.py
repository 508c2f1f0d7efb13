"""Signing in at a terminal, in each of the ways that there are."""

from __future__ import annotations

import sys
import time
from functools import partial
from typing import TYPE_CHECKING, Literal, get_args

import click

from pluton_rclone.errors import Cancelled, RegistrationError, UsageError
from pluton_rclone.values.units import counted

from . import ask
from .output import Output

if TYPE_CHECKING:
    from pluton_rclone.microsoft.entra.device_code import DeviceCode
    from pluton_rclone.microsoft.entra.scopes import Place
    from pluton_rclone.setup.connect import StorageSetup

Method = Literal["browser", "device", "app", "rclone", "token"]
METHOD = click.Choice(get_args(Method))

ASKED = {
    "own": "read and write your own files",
    "shared": "read and write the files that others share with you",
    "sharepoint": "read and write SharePoint files, and find sites",
}


def sign_in(
    setup: StorageSetup, method: Method, output: Output, *, place: Place, confirm: bool = False
) -> None:
    """Signs in and says as which account. `confirm` asks at the terminal whether it is the right
    one, because another person may have finished the sign-in. Cancelled if it is not."""
    if method in ("browser", "device", "app"):
        try:
            setup.app  # noqa: B018 - RegistrationError now, before anything is said
        except RegistrationError as problem:
            problem.advice += " The options are --client-id and --method rclone."
            raise
    if method in ("browser", "rclone"):
        asked = ASKED[place] if setup.access == "write" else ASKED[place].replace(" and write", "")
        output.say(f"Authorize with OneDrive: Microsoft asks to {asked}, and to stay connected.")
    show, show_device = partial(show_address, output), partial(show_code, output)
    if method == "browser":
        account = setup.sign_in_with_browser(place=place, show_address=show)
    elif method == "device":
        account = setup.sign_in_with_device_code(place=place, show=show_device)
    elif method == "app":
        account = setup.sign_in_as_app()
    elif method == "rclone":
        from pluton_rclone.process.browser import open_in_browser

        account = setup.sign_in_with_rclone(
            place=place, show_address=lambda url: show(url, open_in_browser(url))
        )
    else:
        pasted = ask.paste(output, "Paste what `rclone authorize onedrive` printed")
        if not pasted.strip():
            advice = "Give the token on stdin: … --method token < token.json"
            raise UsageError("Nothing was pasted.", advice=advice)
        account = setup.use_token(pasted)
    output.say(f"Signed in as {account}")
    unsure = confirm and method in ("browser", "device", "rclone") and ask.interactive(output)
    if unsure and not click.confirm("Is that the right account?", default=True, err=True):
        raise Cancelled("Nothing was saved.", advice="Sign in again with the right account.")


def show_address(output: Output, url: str, opened: bool) -> None:
    """Where to sign in; if no window has opened, the person opens the address."""
    output.line({"sign_in_address": url, "opened": opened})
    sys.stdout.flush()
    output.say(
        "A browser window has opened; waiting for you there. No window? Then open this address "
        f"yourself:\n  {url}"
        if opened
        else f"Open this address in a browser on this machine; waiting for you there:\n  {url}"
    )
    output.say(
        "It waits for ten minutes. If the page shows an error (AADSTS…), press Ctrl-C: "
        "`pluton-rclone errors AADSTS…` explains it. Without a browser: Ctrl-C, then --method "
        "device (with a client id) or --method token."
    )


def show_code(output: Output, code: DeviceCode) -> None:
    """The code to type on another device."""
    members = ("verification_uri", "user_code", "expires")
    output.line({name: getattr(code, name) for name in members})
    sys.stdout.flush()
    minutes = max(1, round((code.expires - time.time()) / 60))
    output.say(
        f"On any device, open {code.verification_uri} and type the code {code.user_code}\n"
        f"The code can be used for {counted(minutes, 'minute')}; waiting for you there."
    )
