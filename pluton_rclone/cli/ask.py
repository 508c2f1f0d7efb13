"""Questions at a terminal: a choice by number, a text. A script that left something out is told which option to give."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import TypeVar

import click

from pluton_rclone.errors import OptionInvalid, StorageExists, UsageError
from pluton_rclone.values.printable import printable

from .output import Output

Thing = TypeVar("Thing")


def interactive(output: Output) -> bool:
    """Whether a person sits there who can be asked."""
    return sys.stdin.isatty() and not output.as_json


def choose(
    output: Output, question: str, things: Sequence[tuple[str, Thing]], *, option: str, default: int = 1
) -> Thing:
    """One of (label, thing), by number. Without a person, UsageError names them and the `option` to give instead."""
    if not interactive(output):
        raise UsageError(
            f"{question}: there are {len(things)}.",
            why="; ".join(label for label, _ in things),
            advice=f"Give {option}.",
        )
    for number, (label, _) in enumerate(things, 1):
        output.say(f"  {number:>3}  {printable(label)}")
    picked = click.prompt(question, type=click.IntRange(1, len(things)), default=default, err=True)
    return things[int(picked) - 1][1]


def text(
    output: Output,
    question: str,
    *,
    option: str,
    default: str | None = None,
    check: Callable[[str], object] = lambda answer: None,
) -> str:
    """A line of text, asked again while `check` raises. Without a person, UsageError names the `option` to give instead."""
    if not interactive(output):
        raise UsageError(f"{question} is missing.", advice=f"Give {option}.")
    while True:
        answer = str(click.prompt(question, default=default, err=True, show_default=bool(default))).strip()
        try:
            check(answer)
        except (UsageError, OptionInvalid, StorageExists) as error:
            output.error(error)
        else:
            return answer


def secret(output: Output, question: str, *, variable: str) -> str:
    """A secret: from the environment, else typed unseen, else one line of stdin; never from an option's value."""
    import os

    if os.environ.get(variable):
        return os.environ[variable]
    if interactive(output):
        return str(click.prompt(question, hide_input=True, err=True))
    line = sys.stdin.readline().strip()
    if not line:
        raise UsageError(f"{question} is missing.", advice=f"Set {variable}, or write it to stdin.")
    return line
