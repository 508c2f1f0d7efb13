"""The options form: fields from the remote's JSON Schema, and typed text as options."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pluton_rclone.errors import PlutonRcloneError

from ..plumbing.wording import rclone_size, sizes, together

# What the guide's step 6 names comes first and open; the rest of rclone's options is folded away.
FIRST = ("chunk_size", "hard_delete", "base_folder")
# Where tokens are sent is said by somebody who has the rclone.conf.
NOT_HERE = ("tenant_url",)


@dataclass(frozen=True)
class Field:
    """One control. `value` is text, a bool for a switch; a secret's never leaves the server."""

    name: str
    title: str
    help: str
    kind: str
    value: str | bool
    default: str
    choices: tuple[tuple[str, str], ...] = ()
    suggestions: tuple[tuple[str, str], ...] = ()
    unit: str = ""
    fault: str = ""
    kept: bool = False  # a secret that is set and stays unless another one is typed


@functools.cache
def _schema() -> dict[str, Any]:
    from pluton_rclone.remote.schema import remote_schema

    return dict(remote_schema()["properties"])


def names() -> tuple[str, ...]:
    """The options that the form asks for, in its order: those that a person decides. (Region, which
    means another sign-in, has a control of its own.)
    """
    asked = (
        name
        for name, schema in _schema().items()
        if schema["x-decided-by"] == "person" and name not in NOT_HERE
    )
    return tuple(dict.fromkeys((*FIRST, *asked)))


def fields(
    given: Mapping[str, Any], faults: Mapping[str, str] | None = None
) -> tuple[list[Field], list[Field]]:
    """The controls (first ones, folded ones) with the values given or rclone's defaults."""
    drawn = [_field(name, _schema()[name], given, (faults or {}).get(name, "")) for name in names()]
    return drawn[: len(FIRST)], drawn[len(FIRST) :]


def _field(name: str, schema: Mapping[str, Any], given: Mapping[str, Any], fault: str) -> Field:
    kind = str(schema.get("x-kind", "text"))
    default = schema.get("default", "")
    value = given.get(name, default)
    secret = kind == "secret"
    choices = _pairs(schema.get("oneOf"))
    return Field(
        name,
        str(schema["title"]),
        together(sizes(str(schema.get("description", "")))),
        kind,
        "" if secret else bool(value) if kind == "switch" else _shown(kind, value),
        "" if kind == "switch" else dict(choices).get(str(default), _shown(kind, default)),
        choices,
        tuple((_shown(kind, const), title) for const, title in _pairs(schema.get("x-suggestions"))),
        str(schema.get("x-unit", "")),
        sizes(fault),
        secret and bool(given.get(name)),
    )


def _shown(kind: str, value: Any) -> str:
    return sizes(str(value)) if kind == "size" else str(value)


def _pairs(choices: Any) -> tuple[tuple[str, str], ...]:
    return tuple((str(one["const"]), str(one["title"])) for one in choices or ())


def read(form: Mapping[str, str], before: Mapping[str, Any]) -> dict[str, Any]:
    """The options in a posted form, without defaults; an empty secret stays as it was."""
    found: dict[str, Any] = {}
    for name in names():
        kind = _schema()[name].get("x-kind", "text")
        default = _schema()[name].get("default", "")
        if kind == "switch":
            if form.get(name) == "on":
                found[name] = True
            continue
        value = form.get(name, "").strip()
        if kind == "size":
            value = rclone_size(value)
        if kind == "secret":
            if value:
                found[name] = form[name]
            elif before.get(name) and form.get(f"{name}.forget") != "on":
                found[name] = before[name]
        elif value and value != str(default):
            found[name] = value
    return found


def as_options(given: Mapping[str, Any]) -> dict[str, Any]:
    """What `OneDriveRemote` takes."""
    from pydantic import SecretStr

    def convert(name: str, value: Any) -> Any:
        kind = _schema()[name].get("x-kind", "text")
        if kind == "secret":
            return SecretStr(str(value))
        return int(value) if kind == "number" and str(value).isdigit() else value

    return {name: convert(name, value) for name, value in given.items()}


def faults_of(error: PlutonRcloneError) -> dict[str, str]:
    """The fault of each option in an `OptionInvalid`; of another error, the fault of ""."""
    problems = error.details.get("problems")
    if not problems:
        option = str(error.details.get("option") or "")
        return {option: str(error.why or error.what)}
    found: dict[str, str] = {}
    for problem in problems:
        option, _, message = str(problem).partition(": ")
        found.setdefault(option, message)
    return found


def fault_of(option: str, form: Mapping[str, str], make: Callable[..., Any]) -> str:
    """What is wrong with one option of the form, found by a remote with this option alone."""
    given = {name: value for name, value in read(form, {}).items() if name == option}
    try:
        make(**as_options(given))
    except PlutonRcloneError as error:
        return sizes(faults_of(error).get(option, ""))
    return ""
