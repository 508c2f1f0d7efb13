"""The group of all commands: each command's module, loaded on call; "did you mean" for the rest."""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from typing import Any

import click

EPILOG = """\
Exit codes: 0 done · 1 something else · 2 wrong usage · 3 sign-in · 4 Microsoft refused, or a test \
failed · 5 rclone.conf or an option · 6 rclone missing or too old · 7 a transfer did not complete, \
or files differ · 8 Microsoft cannot be reached, or asks to wait · 130 stopped.
"""

# command: the module below pluton_rclone.cli that defines it, in the order of --help
COMMANDS = {
    command: module
    for module, commands in (
        ("connect", "connect"),
        ("storages", "storages show test"),
        ("care", "health keep-alive reauthorize"),
        ("repair", "repair"),
        ("care", "set rename remove"),
        ("storages", "export"),
        ("care", "drives sites"),
        ("files", "ls tree stat cat about"),
        ("transfers", "copy sync move delete check"),
        ("preflight", "preflight"),
        ("restic", "restic"),
        ("reference", "inspect options versions errors doctor schema"),
        ("tools", "web completion emulator"),
    )
    for command in commands.split()
}

# What people call a use of another command, or a command that has another name here.
OTHERWISE = {
    "restore": "To restore, copy the other way: pluton-rclone copy NAME:path FOLDER",
    "download": "To download: pluton-rclone copy NAME:path FOLDER",
    "backup": "To back up: pluton-rclone copy FOLDER NAME:path",
    "upload": "To upload: pluton-rclone copy FOLDER NAME:path",
    "verify": "To verify a backup: pluton-rclone check FOLDER NAME:path",
    "add": "To add a storage: pluton-rclone connect NAME",
    "login": "To sign in: pluton-rclone connect NAME, or reauthorize NAME for an existing storage",
    "list": "To list storages: pluton-rclone storages; files: pluton-rclone ls NAME:path",
}

# Where the function cannot have the command's name.
FUNCTIONS = {"set": "set_options", "keep-alive": "keep_alive"}


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A hint at the known word that is most like this one; empty if none is."""
    import difflib

    near = difflib.get_close_matches(word, known, n=1)
    return f"Did you mean {near[0]!r}?" if near else ""


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
        except KeyboardInterrupt:
            # Before click sees it, which would print an empty line even under --json.
            raise click.Abort from None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and not args[0].startswith("-") and args[0] not in COMMANDS:
            hint = OTHERWISE.get(args[0]) or did_you_mean(args[0], COMMANDS)
            raise click.UsageError(f"There is no command {args[0]!r}. {hint}".rstrip(), ctx)
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
