"""Versions of rclone, and the features of each: options have `since` in their table, everything
else is in `Feature`. An older rclone silently ignores most of them."""

from __future__ import annotations

import re
from enum import Enum
from typing import NamedTuple

_VERSION = re.compile(
    r"(?:rclone v|\bv|^)(\d{1,9})\.(\d{1,9})(?:\.(\d{1,9}))?", re.MULTILINE | re.ASCII
)


class Version(NamedTuple):
    """A version. Compares like a tuple; prints as in rclone, without the "v"."""

    major: int
    minor: int
    patch: int = 0

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}.{self.patch}"

    @classmethod
    def parse(cls, text: str) -> Version:
        """Parse the output of `rclone version`, or a bare number. Raises ValueError."""
        found = _VERSION.search(text)
        if found is None:
            raise ValueError(f"no version number in {text[:80]!r}")
        return cls(int(found[1]), int(found[2]), int(found[3] or 0))


NEWEST = Version(999, 0)
KNOWS_ALL = Version(1, 75)
"""From this version on, rclone ignores no option of a remote, and has every `Feature`."""


class Feature(Enum):
    """A feature of later rclones, and the first version that has it (rclone's changelog)."""

    ANY_SCRIPT_IN_NAMES = "names: letters of every script", Version(1, 61)
    AT_AND_PLUS_IN_NAMES = "names: @ and +", Version(1, 62)
    PUBLIC_CLIENT = "renews a public client's token", Version(1, 67)
    """An older version sends its own secret, too."""
    METRICS = "--metrics-addr", Version(1, 68)
    TOKEN_ADDRESS = "asks an address of ours for tokens", Version(1, 69)

    def __init__(self, title: str, since: Version) -> None:
        self.title = title
        self.since = since

    def known_to(self, version: tuple[int, ...]) -> bool:
        return tuple(version) >= self.since
