"""Writes to a file that a rename cannot replace, such as Docker's bind mount of a single file.

The new content is first written, complete and synced, to a journal beside the file, which counts as
the content as soon as it has its name: a writer killed at any point leaves the old or the new one.
The file itself is extended with line ends, overwritten, and then truncated, so between any two
system calls rclone, too, reads the old or the new content. Within the single write, Linux can stop
for a SIGKILL between two pages (seen once in some thousand kills): a foreign rclone then reads a
mixture until our next change completes it from the journal; readers through this library see the
journal.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from . import system


def path_of(path: Path) -> Path:
    return path.parent / f".{path.name}.pluton-journal"


def content(path: Path) -> bytes | None:
    """The content in the journal; None if there is no journal."""
    with contextlib.suppress(OSError):
        return path_of(path).read_bytes()
    return None


def write(path: Path, temporary: Path, new: bytes, instead_of: bytes | None) -> bytes | None:
    """Overwrite the file in place if its content is `instead_of`; `temporary`, which has the new
    content, becomes the journal. Returns the previous content. Raises OSError."""
    with path.open("r+b") as file:
        system.lock(file.fileno())
        before = content(path) or file.read()
        if before != instead_of:
            temporary.unlink()
            return before
        mark = path_of(path)
        temporary.replace(mark)
        try:
            system.sync_folder(mark.parent)
            missing = len(new) - os.fstat(file.fileno()).st_size
            if missing > 0:
                system.write_at(file.fileno(), b"\n" * missing, len(new) - missing)
        except OSError:
            # The old content is intact, and there is no room for the new one.
            with contextlib.suppress(OSError):
                os.truncate(path, len(before))
            mark.unlink()
            raise
        with contextlib.suppress(PermissionError):
            system.keep_mode_and_owner(file.fileno(), os.fstat(file.fileno()), 0o600)
        _finish(path, file.fileno(), new)
        return before


def _finish(path: Path, descriptor: int, new: bytes) -> None:
    """Write the journal's content to the file and remove the journal; safe to repeat."""
    padding = max(0, os.fstat(descriptor).st_size - len(new))
    system.write_at(descriptor, new + b"\n" * padding, 0)
    os.ftruncate(descriptor, len(new))
    os.fsync(descriptor)
    path_of(path).unlink(missing_ok=True)


def recover(path: Path) -> None:
    """Finish the write of a killed writer. Call it under the lock. Raises OSError."""
    new = content(path)
    if new is not None:
        with path.open("r+b") as file:
            system.lock(file.fileno())
            _finish(path, file.fileno(), new)


def is_mount_point(path: Path) -> bool:
    """Whether the file itself is a mount point (Linux: /proc/self/mountinfo)."""
    try:
        text = os.fsdecode(Path("/proc/self/mountinfo").read_bytes())  # a name may contain \r
    except OSError:
        return False
    escaped = str(path).translate({ord(c): f"\\{ord(c):03o}" for c in "\\ \t\n"})
    return any(line.split(" ")[4] == escaped for line in text.split("\n") if line.count(" ") > 4)
