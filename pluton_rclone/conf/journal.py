"""Writing into a file that cannot be renamed over: a bind mount, as Docker makes for a single file.

The new content is first written, whole and synced, to a journal beside the file. A valid journal
counts as the content, so a writer killed at any point leaves the old or the new one. The file
itself is grown with line ends before it is overwritten and cut afterwards, so between any two
system calls rclone, too, reads the old or the new content. Within the one write Linux can stop for
SIGKILL between two pages (seen once in some thousand kills): a foreign rclone then reads a mixture
until our next change finishes what the journal holds; readers through this library see the journal.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from pathlib import Path

_HEAD = b"pluton-rclone journal 1 "


def path_of(path: Path) -> Path:
    return path.parent / f".{path.name}.pluton-journal"


def content(path: Path) -> bytes | None:
    """The content that a valid journal holds; None if there is none, or it was not finished."""
    try:
        data = path_of(path).read_bytes()
    except OSError:
        return None
    body = data.partition(b"\n")[2]
    return body if data == sealed(body) else None


def write(path: Path, new: bytes, instead_of: bytes | None) -> bytes | None:
    """Overwrite in place if `instead_of` is there. Returns what was there. OSError."""
    with path.open("r+b") as file:
        _lock(file.fileno())
        before = content(path) or file.read()
        if before != instead_of:
            return before
        mark = path_of(path)
        temporary = mark.with_name(f"{mark.name}-{os.urandom(4).hex()}")
        write_new(temporary, sealed(new))
        temporary.rename(mark)
        sync_folder(mark.parent)
        try:
            missing = len(new) - os.fstat(file.fileno()).st_size
            if missing > 0:
                _write_at(file.fileno(), b"\n" * missing, len(new) - missing)
        except OSError:
            # The old content is untouched, and there is no room for the new one.
            with contextlib.suppress(OSError):
                os.truncate(path, len(before))
            mark.unlink()
            raise
        with contextlib.suppress(PermissionError):
            os.fchmod(file.fileno(), stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o600)
        _finish(path, file.fileno(), new)
        return before


def _finish(path: Path, descriptor: int, new: bytes) -> None:
    """Bring the file to the journal's content and drop the journal; safe to repeat."""
    padding = max(0, os.fstat(descriptor).st_size - len(new))
    _write_at(descriptor, new + b"\n" * padding, 0)
    os.ftruncate(descriptor, len(new))
    os.fsync(descriptor)
    path_of(path).unlink(missing_ok=True)


def recover(path: Path) -> None:
    """Finish what a killed writer began; drop an unfinished journal. Under the lock. OSError."""
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
        _lock(file.fileno())
        _finish(path, file.fileno(), new)


def is_mount_point(path: Path) -> bool:
    """Whether something is mounted on the file itself (Linux: /proc/self/mountinfo)."""
    try:
        text = Path("/proc/self/mountinfo").read_text(errors="surrogateescape")
    except OSError:
        return False
    escaped = str(path).translate({ord(c): f"\\{ord(c):03o}" for c in "\\ \t\n"})
    return any(line.split(" ")[4] == escaped for line in text.splitlines() if line.count(" ") > 4)


def sealed(body: bytes) -> bytes:
    """A whole journal with this content."""
    import hashlib  # as in merge.py

    return _HEAD + hashlib.sha256(body).hexdigest().encode() + b"\n" + body


def write_new(path: Path, data: bytes, *, like: os.stat_result | None = None) -> os.stat_result:
    """Make a file, synced, or none, for its owner alone: owner, and at most mode, as of `like`."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            if like is not None:
                if (like.st_uid, like.st_gid) != (os.geteuid(), os.getegid()):
                    with contextlib.suppress(PermissionError):
                        os.fchown(descriptor, like.st_uid, like.st_gid)
                os.fchmod(descriptor, stat.S_IMODE(like.st_mode) & 0o600)
            os.fsync(descriptor)
            return os.fstat(descriptor)
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        # Some network file systems cannot; the rename itself is done.
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)


def _write_at(descriptor: int, data: bytes, offset: int) -> None:
    while data:
        done = os.pwrite(descriptor, data, offset)
        data = data[done:]
        offset += done


def _lock(descriptor: int) -> None:
    """The file's own lock: two containers share the file, but not the folder with our lock."""
    import fcntl  # only where there are bind mounts

    fcntl.flock(descriptor, fcntl.LOCK_EX)
