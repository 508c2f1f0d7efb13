"""A folder of our own for what must not outlive the session: in memory where the system has that, mode
0700.
"""

from __future__ import annotations

import logging
import os
import stat
import tempfile
from functools import lru_cache
from pathlib import Path

log = logging.getLogger(__name__)


def runtime_folders() -> list[Path]:
    """Where private files may lie, best first; all of them are looked through for leftovers."""
    user = os.getuid() if hasattr(os, "getuid") else "user"
    places = [os.environ.get("XDG_RUNTIME_DIR", ""), "/dev/shm", tempfile.gettempdir()]
    return [Path(place) / f"pluton-rclone-{user}" for place in places if place and os.path.isdir(place)]


def runtime_folder() -> Path:
    """The first of them that can be made and is ours alone; a fresh temporary folder if none is."""
    for folder in runtime_folders():
        try:
            folder.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            log.debug("%s cannot be made: %s", folder, error)
            continue
        if is_ours_alone(folder):
            return folder
        log.warning("%s is not used: another user can enter it, or it belongs to another one", folder)
    return _fallback()


@lru_cache(maxsize=1)
def _fallback() -> Path:
    return Path(tempfile.mkdtemp(prefix="pluton-rclone-"))


def is_ours_alone(folder: Path) -> bool:
    """Whether it is a real folder of this user that nobody else can enter: /dev/shm and /tmp are open to
    all.
    """
    try:
        found = folder.lstat()
    except OSError:
        return False
    if not stat.S_ISDIR(found.st_mode):
        return False
    return os.name != "posix" or (found.st_uid == os.geteuid() and not found.st_mode & 0o077)
