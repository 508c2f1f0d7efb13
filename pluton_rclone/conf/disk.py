"""One rclone.conf on disk: read whole, put in place whole or not at all. Knows bytes, not
sections."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import re
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from pluton_rclone.errors import ConfigLocked, ConfigNotWritable, ConfigUnreadable
from pluton_rclone.process.system import new_private_file

from . import journal, swap, system
from .foreigners import wait_until_asleep

log = logging.getLogger(__name__)

LOCK_SECONDS = 30.0
# rclone is without its file for two renames; after this long it was killed in between.
_ABSENT_SECONDS = 2.0
# A temporary file of a running rclone is younger than this.
_SAVING_SECONDS = 5.0
_PAUSE = 0.005
# An rclone at full work never sleeps.
_BUSY_SECONDS = 2.0
_CALM_SECONDS = 0.015
# Inode, time and size: changes whenever the file does.
Identity = tuple[int, int, int]
_FULL = (errno.ENOSPC, errno.EDQUOT)
_MOUNTED = (errno.EBUSY, errno.EXDEV)
_PLAIN_MODE = 0o600


class _IsMounted(Exception):
    """The file is a mount point: it cannot be renamed over."""


@dataclass(frozen=True)
class Leftover:
    """What a killed rclone left beside an absent rclone.conf: the old file and, if it got that far,
    the new one.
    """

    old: Path
    new: Path | None


@dataclass(frozen=True)
class Put:
    """A content that was put in place.

    `came_out` is what it took the place of (None: there was no file); `holder` is the file that
    still holds that, to be removed once it is dealt with. `identity` is that of the new content.
    `mounted`: the file is a mount point and was written in place, or, when `came_out` is not what
    was expected, not at all.
    """

    came_out: bytes | None = field(repr=False)
    holder: Path | None
    identity: Identity | None
    mounted: bool = False


class ConfigFile:
    """The file behind `path`, symlinks followed. Nothing here holds a lock unless it says so."""

    def __init__(self, path: Path) -> None:
        self.path = Path(os.path.realpath(path))
        self._temporary_prefix = f".{self.path.name}.pluton-save-"
        name = re.escape(self.path.name)
        self._foreign = re.compile(rf"{name}(\.old)?[0-9]+")

    # ---- reading ----

    def read(self) -> bytes | None:
        """The whole content; None when there is no file and no rclone is about to put one there.

        Raises ConfigUnreadable when the file cannot be read.
        """
        kind = _odd_kind(self.path)
        if kind is not None:
            if str(self.path) == os.devnull:  # for rclone, too, that is no configuration
                return None
            raise _unreadable(self.path, f"it is {kind}, not a file")
        deadline = time.monotonic() + _ABSENT_SECONDS
        while True:
            try:
                return journal.content(self.path) or self.path.read_bytes()
            except (FileNotFoundError, NotADirectoryError):
                if not self._old_files() or time.monotonic() > deadline:
                    # rclone may have put its file there between the two looks
                    return self._read_once_more()
            except OSError as error:
                raise _unreadable(self.path, _reason(error)) from None
            time.sleep(_PAUSE)

    def _read_once_more(self) -> bytes | None:
        try:
            return self.path.read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise _unreadable(self.path, _reason(error)) from None

    def identity(self) -> Identity | None:
        """Changes whenever the file does; None when it is absent."""
        found = self._stat()
        return found and _identity(found)

    def leftover(self) -> Leftover | None:
        """The files of an rclone that was killed between its two renames; only meaningful while the
        file is absent.
        """
        olds = self._old_files()
        if not olds:
            return None
        news = [
            path
            for path in self._foreign_files()
            if not path.name.startswith(self.path.name + ".old")
        ]
        return Leftover(max(olds, key=_modified), max(news, key=_modified, default=None))

    def _foreign_files(self) -> list[Path]:
        """The temporary files of rclones that save to this path (os.CreateTemp of name and
        name.old)."""
        try:
            with os.scandir(self.path.parent) as entries:
                return [
                    Path(entry.path) for entry in entries if self._foreign.fullmatch(entry.name)
                ]
        except OSError:
            return []

    def _old_files(self) -> list[Path]:
        # rclone makes this file empty and then renames the config over it
        return [
            path
            for path in self._foreign_files()
            if path.name.startswith(self.path.name + ".old") and _size(path) > 0
        ]

    # ---- writing: all of it under lock() ----

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """The lock between processes and threads; ConfigLocked, ConfigNotWritable."""
        import filelock

        kind = _odd_kind(self.path)
        if kind is not None:
            raise ConfigNotWritable(
                f"{self.path} cannot be written", why=f"it is {kind}, not a file"
            )
        lock = filelock.FileLock(
            self.path.parent / f".{self.path.name}.pluton.lock",
            timeout=LOCK_SECONDS,
            mode=_PLAIN_MODE,
            thread_local=False,
            poll_interval=_PAUSE,
        )
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock.acquire()
        except filelock.Timeout:
            raise ConfigLocked(
                f"another process holds the lock on {self.path}",
                why=f"it did not let go for {LOCK_SECONDS:.0f} seconds",
            ) from None
        except OSError as error:
            raise not_writable(self.path, error) from None
        try:
            yield
        finally:
            lock.release()

    def leftover_temporaries(self) -> list[Path]:
        """What killed writers of ours left: the content that they took out, or what they were about
        to put in.
        """
        return [
            path
            for path in self.path.parent.iterdir()
            if path.name.startswith(self._temporary_prefix)
        ]

    def put(self, new: bytes, *, instead_of: bytes | None) -> Put:
        """Put the new content in place in one step.

        When what came out is not `instead_of`, somebody else wrote meanwhile. ConfigNotWritable:
        nothing was changed.
        """
        try:
            temporary, identity = self._write_temporary(new)
        except OSError as error:
            raise not_writable(self.path, error) from None
        try:
            came_out, holder = self._exchange(temporary)
        except _IsMounted:
            temporary.unlink()
            return Put(self._put_in_place(new, instead_of), None, None, mounted=True)
        except OSError as error:
            temporary.unlink(missing_ok=True)
            raise not_writable(self.path, error) from None
        return Put(came_out, holder, identity)

    def _exchange(self, temporary: Path) -> tuple[bytes | None, Path | None]:
        while True:
            try:
                swap.exchange(temporary, self.path)
            except FileNotFoundError:
                with contextlib.suppress(FileExistsError):
                    swap.create(temporary, self.path)
                    system.sync_folder(self.path.parent)
                    return None, None
                continue
            except swap.ExchangeUnavailable:
                before = self._read_once_more()
                os.replace(temporary, self.path)
                system.sync_folder(self.path.parent)
                return before, None
            except OSError as error:
                if error.errno in _MOUNTED:
                    raise _IsMounted from None
                raise
            system.sync_folder(self.path.parent)
            return temporary.read_bytes(), temporary

    def _put_in_place(self, new: bytes, instead_of: bytes | None) -> bytes | None:
        try:
            return journal.write(self.path, new, instead_of)
        except OSError as error:
            raise not_writable(self.path, error) from None

    def _write_temporary(self, data: bytes) -> tuple[Path, Identity]:
        path = self.path.parent / f"{self._temporary_prefix}{os.urandom(8).hex()}"
        try:
            with new_private_file(path) as file:
                file.write(data)
                file.flush()
                system.keep_mode_and_owner(file.fileno(), self._stat(), _PLAIN_MODE)
                os.fsync(file.fileno())
                identity = _identity(os.fstat(file.fileno()))
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        return path, identity

    def _stat(self) -> os.stat_result | None:
        try:
            return self.path.stat()
        except OSError:
            return None

    def wait_for_savers(self, put: Put, foreigners: set[int]) -> bool:
        """Wait until no rclone can still save what it read before our content was put in place.

        rclone looks at the file's time and size, some tenths of a millisecond later makes a
        temporary file beside it, writes that, and renames twice. So each of these rclones is waited
        for until it sleeps; of those that we cannot see, in another container, a moment without any
        temporary file has to do. In between the file gets a new time: an rclone that opened the old
        file and then took the time of ours would never notice. False when nobody wrote since, so
        that there is nothing to look at. Needs no lock.
        """
        if put.mounted:
            return False
        wait_until_asleep(foreigners, _BUSY_SECONDS)
        identity = self._touch(put.identity)
        deadline = time.monotonic() + _SAVING_SECONDS
        calm_until = time.monotonic() + _CALM_SECONDS
        while (now := time.monotonic()) < deadline:
            if any(
                time.time() - _modified(path) < _SAVING_SECONDS for path in self._foreign_files()
            ):
                calm_until = max(calm_until, now + _PAUSE)
            elif now >= calm_until:
                break
            time.sleep(_PAUSE)
        return self.identity() != identity

    def _touch(self, placed: Identity | None) -> Identity | None:
        """A new time for what we put in place, if it is still there."""
        try:
            descriptor = os.open(self.path, os.O_RDONLY)
        except OSError:
            return placed
        try:
            if _identity(os.fstat(descriptor)) == placed:
                with contextlib.suppress(OSError, TypeError):  # Windows: not by descriptor
                    os.utime(descriptor)
                return _identity(os.fstat(descriptor))
            return placed
        finally:
            os.close(descriptor)

    def check_writable(self, size: int) -> None:
        """ConfigNotWritable now rather than after a transfer; tries everything that a save of
        `size` bytes needs.
        """
        try:
            if journal.is_mount_point(self.path):
                with self.path.open("r+b"):
                    pass
            self._write_temporary(b"\n" * size)[0].unlink()
        except OSError as error:
            raise not_writable(self.path, error) from None


def not_writable(path: Path, error: OSError) -> ConfigNotWritable:
    why = {
        errno.EROFS: "it is on a read-only file system",
        errno.EACCES: "this user may not write there",
        errno.EPERM: "this user may not write there",
        errno.ENOSPC: "the disk is full",
        errno.EDQUOT: "the disk quota is used up",
    }.get(error.errno or 0, _reason(error))
    advice = (
        "Free disk space and try again; the old file is intact." if error.errno in _FULL else None
    )
    return ConfigNotWritable(f"{path} cannot be written", why=why, advice=advice, errno=error.errno)


def _reason(error: OSError) -> str:
    return os.strerror(error.errno) if error.errno else str(error)


def _odd_kind(path: Path) -> str | None:
    """What is there instead of a file; None for a file, and for nothing. A FIFO would never be read
    to its end, and a device would give way to a file.
    """
    try:
        mode = path.stat().st_mode
    except OSError:
        return None
    kinds = {
        stat.S_IFREG: None,
        stat.S_IFIFO: "a FIFO",
        stat.S_IFDIR: "a folder",
        stat.S_IFSOCK: "a socket",
    }
    return kinds.get(stat.S_IFMT(mode), "a device")


def _unreadable(path: Path, why: str) -> ConfigUnreadable:
    return ConfigUnreadable(
        f"{path} cannot be read",
        why=why,
        advice="Make the file readable for this user, or name another one.",
    )


def _identity(found: os.stat_result) -> tuple[int, int, int]:
    return found.st_ino, found.st_mtime_ns, found.st_size


def _modified(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
