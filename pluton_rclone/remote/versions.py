"""What each version of rclone accepts for OneDrive: asked of the binary itself, and known faults of old
ones.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from pluton_rclone import process
from pluton_rclone.errors import RcloneNotFound

from .names import name_fault
from .options import BY_NAME, OPTIONS, Version
from .rules import Warn

_SECONDS = 30.0
_VERSION = re.compile(r"rclone v(\d+)\.(\d+)(?:\.(\d+))?")


@dataclass(frozen=True)
class OptionOfBinary:
    """One option as `rclone config providers` lists it."""

    name: str
    default: str
    choices: tuple[str, ...]
    sensitive: bool


@dataclass(frozen=True)
class Known:
    """A binary and what it says it knows."""

    version: Version
    options: tuple[OptionOfBinary, ...]

    @property
    def label(self) -> str:
        return ".".join(map(str, self.version))


@dataclass(frozen=True)
class _Fault:
    before: Version
    what: str


# From rclone's changelog: OneDrive faults that ended with a release.
_FAULTS = (
    _Fault((1, 65, 1), "uploads to Business and SharePoint can fail with 'Unauthenticated'"),
    _Fault((1, 67, 0), "downloads can fail with 'Unauthenticated'; a public client cannot renew its token"),
    _Fault((1, 70, 0), "uploads can fail with 'The upload session was not found'"),
    _Fault((1, 73, 0), "on OneDrive Personal, setting the times of folders fails"),
)


def ask(path: str | os.PathLike[str]) -> Known:
    """The binary's version and its `onedrive` options; each binary is asked once. RcloneNotFound."""
    whole = os.path.abspath(path)
    try:
        found = os.stat(whole)
    except OSError as error:
        raise RcloneNotFound(f"there is no rclone at {os.fspath(path)!r}", why=error.strerror) from None
    return _ask(whole, found.st_mtime_ns, found.st_size)


@lru_cache(maxsize=16)
def _ask(path: str, _modified: int, _size: int) -> Known:
    environment = {"RCLONE_CONFIG": os.devnull}
    try:
        version = process.run([path, "version"], env=environment, timeout=_SECONDS)
        providers = process.run([path, "config", "providers"], env=environment, timeout=_SECONDS)
        match = _VERSION.search(version.stdout.decode(errors="replace"))
        if match is None or providers.returncode != 0:
            raise ValueError("it does not answer like rclone")
        return Known(_numbers(match), parse_providers(providers.stdout))
    except (OSError, ValueError) as error:
        raise RcloneNotFound(f"{path} cannot be used as rclone", why=str(error)) from error


def _numbers(match: re.Match[str]) -> Version:
    return int(match[1]), int(match[2]), int(match[3] or 0)


def parse_providers(data: bytes) -> tuple[OptionOfBinary, ...]:
    """The options of `onedrive` in the output of `rclone config providers`. ValueError."""
    for provider in json.loads(data):
        if provider["Name"] == "onedrive":
            return tuple(_option(found) for found in provider["Options"])
    raise ValueError("this rclone has no onedrive backend")


def _option(found: dict[str, Any]) -> OptionOfBinary:
    return OptionOfBinary(
        found["Name"],
        found["DefaultStr"],
        tuple(example["Value"] for example in found.get("Examples") or ()),
        # before 1.63 rclone did not say
        bool(found.get("Sensitive") or found.get("IsPassword")),
    )


def drift(known: Known) -> list[str]:
    """How the binary's options differ from our table; empty when it is the rclone that the table
    describes.
    """
    theirs = {option.name: option for option in known.options}
    found = [f"{name}: new in rclone {known.label}" for name in theirs if name not in BY_NAME]
    for option in OPTIONS:
        other = theirs.get(option.name)
        if other is None:
            if known.version >= option.since:
                found.append(f"{option.name}: not in rclone {known.label}, though known since {option.since}")
            continue
        if known.version < option.since:
            found.append(f"{option.name}: rclone {known.label} knows it before {option.since}")
        if other.default != option.default:
            found.append(f"{option.name}: default {other.default!r}, here {option.default!r}")
        ours = {choice.value for choice in option.choices}
        if other.choices and ours != set(other.choices):
            found.append(f"{option.name}: choices {sorted(other.choices)}, here {sorted(ours)}")
        if other.sensitive and not option.sensitive:
            found.append(f"{option.name}: sensitive in rclone, not here")
    return found


def table(binaries: Sequence[Known]) -> list[list[str]]:
    """A header and one row for each option and each other thing that differs between these binaries."""
    rows = [["", *(known.label for known in binaries)]]
    asked = [{option.name for option in known.options} for known in binaries]
    names = dict.fromkeys([option.name for option in OPTIONS])
    names.update(dict.fromkeys(name for options in asked for name in options))
    for name in names:
        rows.append([name, *(_yes(name in options) for options in asked)])
    for title, example in (
        ("names: spaces, dots", "a b.c"),
        ("names: letters of every script", "é"),
        ("names: @ and +", "a@b+c"),
    ):
        rows.append([title, *(_yes(name_fault(example, known.version) is None) for known in binaries)])
    rows.append(
        ["renews a public client's token", *(_yes(known.version >= (1, 67, 0)) for known in binaries)]
    )
    rows.append(["known OneDrive faults", *(str(len(known_faults(known.version))) for known in binaries)])
    return rows


def known_faults(version: Collection[int]) -> list[Warn]:
    """What is known to be broken for OneDrive in this version, each mended by a newer one."""
    return [
        Warn(
            "version",
            f"rclone {'.'.join(map(str, version))}: {fault.what}",
            f"Update to rclone {'.'.join(map(str, fault.before))} or newer.",
        )
        for fault in _FAULTS
        if tuple(version) < fault.before
    ]


def _yes(value: bool) -> str:
    return "yes" if value else "no"
