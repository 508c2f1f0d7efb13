"""What is wrong with remotes that are already there, whoever made them, and how to mend each."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

from pluton_rclone.errors import RemoteError
from pluton_rclone.values.conf_text import VARIABLE
from pluton_rclone.values.token_text import ANY, is_whole, token_fields
from pluton_rclone.values.versions import NEWEST, Feature, Version

from .names import name_fault
from .onedrive import TYPE, OneDriveRemote
from .options import BY_NAME, OPTIONS, PREFIX
from .rules import token_fault
from .versions import known_faults

Severity = Literal["error", "warning"]
_SECRET_NOTICE = timedelta(days=30)
# Keys that rclone takes in any section: of another backend's wrapper, or of the common
# configuration.
_COMMON = ("type",)


@dataclass(frozen=True)
class Finding:
    """One fault of one remote, or of the file (remote ""). "error": it does not work; "warning": it
    does not do what it seems to, or not long.
    """

    remote: str
    option: str
    severity: Severity
    what: str
    advice: str


def inspect_remote(
    name: str,
    section: Mapping[str, str],
    *,
    version: Version | None = None,
    environment: Mapping[str, str] | None = None,
    today: date | None = None,
) -> list[Finding]:
    """Everything that is wrong with a OneDrive remote; of another type, only its name is looked at.

    `version` is that of the rclone at hand; `environment` (os.environ) may hold variables that win
    over the file.
    """
    found = list(_name(name, version))
    if section.get("type") == TYPE:
        found += _drive(name, section)
        found += _token(name, section)
        found += _values(name, section, {finding.option for finding in found})
        found += _ignored(name, section)
        found += _environment(name, os.environ if environment is None else environment)
        found += _secret_end(name, section, date.today() if today is None else today)
        if version is not None:
            found += _version(name, section, version)
    return found


def _name(name: str, version: Version | None) -> Iterator[Finding]:
    fault = name_fault(name, NEWEST if version is None else version)
    if fault is not None:
        yield Finding(
            name, "name", "error", f"rclone does not take this name: {fault}", "Rename it."
        )


# Without a drive or a token that can be renewed, there is nothing to check a new sign-in against.
_FIND = "Repair it: its drive is looked for, and the token stays."
_ANEW = "Remove it and connect it anew. What is on the drive stays there."


def _drive(name: str, section: Mapping[str, str]) -> Iterator[Finding]:
    for option in ("drive_id", "drive_type"):
        if not section.get(option):
            yield Finding(
                name,
                option,
                "error",
                f"it has no {option}: rclone says 'unable to get drive_id and drive_type'",
                _FIND if is_whole(section.get("token")) else _ANEW,
            )


def _token(name: str, section: Mapping[str, str]) -> Iterator[Finding]:
    app_only = section.get("client_credentials") in ("true", "True", "TRUE", "1", "t", "T")
    text = section.get("token")
    if not text:
        if not app_only and not section.get(PREFIX + "certificate"):
            yield Finding(name, "token", "error", "nobody has signed in: it has no token", _ANEW)
        return
    is_renewed = not (app_only or section.get("tenant_url"))
    fault = token_fault(text, is_renewed=is_renewed)
    if fault is not None:
        # without a refresh token, or an expiry, it works for the moment
        broken = not token_fields(text).get("access_token")
        yield Finding(name, "token", "error" if broken else "warning", f"its token: {fault}", _ANEW)


def _values(name: str, section: Mapping[str, str], told: set[str]) -> Iterator[Finding]:
    """What the model refuses or warns of, as far as drive and token have not been told already."""
    given = {
        key: value for key, value in section.items() if key in BY_NAME and key not in told and value
    }
    given["type"] = TYPE
    # stand-ins, so that the rest can be looked at
    given.setdefault("drive_type", "business")
    given.setdefault("drive_id", "0" * 16 if given["drive_type"] == "personal" else "b!")
    given.setdefault("token", ANY)
    try:
        remote = OneDriveRemote.from_section(given)
    except RemoteError as error:
        for problem in error.details.get("problems", [str(error)]):
            option, _, message = problem.partition(": ")
            yield Finding(name, option, "error", f"{option}: {message}", _mend(option))
        return
    for warning in remote.warnings():
        yield Finding(
            name, warning.option, "warning", f"{warning.option}: {warning.what}", warning.advice
        )
    for key in given:
        if VARIABLE.search(section.get(key, "")):
            yield Finding(
                name,
                key,
                "warning",
                f"{key} contains %(…)s, which rclone replaces",
                "Write the value itself.",
            )


def _mend(option: str) -> str:
    known = BY_NAME.get(option)
    if option in ("drive_id", "encoding"):
        return _FIND if option == "drive_id" else "Repair it: each word as rclone writes it."
    if known is None:
        return "Remove it."
    if known.choices:
        return f"Use one of: {', '.join(choice.value for choice in known.choices)}."
    return (
        f"Correct it, or remove it for the default ({known.default})."
        if known.default
        else "Correct it."
    )


def _ignored(name: str, section: Mapping[str, str]) -> Iterator[Finding]:
    names = [option.name for option in OPTIONS]
    for key in section:
        if key in BY_NAME or key in _COMMON or key.startswith(PREFIX):
            continue
        near = difflib.get_close_matches(key, names, n=1)
        advice = f"Did you mean {near[0]}?" if near else "Remove it, if nothing else reads it."
        yield Finding(
            name, key, "warning", f"rclone ignores {key}: OneDrive has no such option", advice
        )


def _environment(name: str, environment: Mapping[str, str]) -> Iterator[Finding]:
    for option in OPTIONS:
        variable = f"RCLONE_CONFIG_{name.upper()}_{option.name.upper()}"
        if variable in environment:
            yield Finding(
                name,
                option.name,
                "warning",
                f"{variable} is set and wins over the file"
                + (": a token that rclone renews is never used" if option.name == "token" else ""),
                f"Unset {variable}.",
            )


def _secret_end(name: str, section: Mapping[str, str], today: date) -> Iterator[Finding]:
    try:
        end = date.fromisoformat(section.get(PREFIX + "secret_expires", ""))
    except ValueError:
        return
    advice = "Make a new client secret in the app registration and set it here."
    if end < today:
        yield Finding(name, "client_secret", "error", f"the client secret ended on {end}", advice)
    elif end - today <= _SECRET_NOTICE:
        yield Finding(name, "client_secret", "warning", f"the client secret ends on {end}", advice)


def _version(name: str, section: Mapping[str, str], version: Version) -> Iterator[Finding]:
    for option in OPTIONS:
        if (
            option.matters
            and section.get(option.name, option.default) != option.default
            and version < option.since
        ):
            yield Finding(
                name,
                option.name,
                "error",
                f"rclone {version} ignores {option.name} (known since {option.since})",
                f"Update rclone to {option.since} or newer, or remove the option.",
            )
    if (
        section.get("client_id")
        and not section.get("client_secret")
        and not Feature.PUBLIC_CLIENT.known_to(version)
    ):
        yield Finding(
            name,
            "client_id",
            "error",
            f"rclone {version} cannot renew the token of a public client: it sends its own secret "
            "along",
            f"Update rclone to {Feature.PUBLIC_CLIENT.since} or newer.",
        )
    for warning in known_faults(version):
        yield Finding(name, "version", "warning", warning.what, warning.advice)
