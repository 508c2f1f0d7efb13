"""Values on the command line: OPTION=VALUE, rates, sizes, times, addresses. What is wrong is said
in words of our own."""

from __future__ import annotations

import difflib
import re
from datetime import date
from typing import TYPE_CHECKING, Any

import click

from pluton_rclone.errors import OptionInvalid, UsageError

if TYPE_CHECKING:
    from pluton_rclone.remote.options import Option

    Parameter = click.ParamType[str]
else:
    Parameter = click.ParamType  # at run time not generic in every click that will do

SIZE = r"\d+(?:\.\d+)?(?:b|[kmgtpe](?:ib?)?)?"  # rclone fs/sizesuffix.go
RATE = rf"(?:off|{SIZE})(?::(?:off|{SIZE}))?"  # upload:download
MOMENT = r"(?:(?:mon|tue|wed|thu|fri|sat|sun)\w*-)?\d{1,2}:\d\d"  # rclone fs/bwtimetable.go
SWITCH = {"true", "false", "t", "f", "yes", "no", "y", "n", "on", "off", "1", "0"}


class Pattern(Parameter):
    """A text of one form, checked before anything is started with it; `hint` says how it is
    written."""

    def __init__(self, name: str, pattern: str, hint: str) -> None:
        self.name = name
        self.pattern = re.compile(pattern, re.IGNORECASE)
        self.hint = hint

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        text = str(value).strip()
        if not self.pattern.fullmatch(text):
            self.fail(f"{value!r} is no {self.name}: {self.hint}", param, ctx)
        return text


RATES = Pattern(
    "rate",
    rf"{RATE}|{MOMENT},{RATE}(?:\s+{MOMENT},{RATE})*",
    "write bytes a second as in 512K or 2M, upload:download as in 2M:8M, or hours as in '08:00,512K 19:00,off'.",
)
SIZES = Pattern("size", rf"off|{SIZE}", "write a number with K, M, G or T, as in 500M or 10G.")
TIMES = Pattern(
    "time", r"(?:\d+(?:\.\d+)?(?:ms|[smh]))+", "write a number with s, m or h, as in 90s or 2h30m."
)


def parse_settings(settings: tuple[str, ...]) -> dict[str, Any]:
    """OPTION=VALUE pairs as options of the remote. UsageError for what is none, or a secret;
    OptionInvalid."""
    from pluton_rclone.remote.options import BY_NAME

    given: dict[str, Any] = {}
    for setting in settings:
        name, equals, value = setting.partition("=")
        if not equals:
            raise UsageError(
                f"{setting!r} is no OPTION=VALUE.",
                advice="Write it as in chunk_size=20Mi, without spaces.",
            )
        if name not in BY_NAME:
            raise unknown_option(name)
        if BY_NAME[name].kind == "secret" and value:
            raise UsageError(
                f"{name} is secret: on a command line everybody on this machine could read it.",
                advice="A file, the environment or stdin can hold it: `pluton-rclone connect --help`, and "
                f"`pluton-rclone set NAME --secret {name}`.",
            )
        given[name] = _value(BY_NAME[name], value)
    return given


def unknown_option(name: str) -> UsageError:
    """What is said of an option that a remote does not have."""
    from pluton_rclone.remote.options import BY_NAME

    near = difflib.get_close_matches(name, BY_NAME, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return UsageError(
        f"There is no option {name!r}.{hint}", advice="`pluton-rclone options` explains each."
    )


def _value(option: Option, value: str) -> Any:
    if option.kind == "secret":
        return None
    if option.kind == "list":
        return tuple(value.split())
    if option.kind == "day":
        return _day(option.name, value)
    if option.kind == "switch" and value.lower() not in SWITCH:
        raise _refused(
            option.name,
            value,
            "it is a switch",
            f"Write {option.name}=true or {option.name}=false.",
        )
    if option.kind == "number" and not re.fullmatch(r"\d{1,18}", value):
        raise _refused(
            option.name,
            value,
            "it is a whole number",
            f"Write {option.name}={option.default or 100}.",
        )
    choices = [choice.value for choice in option.choices]
    if option.kind == "choice" and value not in choices:
        raise _refused(
            option.name, value, "it is one of a few", f"Choose one of: {', '.join(choices)}."
        )
    return value


def _day(name: str, value: str) -> date | None:
    if not value:
        return None
    try:
        return date.fromisoformat(value)
    except ValueError:
        raise _refused(
            name, value, "it is a day", f"Write year, month and day, as in {name}=2027-03-31."
        ) from None


def _refused(name: str, value: str, why: str, advice: str) -> OptionInvalid:
    return OptionInvalid(
        f"{name} cannot be {value!r}.", why=why, advice=f"{advice} Nothing was saved.", option=name
    )
