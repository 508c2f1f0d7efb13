"""What the command line makes of the library's errors: advice that names a command, and one exit code for one cause."""

from __future__ import annotations

from pluton_rclone.errors import (
    ConnectionTestFailed,
    InteractionRequired,
    PlutonRcloneError,
    RemoteIncomplete,
    Throttled,
    TokenExpired,
    Unreachable,
    UsageError,
)

CONNECTING = ("connect", "web")


def with_command(error: PlutonRcloneError, command: str) -> PlutonRcloneError:
    """The error; its advice names a command where the library, which does not know that it is one, names none."""
    cause = error.__cause__ if isinstance(error, ConnectionTestFailed) else error
    if error.advice == UsageError.default_advice:
        error.advice = f"See pluton-rclone {command} --help."
    elif command in CONNECTING:
        pass
    elif isinstance(cause, RemoteIncomplete):
        # Without a drive or a token there is no account to sign in again.
        error.advice = "Connect it anew: pluton-rclone remove NAME, then pluton-rclone connect NAME."
    elif isinstance(cause, TokenExpired | InteractionRequired) and "pluton-rclone" not in error.advice:
        error.advice = f"{error.advice} The command is: pluton-rclone reauthorize NAME"
    return error


def exit_code(error: PlutonRcloneError) -> int:
    """The error's own; that of its cause when a connection test failed because nobody answered."""
    cause = error.__cause__
    if isinstance(error, ConnectionTestFailed) and isinstance(cause, Unreachable | Throttled):
        return cause.exit_code
    return error.exit_code
