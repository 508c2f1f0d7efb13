"""Questions at a terminal. A script that left something out is told which option to give."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar, cast

import click

from pluton_rclone.errors import OptionInvalid, StorageExists, UsageError
from pluton_rclone.values.printable import printable

from .output import Output

Thing = TypeVar("Thing")


def interactive(output: Output) -> bool:
    """Whether there is a person to ask."""
    return sys.stdin.isatty() and not output.as_json


def choose(
    output: Output,
    question: str,
    things: Sequence[tuple[str, Thing]],
    *,
    option: str,
    default: int = 1,
) -> Thing:
    """The only one of (label, thing), or that of a number or a word of its label. Without a person,
    UsageError: the labels and `option`.
    """
    if len(things) == 1:
        return things[0][1]
    if not interactive(output):
        labels = "; ".join(label for label, _ in things)
        what = f"{question}: there are {len(things)}."
        raise UsageError(what, why=labels, advice=f"Give {option}.")
    for number, (label, _) in enumerate(things, 1):
        output.say(f"  {number:>3}  {printable(label)}")

    def meant(answer: str) -> Thing:
        word = str(answer).strip().casefold()
        if word.isdecimal() and 1 <= int(word) <= len(things):
            return things[int(word) - 1][1]
        labels = [label.casefold() for label, _ in things]
        for fits in (str.__eq__, str.startswith, str.__contains__):
            found = [number for number, label in enumerate(labels) if word and fits(label, word)]
            if len(found) == 1:
                return things[found[0]][1]
        raise click.UsageError(f"Write a number from 1 to {len(things)}, or a word of one line.")

    return cast(
        Thing, click.prompt(question, default=cast(Any, default), err=True, value_proc=meant)
    )


def text(
    output: Output,
    question: str,
    *,
    option: str,
    default: str | None = None,
    check: Callable[[str], object] = lambda answer: None,
) -> str:
    """A line of text, asked again while `check` raises. Without a person, UsageError: `option`."""
    if not interactive(output):
        raise UsageError(f"{question} is missing.", advice=f"Give {option}.")
    while True:
        answer = click.prompt(question, default=default, err=True, show_default=bool(default))
        try:
            check(answer.strip())
            return str(answer.strip())
        except (UsageError, OptionInvalid, StorageExists) as error:
            output.error(error)


def paste(output: Output, prompt: str) -> str:
    """stdin to its end; at a terminal unseen, not by lines, which end at 4,095 bytes (termios)."""
    if sys.platform == "win32" or not sys.stdin.isatty():
        return sys.stdin.read()
    import termios

    end, pasted, terminal = b"\x04", b"", sys.stdin.fileno()
    before, ours = termios.tcgetattr(terminal), termios.tcgetattr(terminal)
    ours[3] &= ~(termios.ICANON | termios.ECHO)
    termios.tcsetattr(terminal, termios.TCSANOW, ours)
    try:
        output.say(f"{prompt}, then Ctrl-D (nothing of it is shown):")
        while end not in pasted and (block := os.read(terminal, 65536)):
            pasted += block
    finally:
        termios.tcsetattr(terminal, termios.TCSANOW, before)
    return pasted.partition(end)[0].decode(errors="replace")


def secret_in(file: Path) -> str:
    """The secret that a file holds."""
    try:
        return file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"The file {file} cannot be read.", why=str(error)) from None


def secret(
    output: Output, question: str, *, variable: str, file: Path | None = None, twice: bool = False
) -> str:
    """A secret: from a file, else the environment, else typed unseen, else a line of stdin."""
    if file is not None:
        return secret_in(file)
    if os.environ.get(variable):
        return os.environ[variable]
    if interactive(output):
        return str(click.prompt(question, hide_input=True, err=True, confirmation_prompt=twice))
    line = sys.stdin.readline().strip()
    if not line:
        raise UsageError(f"{question} is missing.", advice=f"Set {variable}, or write it to stdin.")
    return line
