"""Writing into a file that cannot be renamed over (a bind mount, as Docker makes for a single
file).

The new content is first written, whole and synced, to a journal beside the file; a valid journal
counts as the content, so a writer killed at any point leaves the old or the new one. The file
itself is grown with line ends before it is overwritten and cut afterwards, so between any two
system calls rclone, too, reads the old or the new content. Within the one write Linux can stop for
SIGKILL between two pages (seen once in some thousand kills): a foreign rclone then reads a mixture
until our next change finishes what the journal holds; whoever reads through this library reads the
journal.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from pluton_rclone.process.system import new_private_file

from . import system

_HEAD = b"pluton-rclone journal 1 "


def path_of(path: Path) -> Path:
    return path.parent / f".{path.name}.pluton-journal"


def content(path: Path) -> bytes | None:
    """The content that a valid journal holds; None when there is none, or it was not finished."""
    try:
        data = path_of(path).read_bytes()
    except OSError:
        return None
    head, _, body = data.partition(b"\n")
    if head != _head(body):
        return None
    return body


def write(path: Path, new: bytes, instead_of: bytes | None) -> bytes | None:
    """Overwrite in place; gives what was there. When that is not `instead_of`, nothing was written.
    OSError.
    """
    with path.open("r+b") as file:
        system.lock(file.fileno())
        before = content(path) or file.read()
        if before != instead_of:
            return before
        mark = path_of(path)
        _write_journal(mark, new)
        try:
            missing = len(new) - os.fstat(file.fileno()).st_size
            if missing > 0:
                _write_at(file.fileno(), b"\n" * missing, len(new) - missing)
        except OSError:
            # Not one byte of the old content was touched, and there is no room for the new one.
            with contextlib.suppress(OSError):
                os.truncate(path, len(before))
            mark.unlink()
            raise
        with contextlib.suppress(PermissionError):
            system.keep_mode_and_owner(file.fileno(), os.fstat(file.fileno()), 0o600)
        finish(path, file.fileno(), new)
        return before


def finish(path: Path, descriptor: int, new: bytes) -> None:
    """Bring the file to the journal's content and drop the journal; safe to repeat."""
    padding = max(0, os.fstat(descriptor).st_size - len(new))
    _write_at(descriptor, new + b"\n" * padding, 0)
    os.ftruncate(descriptor, len(new))
    os.fsync(descriptor)
    path_of(path).unlink(missing_ok=True)


def recover(path: Path) -> None:
    """Finish what a killed writer began; an unfinished journal is dropped. Under the lock.
    OSError."""
    mark = path_of(path)
    for unfinished in mark.parent.glob(f"{mark.name}-*"):
        unfinished.unlink(missing_ok=True)
    if not mark.exists():
        return
    new = content(path)
    if new is None:
        mark.unlink(missing_ok=True)
        return
    with path.open("r+b") as file:
        system.lock(file.fileno())
        finish(path, file.fileno(), new)


def is_mount_point(path: Path) -> bool:
    """Whether something is mounted on the file itself (Linux: /proc/self/mountinfo)."""
    try:
        text = Path("/proc/self/mountinfo").read_text(errors="surrogateescape")
    except OSError:
        return False
    escaped = (
        str(path)
        .replace("\\", "\\134")
        .replace(" ", "\\040")
        .replace("\t", "\\011")
        .replace("\n", "\\012")
    )
    return any(line.split(" ")[4] == escaped for line in text.splitlines() if line.count(" ") > 4)


def sealed(body: bytes) -> bytes:
    """A whole journal with this content."""
    return _head(body) + b"\n" + body


def _head(body: bytes) -> bytes:
    import hashlib  # as in merge.py

    return _HEAD + hashlib.sha256(body).hexdigest().encode()


def _write_journal(mark: Path, new: bytes) -> None:
    temporary = mark.with_name(f"{mark.name}-{os.urandom(4).hex()}")
    try:
        with new_private_file(temporary) as file:
            file.write(sealed(new))
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, mark)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    system.sync_folder(mark.parent)


def _write_at(descriptor: int, data: bytes, offset: int) -> None:
    os.lseek(descriptor, offset, os.SEEK_SET)
    while data:
        data = data[os.write(descriptor, data) :]
