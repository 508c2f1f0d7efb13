"""Questions and sign-ins at a terminal; a script gets an error that names the missing option."""

from __future__ import annotations

import codecs
import os
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeVar, get_args

import click

from pluton_rclone import errors
from pluton_rclone.errors import UsageError
from pluton_rclone.values.printable import printable
from pluton_rclone.values.units import counted, system_says

from .output import Output

if TYPE_CHECKING:
    from pluton_rclone.microsoft.entra.device_code import DeviceCode
    from pluton_rclone.setup.connect import StorageSetup

Thing = TypeVar("Thing")


def interactive(output: Output) -> bool:
    """Whether there is a person to ask."""
    return sys.stdin.isatty() and not output.as_json


def choose(
    output: Output,
    question: str,
    things: Sequence[tuple[str, Thing]],
    *,
    option: str,
    default: int = 1,
) -> Thing:
    """The only one of (label, thing), or the one chosen by number or by a word of its label.
    Without a person, UsageError lists the labels and `option`."""
    if len(things) == 1:
        return things[0][1]
    if not interactive(output):
        labels = "; ".join(label for label, _ in things)
        what = f"{question}: there are {len(things)} to choose from."
        raise UsageError(what, why=labels, advice=f"Give {option}.")
    for number, (label, _) in enumerate(things, 1):
        output.say(f"  {number:>3}  {printable(label)}")

    def meant(answer: str) -> Thing:
        word = answer.strip().casefold()
        if word.isdecimal() and 1 <= int(word) <= len(things):
            return things[int(word) - 1][1]
        labels = [label.casefold() for label, _ in things]
        for fits in (str.__eq__, str.startswith, str.__contains__):
            found = [number for number, label in enumerate(labels) if word and fits(label, word)]
            if len(found) == 1:
                return things[found[0]][1]
        raise click.UsageError(f"Type a number from 1 to {len(things)}, or a word of one line.")

    return click.prompt(question, default=str(default), err=True, value_proc=meant)


def text(
    output: Output,
    question: str,
    *,
    option: str,
    default: str | None = None,
    check: Callable[[str], object] = lambda answer: None,
) -> str:
    """A line of text, asked again if `check` raises. Without a person, UsageError with `option`."""
    if not interactive(output):
        raise UsageError(f"{question} is missing.", advice=f"Give {option}.")
    while True:
        answer = click.prompt(question, default=default, err=True, show_default=bool(default))
        try:
            check(answer.strip())
            return str(answer.strip())
        except (UsageError, errors.OptionInvalid, errors.StorageExists) as error:
            output.error(error)


def paste(output: Output, prompt: str) -> str:
    """Read stdin to its end; at a terminal hidden, and not by lines of 4,095 bytes (termios)."""
    if sys.platform == "win32" or not sys.stdin.isatty():
        return text_of(sys.stdin.buffer.read())
    import termios

    end, pasted, terminal = b"\x04", b"", sys.stdin.fileno()
    before, ours = termios.tcgetattr(terminal), termios.tcgetattr(terminal)
    ours[3] &= ~(termios.ICANON | termios.ECHO)
    termios.tcsetattr(terminal, termios.TCSANOW, ours)
    try:
        output.say(f"{prompt}, then press Ctrl-D (the text is not shown):")
        while end not in pasted and (block := os.read(terminal, 65536)):
            pasted += block
    finally:
        termios.tcsetattr(terminal, termios.TCSANOW, before)
    return pasted.partition(end)[0].decode(errors="replace")


def text_of(data: bytes) -> str:
    """The text of a file, also one written by PowerShell's >, which is UTF-16."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16", errors="replace")
    return data.decode("utf-8-sig", errors="surrogateescape")


def secret_in(file: Path) -> str:
    """The secret in a file. UsageError, also if it is empty."""
    try:
        found = text_of(file.read_bytes()).strip()
        found.encode()  # UnicodeError for bytes in another encoding
    except (OSError, UnicodeError) as error:
        what = f"The file {file} cannot be read."
        advice = "Check its path and permissions, and that it is UTF-8 text."
        raise UsageError(what, why=system_says(error), advice=advice) from None
    if not found:
        raise UsageError(f"The file {file} is empty.", advice="Write the secret into it.")
    return found


def secret(
    output: Output, question: str, *, variable: str, file: Path | None = None, twice: bool = False
) -> str:
    """A secret: from a file, else the environment, else typed without echo, else a stdin line."""
    if file is not None:
        return secret_in(file)
    if os.environ.get(variable):
        output.say(f"{question}: taken from {variable}")
        return os.environ[variable]
    if interactive(output):
        return str(click.prompt(question, hide_input=True, err=True, confirmation_prompt=twice))
    line = sys.stdin.readline().strip()
    if not line:
        raise UsageError(f"{question} is missing.", advice=f"Set {variable}, or give it on stdin.")
    return line


# ---- signing in, in each of the ways that there are ----

Method = Literal["browser", "device", "app", "rclone", "token"]
METHOD = click.Choice(get_args(Method))

ASKED = {
    "own": "read and write your own files",
    "shared": "read and write the files that others share with you",
    "sharepoint": "read and write SharePoint files, and find sites",
}


def usual_method(setup: StorageSetup) -> Method:
    """The default way to sign in, depending on the registration."""
    return "browser" if setup.has_app else "rclone"


def sign_in(setup: StorageSetup, method: Method, output: Output, *, confirm: bool = False) -> None:
    """Sign in, and report the account. With `confirm`, ask at the terminal whether it is the right
    one, because another person may have finished the sign-in; Cancelled if not."""
    if method in ("browser", "device", "app"):
        try:
            setup.app  # noqa: B018 - RegistrationError now, before any output
        except errors.RegistrationError as problem:
            problem.advice += " The options for that are --client-id and --method rclone."
            raise
    if method in ("browser", "rclone"):
        asked = ASKED[setup.place]
        asked = asked if setup.access == "write" else asked.replace(" and write", "")
        output.say(f"Authorize with OneDrive: the app asks to {asked}, and to stay connected.")
    show, show_device = partial(show_address, output), partial(show_code, output)
    if method == "browser":
        account = setup.sign_in_with_browser(show_address=show)
    elif method == "device":
        account = setup.sign_in_with_device_code(show=show_device)
    elif method == "app":
        account = setup.sign_in_as_app()
    elif method == "rclone":
        from pluton_rclone.process.browser import open_in_browser

        account = setup.sign_in_with_rclone(
            show_address=lambda url: show(url, open_in_browser(url))
        )
    else:
        which = f"a token of the app registration {setup.app.client_id}" if setup.has_app else ""
        which = which or "what `rclone authorize onedrive` printed"
        pasted = paste(output, f"Paste {which}, or a whole remote")
        if not pasted.strip():
            advice = "Give the token on stdin: … --method token < token.json"
            raise UsageError("Nothing was pasted.", advice=advice)
        account = setup.use_token(pasted)
    output.say(f"Signed in as {account}")
    unsure = confirm and method in ("browser", "device", "rclone") and interactive(output)
    if unsure and not click.confirm("Is that the right account?", default=True, err=True):
        raise errors.Cancelled("Nothing was saved.", advice="Sign in again with the right account.")


def show_address(output: Output, url: str, opened: bool) -> None:
    """Show where to sign in; if no window has opened, the person opens the address."""
    output.line({"sign_in_address": url, "opened": opened})
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
    """Show the code to enter on another device."""
    members = ("verification_uri", "user_code", "expires")
    output.line({name: getattr(code, name) for name in members})
    minutes = max(1, round((code.expires - time.time()) / 60))
    output.say(
        f"On any device, open {code.verification_uri} and type the code {code.user_code}\n"
        f"The code expires in {counted(minutes, 'minute')}; waiting for you there.\n"
        "If the page shows an error (AADSTS…), `pluton-rclone errors AADSTS…` explains it."
    )
