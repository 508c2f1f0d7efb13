"""What each version of rclone accepts for OneDrive, as it says itself, and faults of old ones."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

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
                options = tuple(
                    OptionOfBinary(
                        found["Name"],
                        found["DefaultStr"],
                        tuple(example["Value"] for example in found.get("Examples") or ()),
                        # before 1.63 rclone did not say
                        bool(found.get("Sensitive") or found.get("IsPassword")),
                    )
                    for found in provider["Options"]
                )
                return cls(version, options)
        raise ValueError("this rclone does not have an onedrive backend")


# From rclone's changelog: OneDrive faults, and the release that fixed them.
_FAULTS = {
    Version(1, 65, 1): "uploads to Business and SharePoint can fail with 'Unauthenticated'",
    Version(1, 67): (
        "downloads can fail with 'Unauthenticated'; a public client cannot renew its token"
    ),
    Version(1, 70): "uploads can fail with 'The upload session was not found'",
    Version(1, 73): "on OneDrive Personal, setting the times of folders fails",
}


def drift(known: Known) -> list[str]:
    """How the binary's options differ from our table; empty for the rclone that it describes."""
    rclone = f"rclone {known.version}"
    theirs = {option.name: option for option in known.options}
    found = [f"{name}: new in {rclone}" for name in theirs if name not in BY_NAME]
    for option in OPTIONS:
        name, since, other = option.name, option.since, theirs.get(option.name)
        if other is None:
            if known.version >= since:
                found.append(f"{name}: not in {rclone}, though known since {since}")
            continue
        if known.version < since:
            found.append(f"{name}: {rclone} knows it before {since}")
        if other.default != option.default:
            found.append(f"{name}: default {other.default!r}, here {option.default!r}")
        ours = {choice.value for choice in option.choices}
        if other.choices and ours != set(other.choices):
            found.append(f"{name}: choices {sorted(other.choices)}, here {sorted(ours)}")
        if other.sensitive and not option.sensitive:
            found.append(f"{name}: sensitive in rclone, not here")
    return found


def table(binaries: Sequence[Known]) -> list[list[str]]:
    """A header, and a row for each option and each other difference between these binaries."""
    versions = [known.version for known in binaries]
    asked = [{option.name for option in known.options} for known in binaries]
    names = dict.fromkeys([option.name for option in OPTIONS])
    names.update(dict.fromkeys(name for options in asked for name in options))
    rows = [["", *map(str, versions)]]
    for name in names:
        rows.append([name, *(_yes(name in options) for options in asked)])
    for title, example in (
        ("names: spaces, dots", "a b.c"),
        (Feature.ANY_SCRIPT_IN_NAMES.title, "é"),
        (Feature.AT_AND_PLUS_IN_NAMES.title, "a@b+c"),
    ):
        rows.append([title, *(_yes(name_fault(example, version) is None) for version in versions)])
    public = Feature.PUBLIC_CLIENT
    rows.append([public.title, *(_yes(public.known_to(version)) for version in versions)])
    faults = (str(len(known_faults(version))) for version in versions)
    rows.append(["known OneDrive faults", *faults])
    return rows


def known_faults(version: tuple[int, ...]) -> list[Warn]:
    """What is known to be broken for OneDrive in this version, and fixed in a newer one."""
    rclone = f"rclone {'.'.join(map(str, version))}"
    return [
        Warn("version", f"{rclone}: {what}", f"Update to rclone {fixed} or newer.")
        for fixed, what in _FAULTS.items()
        if version < fixed
    ]


def _yes(value: bool) -> str:
    return "yes" if value else "no"
