"""A version of rclone, and what came with which: options have their `since` in the options' table,
everything else is in `Feature`. An older rclone silently ignores most of it."""

from __future__ import annotations

import re
from enum import Enum
from typing import NamedTuple

_VERSION = re.compile(
    r"(?:rclone v|\bv|^)(\d{1,9})\.(\d{1,9})(?:\.(\d{1,9}))?", re.MULTILINE | re.ASCII
)


class Version(NamedTuple):
    """Compares as a tuple; prints as rclone does, without the "v"."""

    major: int
    minor: int
    patch: int = 0

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}.{self.patch}"

    @classmethod
    def parse(cls, text: str) -> Version:
        """From `rclone version`'s output or a bare number. ValueError if there is none."""
        found = _VERSION.search(text)
        if found is None:
            raise ValueError(f"no version number in {text[:80]!r}")
        return cls(int(found[1]), int(found[2]), int(found[3] or 0))


NEWEST = Version(999, 0)
KNOWS_ALL = Version(1, 75)
"""Since then rclone ignores no option of a remote and has every `Feature`."""


class Feature(Enum):
    """What came with a later rclone, and the first version that has it (rclone's changelog)."""

    ANY_SCRIPT_IN_NAMES = "names: letters of every script", Version(1, 61)
    AT_AND_PLUS_IN_NAMES = "names: @ and +", Version(1, 62)
    PUBLIC_CLIENT = "renews a public client's token", Version(1, 67)
    """An older one sends its own secret along."""
    METRICS = "--metrics-addr", Version(1, 68)
    TOKEN_ADDRESS = "asks an address of ours for tokens", Version(1, 69)

    def __init__(self, title: str, since: Version) -> None:
        self.title = title
        self.since = since

    def known_to(self, version: tuple[int, ...]) -> bool:
        return tuple(version) >= self.since
