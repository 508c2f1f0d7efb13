"""Programs that have a person's terminal: one runs in our place, one asks for something."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence

from . import Completed, require_runnable, system
from .spawning import SPAWNER, dying_with_us


def at_terminal(argv: Sequence[str], *, env: Mapping[str, str]) -> Completed:
    """As `process.run`, of a command that may ask the person at our terminal, for as long as that
    takes. It has our stdin and stderr where they are the terminal, and hears Ctrl-C as we do."""
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
    """Run a person's command in our place: it has our terminal, stdin, stdout and stderr, and ends
    with us. Returns its exit code, or -N if signal N ended it. OSError if it cannot be started.

    The terminal sends Ctrl-C to both; we wait on and let the command answer. SIGTERM is passed on
    as `ends_with`, and a SIGINT that no terminal sent. `on_signal` is called before, in the
    signal's handler.
    """
    made: list[subprocess.Popen[bytes]] = []
    early: list[int] = []

    def interrupted(number: int, frame: object) -> None:
        on_signal()
        passed_on = number if number == signal.SIGINT else ends_with
        if not made:  # the terminal told us alone
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
    except ValueError:  # not the main thread, which alone gets signals
        return reaped(SPAWNER.spawn(make))
    try:
        child = SPAWNER.spawn(make)
        for number in early:
            child.send_signal(number)
        return reaped(child)
    finally:
        for number, handler in zip(signals, before, strict=True):
            signal.signal(number, handler)
