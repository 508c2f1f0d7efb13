"""A command that replaces ours has the terminal, the signals and the exit code."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from tests.terminal import Terminal

from .test_process import goes, python

WITHIN = (
    "import os, signal, sys; from pluton_rclone.process import terminal; "
    "print(terminal.foreground(sys.argv[1:], env=os.environ, ends_with=signal.SIGINT))"
)


def in_the_foreground(code: str) -> list[str]:
    """A program that is replaced by another one and prints how that ended."""
    return [sys.executable, "-c", WITHIN, *python(code)]


def test_a_command_in_the_foreground_has_the_terminal_and_its_exit_code_comes_back() -> None:
    code = (
        "import sys; print(sys.stdin.isatty(), sys.stdout.isatty(), input('name? ')); sys.exit(3)"
    )
    with Terminal(in_the_foreground(code)) as terminal:
        terminal.expect("name? ")
        terminal.answer("Anna")
        assert terminal.end() == 0
    assert terminal.heard.splitlines()[-2:] == ["True True Anna", "3"]


# Blocked before it says "ready": Python looks for signals before and after a time.sleep(), so an
# interrupt between the word and the sleep would only be noticed at its end.
ANSWERS_CTRL_C = """
import signal
from sys import exit
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
print('ready', flush=True)
signal.sigtimedwait([signal.SIGINT], 60) or exit('no interrupt came')
signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])
print('interrupted once', flush=True)
raise SystemExit(5)
"""


def test_ctrl_c_is_answered_by_the_command_in_the_foreground() -> None:
    with Terminal(in_the_foreground(ANSWERS_CTRL_C)) as terminal:
        terminal.expect("ready")
        terminal.press_ctrl_c()
        assert terminal.end() == 0
    assert terminal.heard.splitlines()[-2:] == ["^Cinterrupted once", "5"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_without_a_terminal_a_signal_is_passed_on_as_what_ends_the_command(number: int) -> None:
    argv = in_the_foreground(ANSWERS_CTRL_C)
    child = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, start_new_session=True)
    with child:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        child.send_signal(number)
        assert child.stdout.read() == "interrupted once\n5\n"


SLOW_TO_KNOW = """
import os, signal, sys
from pluton_rclone.process import terminal

spawn = terminal.SPAWNER.spawn

def slow(make):
    child = spawn(make)
    sys.stdin.readline()
    os.kill(os.getpid(), signal.SIGINT)
    return child

terminal.SPAWNER.spawn = slow
print(terminal.foreground(sys.argv[1:], env=os.environ))
"""


def test_an_interrupt_before_we_know_of_the_command_at_work_is_passed_on() -> None:
    argv = [sys.executable, "-c", SLOW_TO_KNOW, *python(ANSWERS_CTRL_C)]
    child = subprocess.Popen(
        argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    with child:
        assert child.stdin is not None
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        child.stdin.write("\n")
        child.stdin.flush()
        assert child.stdout.read() == "interrupted once\n5\n"


SLOW_TO_START = """
import os, sys, time
from pluton_rclone.process import terminal

spawn, told = terminal.SPAWNER.spawn, []

def slow(make):
    print("starting", flush=True)
    while not told:
        time.sleep(0.01)
    return spawn(make)

terminal.SPAWNER.spawn = slow
print(terminal.foreground(sys.argv[1:], env=os.environ, on_signal=lambda: told.append(1)))
"""


def test_a_ctrl_c_before_the_command_is_there_reaches_it() -> None:
    with Terminal([sys.executable, "-c", SLOW_TO_START, "/bin/sleep", "1000"]) as terminal:
        terminal.expect("starting")
        terminal.press_ctrl_c()
        assert terminal.end() == 0
    assert terminal.heard.splitlines()[-1] == f"^C{-signal.SIGINT}"


def test_a_command_in_the_foreground_dies_with_us() -> None:
    argv = in_the_foreground("import os, time; print(os.getpid(), flush=True); time.sleep(60)")
    child = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, start_new_session=True)
    with child:
        assert child.stdout is not None
        pid = int(child.stdout.readline())
        child.kill()
        assert goes(pid)
