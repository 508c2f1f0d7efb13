"""What a transfer keeps of what it would overwrite or delete: in a backup directory, or beside it
under a suffix."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pluton_rclone.errors import UsageError

from .locations import is_local

if TYPE_CHECKING:
    from .events import Progress


def kept(word: str, now: Progress, *, renamed: int, dry: bool) -> int:
    """How many files were kept. rclone counts each as a rename, beside those that it `renamed`, and
    those of a move that have arrived; it counts what it keeps of a sync's deletions as deleted."""
    others = renamed + (now.transfers if word.startswith("move") else 0)
    return max(0, now.renames - others) + (now.deletes if dry and word == "sync" else 0)


def apart(source: str, options: Mapping[str, Any]) -> list[str]:
    """Rules for a sync that leave alone what an earlier one kept under the suffix: rclone would
    keep it again, under the suffix twice. UsageError: files of the source could have such names."""
    suffix = options.get("suffix")
    if not suffix or options.get("backup_dir") or options.get("files_from") is not None:
        return []
    pattern = re.compile(re.escape(suffix) + r"(?:\.[^/]*)?$")
    told = f"A sync with the suffix {suffix!r} would leave out files of the source."
    advice = "Choose a backup-dir as well, outside of the destination, or another suffix."
    if not is_local(source):
        raise UsageError(told, why="those that end with it, if it has any", advice=advice)
    for path, _, names in os.walk(source):
        found = next((name for name in names if pattern.search(name)), None)
        if found is not None:
            why = f"{os.path.join(path, found)} is called like a file that is kept"
            raise UsageError(told, why=why, advice=advice)
    ending = "{,.*}" if "--suffix-keep-extension" in (options.get("extra") or ()) else ""
    quoted = re.sub(r"([][\\*?{}])", r"\\\1", suffix)
    return [f"- *{quoted}{ending}"]
