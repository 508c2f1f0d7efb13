"""What differs between systems when a file is put in place: its owner, its lock, its folder.

As in `process.system`: Linux is what is tested. Exchanging two files is in `swap`.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import sys
from pathlib import Path


def keep_mode_and_owner(descriptor: int, found: os.stat_result | None, mode: int) -> None:
    """Give a new file the mode, but never more than `mode`, and, if we may, the owner and group of
    the one that it replaces. Windows has neither."""
    if sys.platform == "win32":
        return
    if found is not None:
        if (found.st_uid, found.st_gid) != (os.geteuid(), os.getegid()):
            with contextlib.suppress(PermissionError):
                os.fchown(descriptor, found.st_uid, found.st_gid)
        mode &= stat.S_IMODE(found.st_mode)
    os.fchmod(descriptor, mode)


def sync_folder(folder: Path) -> None:
    """Make a rename in it survive a power cut; Windows cannot open a folder. OSError."""
    if sys.platform == "win32":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        # Some network file systems cannot; the rename itself is done.
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)


def lock(descriptor: int) -> None:
    """The file's own lock: two containers may share the file, but not ours. Not on Windows."""
    if sys.platform != "win32":
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_EX)


def write_at(descriptor: int, data: bytes, offset: int) -> None:
    """Write all of the data at the offset. OSError."""
    while data:
        if sys.platform == "win32":
            os.lseek(descriptor, offset, os.SEEK_SET)
            done = os.write(descriptor, data)
        else:
            done = os.pwrite(descriptor, data, offset)
        data = data[done:]
        offset += done
