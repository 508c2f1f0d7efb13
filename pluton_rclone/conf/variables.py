"""Storages that variables define (`RCLONE_CONFIG_<NAME>_TYPE=onedrive` and so on, as in an export
for containers), which override rclone.conf here as in rclone."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

from pluton_rclone.errors import ConfigNotWritable
from pluton_rclone.process.log import Log
from pluton_rclone.remote.pairs import drive_of
from pluton_rclone.values.token_text import TOKEN

from .ini import Document

log = Log(__name__)

_PREFIX = "RCLONE_CONFIG_"
_TYPE = re.compile(rf"{_PREFIX}(\w+)_TYPE", re.ASCII)
# The token in a variable, and its successor, which the variable cannot store.
_RENEWED: dict[str, str] = {}


def sections() -> dict[str, dict[str, str]]:
    """The OneDrive remotes that variables define, by name in lower case; a storage with a base
    folder has two sections (`remote.pairs`)."""
    kinds, found = ("onedrive", "alias"), [_TYPE.fullmatch(key) for key in os.environ]
    chosen = (match[1] for match in found if match and os.environ.get(match[0]) in kinds)
    names = sorted(chosen, key=len, reverse=True)
    made: dict[str, dict[str, str]] = {name.lower(): {} for name in names}
    for key, value in os.environ.items() if made else ():
        name = next((name for name in names if key.startswith(f"{_PREFIX}{name}_")), None)
        if name is not None:
            option = key[len(f"{_PREFIX}{name}_") :].lower()
            made[name.lower()][option] = " ".join(filter(None, re.split(r"[\r\n]+", value)))
    for section in made.values():
        if TOKEN in section:
            section[TOKEN] = _RENEWED.get(section[TOKEN], section[TOKEN])
    ours = {name: drive_of(made, name) != name or made[name]["type"] == "onedrive" for name in made}
    return {name: section for name, section in made.items() if ours[name]}


def laid_over(document: Document, made: Mapping[str, Mapping[str, str]]) -> Document:
    """The document with these remotes; variables take precedence."""
    for name, section in made.items():
        edit = document.changed if name in document else document.with_section
        document = edit(name, section)
    return document


def keep(name: str, token: str) -> None:
    """Keep a renewed token while this process runs."""
    present = sections()[name].get(TOKEN, "")
    if token in ("", present):
        return
    first = next((old for old, new in _RENEWED.items() if new == present), present)
    _RENEWED[first] = token
    what = "the token of %r was renewed and is kept until this process ends"
    variable = f"{_PREFIX}{name.upper()}_TOKEN"
    log.warning(f"{what}: the variable %s still holds the old one", name, variable)


def refusal(name: str) -> ConfigNotWritable:
    """The exception for a change to a remote that variables define."""
    why = f"the variables {_PREFIX}{name.upper()}_… define it, not rclone.conf"
    advice = "Change the variables where they are set, or remove them there."
    return ConfigNotWritable(f"{name!r} cannot be changed.", why=why, advice=advice)
