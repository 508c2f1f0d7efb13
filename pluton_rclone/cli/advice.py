"""The library's errors at the command line: the next step as a command, an exit code by cause."""

from __future__ import annotations

import shlex

from pluton_rclone.errors import (
    ConnectionTestFailed,
    NextStep,
    PlutonRcloneError,
    Throttled,
    Unreachable,
    UsageError,
)

NAMED: set[str] = set()
"""The storages that the command has opened: an error that names none means the only one."""
CONNECTING = ("connect", "web")
COMMANDS = {
    NextStep.REAUTHORIZE: "The command is: pluton-rclone reauthorize {storage}",
    NextStep.CONNECT_ANEW: "Connect it anew: pluton-rclone remove {storage}, then pluton-rclone "
    "connect {storage}",
    NextStep.REPAIR: "The command is: pluton-rclone repair {storage}",
    NextStep.TEST: "The command is: pluton-rclone test {storage}",
    NextStep.RENEW_SECRET: "The command is: pluton-rclone set {storage} --secret",
    NextStep.PREFLIGHT: "`pluton-rclone preflight SRC NAME:path` lists all such names before a "
    "byte is sent.",
    NextStep.RUN_RESTIC: "The command is: pluton-rclone restic {storage} -- …",
    NextStep.LIST_STORAGES: "`pluton-rclone storages` lists what is there.",
}


def advice(error: PlutonRcloneError, storage: str | None = None) -> str:
    """The error's advice, and the command for its next step, about `storage`."""
    name = storage or (next(iter(NAMED)) if len(NAMED) == 1 else error.details.get("storage"))
    command = COMMANDS.get(error.next_step, "") if error.next_step else ""
    which = ""
    if name is None and NAMED and "{storage}" in command:
        name, *others = sorted(NAMED)
        which = f" (or {', '.join(others)}: `pluton-rclone health` tells which)"
    storage = shlex.quote(name) if name else "NAME"
    return f"{error.advice} {command.format(storage=storage)}".rstrip() + which


def with_command(error: PlutonRcloneError, command: str) -> PlutonRcloneError:
    """The error of a command, its advice as commands, but not while a storage is connected."""
    if error.advice == UsageError.default_advice:
        error.advice = f"See pluton-rclone {command} --help."
    elif command not in CONNECTING:
        error.advice = advice(error)
    return error


def exit_code(error: PlutonRcloneError) -> int:
    """The error's own; its cause's if a connection test failed because Microsoft did not answer."""
    cause = error.__cause__
    if isinstance(error, ConnectionTestFailed) and isinstance(cause, Unreachable | Throttled):
        return cause.exit_code
    return error.exit_code
