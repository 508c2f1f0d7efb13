"""Export of one storage: as a separate rclone.conf, or as variables for a container."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from pluton_rclone.remote.options import PREFIX
from pluton_rclone.remote.pairs import MARK, split
from pluton_rclone.values.token_text import TOKEN

from .ini import Document
from .pairs import added

_TOKEN_WARNING = (
    "A token in the environment always overrides rclone.conf, and rclone cannot save renewed "
    "tokens there: when the refresh token expires or is replaced, the container stops. Export the "
    "rclone.conf instead and mount its folder (not the file) writable."
)


@dataclass(frozen=True)
class EnvironmentExport:
    """`RCLONE_CONFIG_*` variables that define the remote `name`. They hold secrets."""

    name: str
    variables: dict[str, str] = field(repr=False)
    warnings: tuple[str, ...] = ()


def as_conf(name: str, section: Mapping[str, str]) -> bytes:
    """An rclone.conf with only this remote. It holds secrets."""
    return added(Document(), name, section).text().encode("utf-8", "surrogateescape")


def as_environment(name: str, section: Mapping[str, str]) -> EnvironmentExport:
    """The remote as environment variables: `RCLONE_CONFIG_` + name + option, in capitals. Shells do
    not allow "-" or a space in a variable's name, so the remote may get another name."""
    short = re.sub("[^a-z0-9]+", "_", name.lower()).strip("_") or "onedrive"
    variables = {
        f"RCLONE_CONFIG_{part}_{key}".upper(): value
        for part, values in split(section, short, f"{short}_drive").items()
        for key, value in values.items()
        if not key.startswith(PREFIX) or key == MARK
    }
    warnings = [_TOKEN_WARNING] if section.get(TOKEN) else []
    if short != name:
        what = f"The remote is called {short!r} there"
        warnings.append(f"{what}, because variables cannot carry {name!r}.")
    return EnvironmentExport(short, variables, tuple(warnings))
