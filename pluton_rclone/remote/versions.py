"""What each version of rclone accepts for OneDrive, as it says itself, and known faults of old
ones."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pluton_rclone.values.versions import Feature, Version

from .names import name_fault
from .options import BY_NAME, OPTIONS
from .rules import Warn


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

    @classmethod
    def parse(cls, version: Version, providers: bytes) -> Known:
        """From the output of `rclone config providers`. ValueError if it is another program's."""
        for provider in json.loads(providers):
            if provider["Name"] == "onedrive":
                return cls(version, tuple(map(_option, provider["Options"])))
        raise ValueError("this rclone has no onedrive backend")


@dataclass(frozen=True)
class _Fault:
    before: Version
    what: str


# From rclone's changelog: OneDrive faults that ended with a release.
_FAULTS = (
    _Fault(Version(1, 65, 1), "uploads to Business and SharePoint can fail with 'Unauthenticated'"),
    _Fault(
        Version(1, 67),
        "downloads can fail with 'Unauthenticated'; a public client cannot renew its token",
    ),
    _Fault(Version(1, 70), "uploads can fail with 'The upload session was not found'"),
    _Fault(Version(1, 73), "on OneDrive Personal, setting the times of folders fails"),
)


def drift(known: Known) -> list[str]:
    """How the binary's options differ from our table; empty when it is the rclone that the table
    describes.
    """
    theirs = {option.name: option for option in known.options}
    found = [f"{name}: new in rclone {known.version}" for name in theirs if name not in BY_NAME]
    for option in OPTIONS:
        other = theirs.get(option.name)
        if other is None:
            if known.version >= option.since:
                found.append(
                    f"{option.name}: not in rclone {known.version}, though known since "
                    f"{option.since}"
                )
            continue
        if known.version < option.since:
            found.append(f"{option.name}: rclone {known.version} knows it before {option.since}")
        if other.default != option.default:
            found.append(f"{option.name}: default {other.default!r}, here {option.default!r}")
        ours = {choice.value for choice in option.choices}
        if other.choices and ours != set(other.choices):
            found.append(f"{option.name}: choices {sorted(other.choices)}, here {sorted(ours)}")
        if other.sensitive and not option.sensitive:
            found.append(f"{option.name}: sensitive in rclone, not here")
    return found


def table(binaries: Sequence[Known]) -> list[list[str]]:
    """A header and one row for each option and each other thing that differs between these
    binaries."""
    rows = [["", *(str(known.version) for known in binaries)]]
    asked = [{option.name for option in known.options} for known in binaries]
    names = dict.fromkeys([option.name for option in OPTIONS])
    names.update(dict.fromkeys(name for options in asked for name in options))
    for name in names:
        rows.append([name, *(_yes(name in options) for options in asked)])
    for title, example in (
        ("names: spaces, dots", "a b.c"),
        (Feature.ANY_SCRIPT_IN_NAMES.title, "é"),
        (Feature.AT_AND_PLUS_IN_NAMES.title, "a@b+c"),
    ):
        rows.append(
            [title, *(_yes(name_fault(example, known.version) is None) for known in binaries)]
        )
    rows.append(
        [
            Feature.PUBLIC_CLIENT.title,
            *(_yes(Feature.PUBLIC_CLIENT.known_to(k.version)) for k in binaries),
        ]
    )
    rows.append(
        ["known OneDrive faults", *(str(len(known_faults(known.version))) for known in binaries)]
    )
    return rows


def known_faults(version: tuple[int, ...]) -> list[Warn]:
    """What is known to be broken for OneDrive in this version, each mended by a newer one."""
    return [
        Warn(
            "version",
            f"rclone {'.'.join(map(str, version))}: {fault.what}",
            f"Update to rclone {fault.before} or newer.",
        )
        for fault in _FAULTS
        if version < fault.before
    ]


def _option(found: dict[str, Any]) -> OptionOfBinary:
    return OptionOfBinary(
        found["Name"],
        found["DefaultStr"],
        tuple(example["Value"] for example in found.get("Examples") or ()),
        # before 1.63 rclone did not say
        bool(found.get("Sensitive") or found.get("IsPassword")),
    )


def _yes(value: bool) -> str:
    return "yes" if value else "no"
