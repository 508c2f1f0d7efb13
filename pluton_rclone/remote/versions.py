"""The OneDrive options that each version of rclone reports, and the faults of old versions.

Does not import the model of a remote: a transfer calls `require`, and pydantic would take 60 ms.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pluton_rclone.errors import RcloneTooOld
from pluton_rclone.values.versions import Feature, Version

from .names import name_fault
from .options import OPTIONS, TRUE
from .rules import Warn


@dataclass(frozen=True)
class Known:
    """A binary's version, and the options that it reports, by name, as rclone describes them."""

    version: Version
    options: Mapping[str, Mapping[str, Any]]

    @classmethod
    def parse(cls, version: Version, providers: bytes) -> Known:
        """Parse the output of `rclone config providers`. Raises ValueError for other output."""
        for provider in json.loads(providers):
            if provider["Name"] == "onedrive":
                return cls(version, {option["Name"]: option for option in provider["Options"]})
        raise ValueError("this rclone has no onedrive backend")


# From rclone's changelog: OneDrive faults, and the release that fixed them.
_FAULTS = {
    Version(1, 65, 1): "uploads to Business and SharePoint can fail with 'Unauthenticated'",
    Version(1, 67): "downloads can fail with 'Unauthenticated'; no renewal for a public client",
    Version(1, 70): "uploads can fail with 'The upload session was not found'",
    Version(1, 73): "on OneDrive Personal, setting the times of folders fails",
}


def lacks(
    section: Mapping[str, str], version: tuple[int, ...]
) -> Iterator[tuple[str, Version, str, str | None]]:
    """The faults that this version of rclone would have with a remote: the option, the first
    version without the fault, what, and why."""
    for option in OPTIONS:
        if tuple(version) >= option.since or option.name == "description":  # it has no effect
            continue
        text, is_switch = section.get(option.name, ""), option.kind == "switch"
        if (is_switch and text in TRUE) or (not is_switch and text not in ("", option.default)):
            yield option.name, option.since, f"silently ignores {option.name}", None
    is_public = section.get("client_id") and not section.get("client_secret")
    if is_public and not Feature.PUBLIC_CLIENT.known_to(version):
        why = "it also sends its own client secret"
        what = "cannot renew the token of a public client"
        yield "client_id", Feature.PUBLIC_CLIENT.since, what, why


def require(section: Mapping[str, str], version: tuple[int, ...]) -> None:
    """Raise RcloneTooOld if this rclone would ignore an option, or not renew the token."""
    for option, since, what, why in lacks(section, version):
        found, asked = ".".join(map(str, version)), str(since)
        what = f"rclone {found} {what}: that needs rclone {since}"
        raise RcloneTooOld(what, why=why, option=option, version=found, required=asked)


def table(binaries: Sequence[Known]) -> list[list[str]]:
    """A header, and a row for each option and for each other difference between the binaries."""
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
    """The known OneDrive faults of this version that a newer one has fixed."""
    rclone = f"rclone {'.'.join(map(str, version))}"
    left = {fixed: what for fixed, what in _FAULTS.items() if version < fixed}
    update = "Update to rclone {} or newer.".format
    return [Warn("version", f"{rclone}: {what}", update(fixed)) for fixed, what in left.items()]


def _yes(value: bool) -> str:
    return "yes" if value else "no"
