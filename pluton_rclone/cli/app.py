"""The group of all commands, which loads their modules when called; hints for unknown ones."""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from typing import Any

import click

from pluton_rclone.process.interrupts import interruptible
from pluton_rclone.values.units import nearest

from .context import SHARED
from .output import ours

CODES = {
    0: "done",
    1: "another error",
    2: "wrong usage",
    3: "sign-in",
    4: "Microsoft refused, or a test failed",
    5: "rclone.conf or an option",
    6: "rclone missing or too old",
    7: "a transfer did not complete, or files differ",
    8: "Microsoft cannot be reached, or asks to wait",
    130: "stopped",
}
EVERY = (0, 1, 2, 130)


def exit_codes(numbers: Iterable[int] = CODES) -> str:
    """The sentence about these exit codes in a --help."""
    return f"Exit codes: {' · '.join(f'{code} {CODES[code]}' for code in sorted(numbers))}.\n"


# In the order of --help: a heading; below it, a module of pluton_rclone.cli, its commands' exit
# codes in addition to those of every command, and the commands.
TABLE = """\
Connect
  connect 345678 connect import
  storages 56 storages show
  storages 345678 test
  care 345678 reauthorize repair
  care 345678 set rename remove
  care 34568 drives sites
  storages 56 export
Back up and restore
  transfers 345678 copy sync move delete check
  files 345678 preflight
  restic 345678 restic
Look at files
  files 345678 ls tree stat cat size about mount serve
Look after storages
  care 4568 health keep-alive
  storages 5 encrypt
  reference 56 inspect
  reference - doctor
  history 5 history
  history 345678 again
  timer 5 timer
Many storages
  flows 5 plan
  flows 345678 flow
Learn and try
  reference - errors
  reference 5 options
  reference 67 versions
  tools 56 web
  tools 6 demo
  tools - emulator
For programs
  reference - schema
  tools - completion
  man - man
"""
GROUPS: dict[str, list[str]] = {}  # heading: commands
COMMANDS: dict[str, tuple[str, list[int]]] = {}  # command: module, exit codes
for line in TABLE.splitlines():
    if line[0] != " ":
        group = GROUPS.setdefault(line, [])
        continue
    module, numbers, *named = line.split()
    group += named
    COMMANDS |= dict.fromkeys(named, (module, [int(one) for one in numbers if one.isdigit()]))

# Other common names for a command, or for a use of one.
OTHERWISE = {
    "restore": "To restore, copy the other way: pluton-rclone copy NAME:path FOLDER",
    "download": "To download: pluton-rclone copy NAME:path FOLDER",
    "backup": "To back up: pluton-rclone copy FOLDER NAME:path",
    "upload": "To upload: pluton-rclone copy FOLDER NAME:path",
    "verify": "To verify a backup: pluton-rclone check FOLDER NAME:path",
    "add": "To add a storage: pluton-rclone connect NAME",
    "login": "To sign in: pluton-rclone connect NAME, or reauthorize NAME for an existing storage",
    "reconnect": "To sign in again: pluton-rclone reauthorize NAME",
    "config": "To connect: pluton-rclone connect NAME; to change a storage: set NAME OPTION=VALUE",
    "edit": "To change a storage: pluton-rclone set NAME OPTION=VALUE, or rename NAME NEW_NAME",
    "remotes": "To list storages: pluton-rclone storages",
    "rm": "To delete: pluton-rclone delete NAME:path",
    "help": "For help: pluton-rclone --help, or after a command: pluton-rclone connect --help",
    "list": "To list storages: pluton-rclone storages; files: pluton-rclone ls NAME:path",
}

# Functions that cannot have the command's name.
FUNCTIONS = {"set": "set_options", "keep-alive": "keep_alive", "import": "import_"}


class LazyGroup(click.Group):
    """Imports commands when they are called, so that `--help` and completion stay fast."""

    called = ""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Apply options before the command as if they came after it."""
        left = super().parse_args(ctx, args)
        given = {name: value for name, value in ctx.params.items() if value not in (None, False)}
        ctx.default_map = dict.fromkeys(COMMANDS, given)
        return left

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, codes = COMMANDS[cmd_name]
        place = importlib.import_module(f".{module}", __package__)
        command = getattr(place, FUNCTIONS.get(cmd_name, cmd_name))
        assert isinstance(command, click.Command)
        command.epilog = exit_codes({*EVERY, *codes})
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """In groups, in columns of one width."""
        width = max(map(len, COMMANDS))
        for heading, names in GROUPS.items():
            with formatter.section(heading):
                for name in names:
                    command = self.get_command(ctx, name)
                    assert command is not None
                    short = command.get_short_help_str(formatter.width - width - 6)
                    formatter.write_dl([(name.ljust(width), short)])

    def invoke(self, ctx: click.Context) -> Any:
        try:
            with interruptible():
                return super().invoke(ctx)
        except KeyboardInterrupt:
            # Before click handles it: click would print an empty line even under --json.
            raise click.Abort from None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and not args[0].startswith("-") and args[0] not in COMMANDS:
            meant = nearest(args[0], COMMANDS)
            hint = f"Did you mean {meant!r}?" if meant else ""
            hint = OTHERWISE.get(args[0], hint).replace("pluton-rclone", ours())
            raise click.UsageError(f"There is no command {args[0]!r}. {hint}".rstrip(), ctx)
        LazyGroup.called = args[0] if args else ""
        return super().resolve_command(ctx, args)


@click.group(
    cls=LazyGroup,
    help="Connect Microsoft OneDrive as storage for backups, and run rclone with it.",
    epilog=exit_codes(),
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(package_name="pluton-rclone")
def application(**shared: object) -> None:
    pass


application.params += SHARED
