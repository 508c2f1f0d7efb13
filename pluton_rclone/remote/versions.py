"""What each version of rclone accepts for OneDrive, as it says itself, and faults of old ones."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pluton_rclone.values.versions import Feature, Version

from .names import name_fault
from .options import BY_NAME, OPTIONS
from .rules import Warn


@dataclass(frozen=True)
class Known:
    """A binary and the options that it says it knows, by name, as rclone describes them."""

    version: Version
    options: Mapping[str, Mapping[str, Any]]

    @classmethod
    def parse(cls, version: Version, providers: bytes) -> Known:
        """From the output of `rclone config providers`. ValueError if it is another program's."""
        for provider in json.loads(providers):
            if provider["Name"] == "onedrive":
                return cls(version, {option["Name"]: option for option in provider["Options"]})
        raise ValueError("this rclone does not have an onedrive backend")


# From rclone's changelog: OneDrive faults, and the release that fixed them.
_FAULTS = {
    Version(1, 65, 1): "uploads to Business and SharePoint can fail with 'Unauthenticated'",
    Version(1, 67): "downloads can fail with 'Unauthenticated'; no renewal for a public client",
    Version(1, 70): "uploads can fail with 'The upload session was not found'",
    Version(1, 73): "on OneDrive Personal, setting the times of folders fails",
}


def drift(known: Known) -> list[str]:
    """How the binary's options differ from our table; empty for the rclone that it describes."""
    rclone = f"rclone {known.version}"
    found = [f"{name}: new in {rclone}" for name in known.options if name not in BY_NAME]
    for option in OPTIONS:
        name, since, other = option.name, option.since, known.options.get(option.name)
        if other is None:
            if known.version >= since:
                found.append(f"{name}: not in {rclone}, though known since {since}")
            continue
        if known.version < since:
            found.append(f"{name}: {rclone} knows it before {since}")
        if (default := other["DefaultStr"]) != option.default:
            found.append(f"{name}: default {default!r}, here {option.default!r}")
        theirs = sorted(example["Value"] for example in other.get("Examples") or ())
        ours = sorted(choice.value for choice in option.choices)
        if theirs and ours != theirs:
            found.append(f"{name}: choices {theirs}, here {ours}")
        # Before 1.63 rclone did not say what is sensitive.
        if (other.get("Sensitive") or other.get("IsPassword")) and not option.sensitive:
            found.append(f"{name}: sensitive in rclone, not here")
    return found


def table(binaries: Sequence[Known]) -> list[list[str]]:
    """A header, and a row for each option and each other difference between these binaries."""
    versions = [known.version for known in binaries]
    asked = [known.options for known in binaries]
    names = dict.fromkeys([option.name for option in OPTIONS])
    names.update(dict.fromkeys(name for options in asked for name in options))
    rows = [["", *map(str, versions)]]
    rows += [[name, *(_yes(name in options) for options in asked)] for name in names]
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
    left = {fixed: what for fixed, what in _FAULTS.items() if version < fixed}
    update = "Update to rclone {} or newer.".format
    return [Warn("version", f"{rclone}: {what}", update(fixed)) for fixed, what in left.items()]


def _yes(value: bool) -> str:
    return "yes" if value else "no"
