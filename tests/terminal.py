"""A program on its own terminal, with a simulated person who reads, types and presses Ctrl-C.

pexpect reads and waits, but pexpect.spawn does not start the program: it would fork this process,
which has threads.
"""

from __future__ import annotations

import builtins
import fcntl
import io
import os
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

import pexpect.fdpexpect  # type: ignore[import-untyped]

if TYPE_CHECKING:
    from tests.forked import Forked, Forks

PATIENCE = 120.0
"""Seconds until a silent program counts as failed: long, for a busy machine; passing tests never
wait that long."""


class Terminal:
    """`with Terminal([program, …]) as terminal:`; at the end the program is killed if it still
    runs. With `forks`, `argv` are the arguments of a command of ours, started as a fork."""

    def __init__(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        size: tuple[int, int] = (24, 100),
        forks: Forks | None = None,
    ) -> None:
        self._heard = io.StringIO()
        ours, theirs = os.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", *size, 0, 0))
        self._process: subprocess.Popen[bytes] | Forked
        if forks is None:
            self._process = subprocess.Popen(
                ["setsid", "--ctty", *argv],
                stdin=theirs,
                stdout=theirs,
                stderr=theirs,
                env=env,
                cwd=cwd,
            )
        else:
            streams = (theirs, theirs, theirs)
            self._process = forks.start(argv, streams, env=env, cwd=cwd, terminal=True)
        os.close(theirs)
        self._screen = pexpect.fdpexpect.fdspawn(
            ours, timeout=PATIENCE, encoding="utf-8", codec_errors="replace"
        )
        self._screen.logfile_read = self._heard

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def heard(self) -> str:
        """Everything that has been on the screen so far, with plain newlines."""
        return self._heard.getvalue().replace("\r\n", "\n")

    def expect(self, text: str) -> None:
        """Wait until this text, word for word, is on the screen."""
        try:
            self._screen.expect_exact(text)
        except (pexpect.TIMEOUT, pexpect.EOF):
            raise AssertionError(f"{text!r} did not come; on the screen:\n{self.heard}") from None

    def answer(self, line: str) -> None:
        """Type a line and Return."""
        self._screen.sendline(line)

    def press(self, text: str) -> None:
        """Type these keys, without Return."""
        self._screen.send(text)

    def answer_all(self, answers: Mapping[str, str]) -> int:
        """Answer each of these questions whenever it comes, until the program ends; return its exit
        code."""
        questions = list(answers)
        while True:
            try:
                met = self._screen.expect_exact([pexpect.EOF, *questions])
            except pexpect.TIMEOUT:
                raise AssertionError(
                    f"it waits for something; on the screen:\n{self.heard}"
                ) from None
            if met == 0:
                return self._process.wait(PATIENCE)
            self.answer(answers[questions[met - 1]])

    def press_ctrl_c(self) -> None:
        """Send SIGINT to every process in the foreground of the terminal, as the key does.

        The program must be waiting first, as for a person: readline loses the key between writing
        its prompt and beginning to read.
        """
        self._wait_until_it_waits()
        self._screen.send("\x03")

    def interrupt(self) -> None:
        """Send SIGINT only to the program, as a supervisor does."""
        os.kill(self.pid, signal.SIGINT)

    def _wait_until_it_waits(self) -> None:
        """Wait until the program's main thread has slept for a moment."""
        end, asleep = time.monotonic() + PATIENCE, 0
        while asleep < 3 and time.monotonic() < end:
            time.sleep(0.01)
            state = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[0]
            asleep = asleep + 1 if state == "S" else 0

    def end(self) -> int:
        """Wait until the program has ended and closed its terminal; return its exit code."""
        try:
            self._screen.expect_exact(pexpect.EOF)
        except pexpect.TIMEOUT:
            raise AssertionError(f"it does not end; on the screen:\n{self.heard}") from None
        return self._process.wait(PATIENCE)

    def __enter__(self) -> Terminal:
        return self

    def __exit__(
        self,
        kind: builtins.type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._process.poll() is None:
            os.killpg(self.pid, signal.SIGKILL)
            self._process.wait()
        self._screen.close()
