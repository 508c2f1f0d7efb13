"""Programs that use the user's terminal: one replaces us for a while, one prompts for input."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence

from . import Completed, require_runnable, system
from .spawning import SPAWNER, dying_with_us


def at_terminal(argv: Sequence[str], *, env: Mapping[str, str]) -> Completed:
    """Like `process.run`, for a command that may prompt at our terminal, without a time limit. It
    inherits our stdin and stderr if they are the terminal, and gets Ctrl-C as we do."""
    require_runnable(argv)
    done = subprocess.run(
        dying_with_us(list(argv)),
        env=dict(env),
        stdin=None if os.isatty(0) else subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=None if os.isatty(2) else subprocess.PIPE,
        check=False,
    )
    return Completed(done.returncode, done.stdout, done.stderr or b"")


def foreground(
    argv: Sequence[str],
    *,
    env: Mapping[str, str],
    on_signal: Callable[[], None] = lambda: None,
    ends_with: int = signal.SIGTERM,
) -> int:
    """Run a user's command in our place: it has our terminal, stdin, stdout and stderr, and ends
    with us. Returns its exit code, or -N if signal N ended it. Raises OSError if it cannot start.

    The terminal sends Ctrl-C to both; we keep waiting, and let the command react. SIGTERM is passed
    on as `ends_with`; a SIGINT that no terminal sent is passed on, too. `on_signal` is called
    before that, in the signal handler.
    """
    made: list[subprocess.Popen[bytes]] = []
    early: list[int] = []

    def interrupted(number: int, frame: object) -> None:
        on_signal()
        passed_on = number if number == signal.SIGINT else ends_with
        if not made:  # only we have got the signal
            early.append(passed_on)
        elif number != signal.SIGINT or not system.in_foreground():
            made[0].send_signal(passed_on)

    def make() -> subprocess.Popen[bytes]:
        made.append(subprocess.Popen(dying_with_us(list(argv)), env=dict(env)))
        return made[0]

    def reaped(child: subprocess.Popen[bytes]) -> int:
        status = system.exit_status(child)
        child.wait()
        return status

    signals = (signal.SIGINT, signal.SIGTERM)
    try:
        before = [signal.signal(number, interrupted) for number in signals]
    except ValueError:  # this is not the main thread, the only one that gets signals
        return reaped(SPAWNER.spawn(make))
    try:
        child = SPAWNER.spawn(make)
        for number in early:
            child.send_signal(number)
        return reaped(child)
    finally:
        for number, handler in zip(signals, before, strict=True):
            signal.signal(number, handler)
