"""The command line `pluton-rclone`: the library's functions, for people and for scripts."""

from __future__ import annotations

import atexit
import gc
import os
import signal
import sys
import threading
import warnings
from collections.abc import Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from .output import Output


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run one command, and exit with its exit code."""
    gc.set_threshold(50_000)  # collecting garbage among imports took 9 of 130 ms of an `ls`
    for number in (signal.SIGTERM, getattr(signal, "SIGHUP", signal.SIGTERM)):  # not on Windows
        if signal.getsignal(number) == signal.SIG_DFL:  # not under nohup
            signal.signal(number, _cancel)
    child = getattr(signal, "SIGCHLD", None)  # not on Windows
    if child and signal.getsignal(child) == signal.SIG_IGN:  # inherited from a supervisor
        signal.signal(child, signal.SIG_DFL)
    try:
        code = run(sys.argv[1:] if arguments is None else list(arguments))
    except KeyboardInterrupt:  # before the command began, or after it ended
        code = 130
    leave(code)


def leave(code: int) -> NoReturn:
    """Exit as Python does, but without tearing down the modules, which takes 10 ms per command.
    This also avoids a misreported end if Ctrl-C interrupted an exec(), which every dataclass uses
    (Python/pythonrun.c, run_eval_code_obj). After Ctrl-C, do not wait for threads: one of Prefect's
    may wait for other runs to end."""
    if code != 130:
        threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except (OSError, ValueError):
            code = 120
    os._exit(code)


def _cancel(number: int, frame: object) -> None:
    """Treat the signal of a container, service manager or closed terminal as Ctrl-C, to clean up.
    Ignore a second one. Without a handler, process 1 would not get the signal at all."""
    signal.signal(number, lambda *_: None)
    ctrl_c = signal.getsignal(signal.SIGINT)  # the page has its own handler
    if callable(ctrl_c):
        ctrl_c(signal.SIGINT, None)
    else:  # in the background of a script (&), Ctrl-C is ignored
        raise KeyboardInterrupt


def run(arguments: Sequence[str]) -> int:
    """Run one command. Output that could not be written is reported at the end, as an error."""
    from pluton_rclone.errors import PlutonRcloneError

    from .output import Outlet, Output, outlets

    # by urllib3; our errors and the connection test report it once, for people
    warnings.filterwarnings("ignore", "System time is way off")
    separator = arguments.index("--") if "--" in arguments else len(arguments)
    output = Output("--json" in arguments[:separator])  # after it comes another command
    with outlets(), ExitStack() as stack:
        if output.as_json:
            from .talk import warnings_as_json

            stack.enter_context(warnings_as_json())
        code = _run(arguments, output)
        if Outlet.lost is None:
            return code
        what = "Some of the output could not be written."
        advice = "Free space there. Unless an error is shown above, the command itself succeeded."
        output.error(PlutonRcloneError(what, why=str(Outlet.lost), advice=advice))
        return code or PlutonRcloneError.exit_code


def _run(arguments: Sequence[str], output: Output) -> int:
    """Run one command; the only place where exceptions become messages and exit codes."""
    import click

    from pluton_rclone.errors import Cancelled, PlutonRcloneError, UsageError
    from pluton_rclone.values.paths import require_path

    from .app import LazyGroup, application
    from .output import GIVEN, NAMED, VARIABLES, ReaderGone, exit_code, refused, with_command

    if "_PLUTON_RCLONE_COMPLETE" in os.environ:
        from . import complete as complete
    try:
        given = list(map(require_path, arguments)) or ["--help"]
        result = application.main(given, prog_name="pluton-rclone", standalone_mode=False)
        sys.stdout.flush()
    except PlutonRcloneError as error:
        output.error(with_command(error, LazyGroup.called))
        return exit_code(error)
    except click.UsageError as error:
        command = f"pluton-rclone {LazyGroup.called}".rstrip()
        advice = f"See {error.ctx.command_path if error.ctx else command} --help."
        if isinstance(error, click.NoSuchOption):
            from .values import instead_of

            advice = instead_of(error.option_name) or advice
        what = error.format_message().replace("\n\t", " ")  # a missing choice lists one per line
        output.error(UsageError(what, advice=advice))
        return UsageError.exit_code
    except click.ClickException as error:
        output.error(UsageError(error.format_message()))
        return UsageError.exit_code
    except (KeyboardInterrupt, click.Abort):
        from pluton_rclone import process

        process.end_all()  # also processes that were just starting
        output.stopped()
        return Cancelled.exit_code
    except OSError as error:  # the current folder is gone, /tmp is full
        output.error(refused(error))
        return PlutonRcloneError.exit_code
    except ReaderGone:  # `| head`: not an error; other programs end by that signal
        return 128 + 13  # SIGPIPE's number; Windows has no name for it
    finally:  # this process may run another command
        NAMED.clear()
        GIVEN.clear()
        VARIABLES.clear()
    return result if isinstance(result, int) else 0
