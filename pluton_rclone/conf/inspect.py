"""What is wrong with an rclone.conf as a file, apart from what it holds."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path

from pluton_rclone.remote.inspect import Finding

from . import journal


def inspect_file(path: Path) -> list[Finding]:
    """Findings of the remote "": its mode, where it is mounted, what a killed rclone left beside
    it."""
    found: list[Finding] = []
    with suppress(OSError):
        mode = stat.S_IMODE(path.stat().st_mode)
        if os.name == "posix" and mode & 0o077:
            what = f"other users may read or change it (mode {mode:04o})"
            found.append(_warning("mode", what, f"chmod 600 {path}"))
    if journal.is_mount_point(path):
        what = "it is mounted as a single file: rclone cannot save to it and loses renewed tokens"
        found.append(_warning("mount", what, "Mount its folder instead."))
    for old in sorted(path.parent.glob(f"{path.name}.old*")) if path.exists() else ():
        what = f"{old.name} was left by a killed rclone, with its secrets"
        found.append(_warning("leftover", what, "Remove it."))
    return found


def _warning(option: str, what: str, advice: str) -> Finding:
    return Finding("", option, "warning", what, advice)
