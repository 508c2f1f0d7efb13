"""Faults of existing remotes, and how to fix each."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Literal

from pluton_rclone.errors import RemoteError
from pluton_rclone.values.conf_text import VARIABLE
from pluton_rclone.values.drive_ids import any_drive
from pluton_rclone.values.token_text import ANY, is_whole, token_fields
from pluton_rclone.values.units import nearest
from pluton_rclone.values.versions import NEWEST, Version

from .names import name_fault
from .onedrive import NO_DRIVE, TYPE, OneDriveRemote
from .options import BY_NAME, OPTIONS, PREFIX, TRUE
from .pairs import BASE
from .rules import SECRET_SOON, days_left, token_fault
from .versions import known_faults, lacks

Severity = Literal["error", "warning"]
_Row = tuple[str, Severity, str, str]
_SIGN_IN = "Re-authorize it: drive and options stay as they are."
# Without a drive or a renewable token, nothing can tell whether a new sign-in matches.
_ANEW = "Remove it and connect it again. The files on the drive stay there."


@dataclass(frozen=True)
class Finding:
    """A fault of one remote, or of the file (remote ""). Severity "error": it does not work;
    "warning": it does not do what it seems to do, or not for long."""

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
    paired: bool = False,
    by_variables: bool = False,
) -> list[Finding]:
    """All faults of a OneDrive remote; for a remote of another type, only those of its name.
    `version` is that of the rclone in use. `paired`: `name` is the drive of a pair
    (`remote.pairs`). `by_variables`: RCLONE_CONFIG_… variables define the remote, as in an export
    for a container."""
    found: list[_Row] = []
    fault = name_fault(name, NEWEST if version is None else version)
    if fault is not None:
        found.append(("name", "error", f"rclone does not accept this name: {fault}", "Rename it."))
    if section.get("type") == TYPE:
        found += _drive_and_token(section)
        found += _values(section, {option for option, *_ in found})
        found += _ignored(section)
        if not paired and section.get(BASE):
            what = "rclone and restic on their own start at the drive's root, above the base folder"
            found.append(("base_folder", "warning", what, _BASE_FOLDER))
        found += () if by_variables else _environment(name)
        found += _secret_end(section)
        if version is not None:
            found += _version(section, version)
    return [Finding(name, *row) for row in found]


_BASE_FOLDER = (
    "Repair it: they then start in the base folder, too. Omit it in your own commands from then on."
)
_FIND = "Repair it: its drive is looked up again, and the token stays."


def _drive_and_token(section: Mapping[str, str]) -> Iterator[_Row]:
    for option in ("drive_id", "drive_type"):
        if not section.get(option):
            advice = _FIND if is_whole(section.get("token")) else _ANEW
            yield option, "error", f"it does not have {option}: rclone says {NO_DRIVE!r}", advice
    mended = _SIGN_IN if section.get("drive_id") and section.get("drive_type") else _ANEW
    is_app_only = section.get("client_credentials") in TRUE
    text = section.get("token")
    if not text:
        if not is_app_only and not section.get(PREFIX + "certificate"):
            yield "token", "error", "nobody has signed in: it does not have a token", mended
        return
    fault = token_fault(text, is_renewed=not (is_app_only or section.get("tenant_url")))
    if fault is not None:
        # without a refresh token or an expiry, it still works for a while
        works = token_fields(text).get("access_token")
        yield "token", "warning" if works else "error", f"its token: {fault}", mended


def _values(section: Mapping[str, str], told: set[str]) -> Iterator[_Row]:
    """The model's errors and warnings, except for the options in `told`, reported before."""
    given = {key: value for key, value in section.items() if key in BY_NAME and value}
    given = {key: value for key, value in given.items() if key not in told}
    given = {**any_drive(given.get("drive_type", "business")), "token": ANY, **given, "type": TYPE}
    try:
        remote = OneDriveRemote.from_section(given)
    except RemoteError as error:
        for problem in error.details.get("problems", [str(error)]):
            option, _, message = problem.partition(": ")
            yield option, "error", message, _fix(option)
        return
    for warning in remote.warnings():
        yield warning.option, "warning", warning.what, warning.advice
    for key in given:
        if VARIABLE.search(section.get(key, "")):
            what = f"{key} contains %(…)s, which rclone replaces"
            yield key, "warning", what, "Write the value itself."


def _fix(option: str) -> str:
    known = BY_NAME.get(option)
    if option in ("drive_id", "encoding"):
        return _FIND if option == "drive_id" else "Repair it, to spell each word as rclone does."
    if known is None:
        return "Remove it."
    if known.choices:
        return f"Use one of: {', '.join(choice.value for choice in known.choices)}."
    default = f", or remove it for the default ({known.default})" if known.default else ""
    return f"Correct it{default}."


def _ignored(section: Mapping[str, str]) -> Iterator[_Row]:
    names = [option.name for option in OPTIONS]
    for key in section:
        if key not in BY_NAME and key != "type" and not key.startswith(PREFIX):
            near = nearest(key, names)
            advice = f"Did you mean {near}?" if near else "Remove it, if nothing else reads it."
            what = f"rclone ignores {key}: OneDrive does not have such an option"
            yield key, "warning", what, advice


def _environment(name: str) -> Iterator[_Row]:
    for option in ("type", *(option.name for option in OPTIONS)):
        variable = f"RCLONE_CONFIG_{name}_{option}".upper()
        if variable in os.environ:
            what = f"{variable} is set and overrides the file when rclone runs on its own"
            if option == "token":
                what += ": a token that rclone renews is never used"
            yield option, "warning", what, f"Unset {variable}."


def _secret_end(section: Mapping[str, str]) -> Iterator[_Row]:
    try:
        end = date.fromisoformat(section.get(PREFIX + "secret_expires", ""))
    except ValueError:
        return
    advice = "Make a new client secret in the app registration and set it here."
    left = days_left(end)
    if left < 0:
        yield "client_secret", "error", f"the client secret expired on {end}", advice
    elif left <= SECRET_SOON:
        yield "client_secret", "warning", f"the client secret expires on {end}", advice


def _version(section: Mapping[str, str], version: Version) -> Iterator[_Row]:
    for option, since, what, why in lacks(section, version):
        what = f"rclone {version} {what}" + (f": {why}" if why else "")
        rest = "" if why else ", or remove the option"
        yield option, "error", what, f"Update rclone to {since} or newer{rest}."
    for warning in known_faults(version):
        yield "version", "warning", warning.what, warning.advice
