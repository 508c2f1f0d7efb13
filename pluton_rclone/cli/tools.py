"""Other commands: `web`, the page; `completion` for shells; `emulator` to try things."""

from __future__ import annotations

import functools
import os
import sys
from pathlib import Path
from typing import Any

import click

from . import complete
from .app import application
from .connect import CLIENT_ID
from .context import FILE, FOLDER, Context, command, flag, needs, valued
from .wanted import Wanted, registration

FOLDERS = "A folder to copy from and restore to; may be repeated. [default: ~/pluton-restores]"
WEB = ("jinja2", "starlette", "uvicorn")
EMULATOR = ("httptools", "starlette", "trustme", "uvicorn")
PERSON = valued("--person", None, "Who signs in.", default="anna@outlook.com", show_default=True)


@command()
@valued("--port", None, "The port. [default: a free one]", type=click.IntRange(0, 65535), default=0)
@valued("--host", "ADDRESS", "Listen on ADDRESS, not only locally; needs --public-url.")
@valued("--public-url", "URL", "The https:// address of the proxy in front, as browsers see it.")
@CLIENT_ID
@valued("--folder folders", "DIR", FOLDERS, type=FOLDER, multiple=True)
@flag("--no-browser", help="Print the address, but do not open a window.")
def web(
    ctx: Context, client_id: str | None, folders: tuple[Path, ...], no_browser: bool, **given: Any
) -> None:
    """Serve the page "Connecting OneDrive" until Ctrl-C.

    Open to this machine only; its address works once.

    \b
    pluton-rclone web
    pluton-rclone web --port 8080 --no-browser --folder /srv/data
    """
    needs("web", *WEB)
    from pluton_rclone.process.browser import open_in_browser
    from pluton_rclone.web import serve

    def ready(address: str) -> None:
        ctx.output.line({"address": address})
        ctx.output.say(f"The page is at {address}\nPress Ctrl-C to stop.")
        if not no_browser:
            open_in_browser(address)

    app = registration(Wanted(client_id=client_id), may_come=True)
    _ = ctx.new_storages.binary  # without it, no action on the page would succeed
    serve(ctx.new_storages, app=app, local_folders=folders or None, on_ready=ready, **given)


@click.command(context_settings={"ignore_unknown_options": True})
@valued("--port-file", "F", "Write the proxy's port to this file once it is ready.", type=FILE)
@PERSON
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
def emulator(port_file: Path | None, person: str, command: tuple[str, ...]) -> int:
    """Run a command against an emulated Microsoft.

    Without a command, serve until Ctrl-C. The command gets HTTPS_PROXY, SSL_CERT_FILE and
    REQUESTS_CA_BUNDLE, a BROWSER that acts as the person, and its own RCLONE_CONFIG unless you have
    set one.

    The accounts are anna@outlook.com (personal), bert@contoso.onmicrosoft.com (work) and
    admin@contoso.onmicrosoft.com (an administrator); a SharePoint site is at
    https://contoso.sharepoint.com/sites/Backups. `type-code CODE` enters a device code as the
    person.

    \b
    pluton-rclone emulator -- pluton-rclone connect demo \\
        --client-id 00001111-aaaa-2222-bbbb-3333cccc4444
    pluton-rclone emulator --person bert@contoso.onmicrosoft.com -- pluton-rclone connect team \\
        --site https://contoso.sharepoint.com/sites/Backups
    """
    needs("emulator", *EMULATOR)
    from pluton_rclone.emulator.command import run

    write = functools.partial(print, file=sys.stderr)
    return run(command, port_file=port_file, person=person, write=write)


@click.command()
@flag("--web", help="Open the page in your browser, instead of a shell.")
@flag("--no-browser", help="With --web: print the address, but do not open a window.")
@PERSON
def demo(web: bool, no_browser: bool, person: str) -> int:
    """Try everything without an account: Microsoft is emulated.

    Opens a shell with `pluton-rclone`, rclone and some files to back up, in which --person answers
    sign-ins; with --web, the page, where you sign in as anyone. Both have a control page with
    failures to switch on (consent refused, a missing permission, an expired sign-in, a full drive)
    and a field for device codes. Leave the shell with `exit`, the page with Ctrl-C; all is deleted.

    \b
    pluton-rclone demo --web
    pluton-rclone demo
    """
    needs(*("emulator,web", *EMULATOR, *WEB) if web else ("emulator", *EMULATOR))
    from pluton_rclone.emulator import command
    from pluton_rclone.rclone.binary import find_binary

    find_binary()
    page = ["pluton-rclone", "web", "--folder", "{files}", *["--no-browser"] * no_browser]
    shell = [os.environ.get("SHELL") or "sh"]
    return command.demo(page if web else shell, person="" if web else person)


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print a shell's completion script.

    \b
    eval "$(pluton-rclone completion bash)"
    pluton-rclone completion fish > ~/.config/fish/completions/pluton-rclone.fish
    """
    kind = {"bash": complete.Bash, "zsh": complete.Zsh, "fish": complete.Fish}[shell]
    print(kind(application, {}, "pluton-rclone", "_PLUTON_RCLONE_COMPLETE").source())
