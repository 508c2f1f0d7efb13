"""Values on the command line: OPTION=VALUE, rates, sizes, times; errors in our own wording."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import click

from pluton_rclone.errors import UsageError
from pluton_rclone.values.size import AGE, NUMBER, RATES

from .output import ours


def form(name: str, pattern: str, hint: str) -> Callable[[str], str]:
    """A type for options: text of one form, checked before anything starts; `hint` says which."""

    def checked(value: str) -> str:
        text = value.strip()
        if not re.fullmatch(pattern, text, re.IGNORECASE | re.ASCII):
            raise click.BadParameter(f"{value!r} is not a {name}: {hint}")
        return text

    return checked


RATE = form(
    "rate",
    RATES,
    "write bytes per second as in 512K or 2M, upload:download as in 2M:8M, or times as in "
    "'08:00,512K 19:00,off'.",
)
SIZES = form("size", rf"off|{NUMBER}", "write a number with K, M, G or T, as in 500M or 10G.")
AGES = form(
    "time",
    AGE,
    "write a number with s, m, h, d, w, M (month) or y, as in 36h or 30d, or a day, 2026-01-31.",
)
TIMES = form(
    "time", r"(?:\d+(?:\.\d+)?(?:ms|[smh]))+", "write a number with s, m or h, as in 90s or 2h30m."
)
GIVEN = form("value", "(?s).+", "give one, or leave the option out.")


def refuse_contradictions(*groups: tuple[str, ...]) -> None:
    """UsageError if the command line has two of a group; each is an option, or one with its value,
    such as "--method rclone" or "--set base_folder"."""
    ctx, given = click.get_current_context(), set[str]()
    for option in ctx.command.params:
        source = ctx.get_parameter_source(option.name or "")
        if isinstance(option, click.Option) and source is click.core.ParameterSource.COMMANDLINE:
            name, value = max(option.opts, key=len), ctx.params.get(option.name or "")
            values = value if isinstance(value, tuple) else (value,)
            given |= {name, *(f"{name} {str(one).partition('=')[0]}" for one in values)}
    for group in groups:
        first, *others = [word for word in group if word in given] or [""]
        if others:
            raise contradiction(first, others[0])


def contradiction(one: str, other: str) -> UsageError:
    """The error for two options that exclude each other."""
    return UsageError(f"{one} and {other} contradict each other.", advice="Give one of them.")


def parse_settings(settings: tuple[str, ...]) -> dict[str, Any]:
    """OPTION=VALUE pairs as options of the remote, which checks them; OPTION= is None: the default.
    UsageError, also for a secret; OptionInvalid for an unknown option, or one not for people."""
    from pluton_rclone.remote.options import option_called, require_person

    given: dict[str, Any] = {}
    for setting in settings:
        name, equals, value = map(str.strip, setting.partition("="))
        if not equals:
            advice = "Write it as in chunk_size=20Mi, without spaces."
            raise UsageError(f"{setting!r} is not OPTION=VALUE.", advice=advice)
        if option_called(name).kind == "secret" and value:
            raise UsageError(
                f"{name} is secret: on a command line, anyone on this machine could read it.",
                advice="Give it in a file, the environment or stdin: see `pluton-rclone connect "
                f"--help`, or use `{ours('set', 'NAME', '--secret', name)}`.",
            )
        if name not in ("client_secret", "description"):  # one can be removed, one is the name
            require_person([name])
        if given.get(name, value) != value:
            raise contradiction(f"{name}={given[name]}", setting)
        given[name] = value
    return {name: value or None for name, value in given.items()}


def instead_of(option: str) -> str:
    """How to give an option of a remote, for --chunk-size and the like; "" if it is not one."""
    from pluton_rclone.remote.options import BY_NAME

    name = option.lstrip("-").replace("-", "_")
    if name not in BY_NAME or BY_NAME[name].decided_by != "person":
        return ""
    return f"It is an option of a storage: connect NAME --set {name}=…, or set NAME {name}=…"
