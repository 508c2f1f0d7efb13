"""Which of our processes changed a remote last: none may undo a later change of another one.

A small file in the runtime folder, written under the lock of the rclone.conf that it is about. It
holds names of remotes and random ids, nothing secret; without it (another container) every change
counts as the last one.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pluton_rclone.process.folders import runtime_folder

_PREFIX = "recent-"
_SECONDS, _LONG = 60.0, 3600.0


def mark(path: Path) -> str:
    """Stands for one rclone.conf in names of files."""
    return hashlib.sha256(os.fsencode(path)).hexdigest()[:16]


def note_change(path: Path, names: Iterable[str]) -> str:
    """Remember that these remotes were just changed; returns the id of the change."""
    change = os.urandom(8).hex()
    now = time.time()
    known = {name: found for name, found in load(_file(path)).items() if now - found[1] < _SECONDS}
    known.update(dict.fromkeys(names, (change, now)))
    with contextlib.suppress(OSError):
        _file(path).write_text(json.dumps(known))
        for file in runtime_folder().glob(f"{_PREFIX}*"):  # of other rclone.confs, too
            if now - file.stat().st_mtime > _LONG:
                file.unlink(missing_ok=True)
    return change


def still_last(path: Path, change: str, names: Iterable[str]) -> list[str]:
    """Those of the remotes that no other process of ours has changed since."""
    known: dict[str, Any] = {}
    with contextlib.suppress(OSError):  # also if there cannot be a runtime folder
        known = load(_file(path))
    return [name for name in names if known.get(name, (change, 0.0))[0] == change]


def load(path: Path) -> dict[str, Any]:
    """The JSON object in a file; empty if it cannot be read."""
    with contextlib.suppress(OSError, ValueError, TypeError):
        return dict(json.loads(path.read_text()))
    return {}


def _file(path: Path) -> Path:
    return runtime_folder() / f"{_PREFIX}{mark(path)}"
