"""One rclone.conf on disk, as bytes: read completely, and written completely or not at all."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import stat
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from pluton_rclone.errors import ConfigLocked, ConfigNotWritable, ConfigUnreadable
from pluton_rclone.process.log import Log
from pluton_rclone.process.system import Held, held, new_private_file
from pluton_rclone.values.paths import require_path
from pluton_rclone.values.units import system_says

from . import journal, system
from .foreigners import wait_until_asleep

log = Log(__name__)

_ABSENT_SECONDS = 2.0  # the file is absent between rclone's two renames; later, rclone was killed
_SAVING_SECONDS = 5.0  # the temporary file of a running rclone is younger
_DAY = "(?:19|20)[0-9]{2}(?:0[1-9]|1[0-2])[0-3][0-9]"
_RANDOM = f"(?!{_DAY}$)[1-9][0-9]{{6,9}}"
"""The 32-bit number that os.CreateTemp appends to a name, except for 1 in 4000, such as 1, 2 or a
date, which a person may append."""
_PAUSE = 0.005
_BUSY_SECONDS = 2.0  # the threads of a busy rclone may never all sleep
_CALM_SECONDS = 0.015
_NO_FILE = "Name a regular file: it is read repeatedly, and renewed tokens are saved in it."
_RECENT = 60.0  # seconds for which the last change of a remote is noted
Identity = tuple[int, int, int]  # inode, time and size, which change whenever the file does


class Put(NamedTuple):
    """The result of `ConfigFile.put`. `came_out` is the previous content (None: no file), `holder`
    the file that still holds it, to be removed once it has been handled, and `identity` that of the
    new content. `mounted`: the file is a mount point, and was written in place, or not at all if
    `came_out` is not the expected content."""

    came_out: bytes | None
    holder: Path | None
    identity: Identity | None
    mounted: bool = False

    def __repr__(self) -> str:
        return f"Put({self.holder})"  # `came_out` holds secrets


class ConfigFile:
    """The file at `named`, an absolute path. Methods that write must be called under `lock`. Raises
    ConfigUnreadable for a relative path if the current folder does not exist."""

    def __init__(self, path: Path) -> None:
        try:
            self.named = Path(require_path(str(path))).absolute()
        except OSError:
            what, why = f"{path} cannot be read", "the current folder, its start, is gone"
            advice = "Change to a folder that exists, or give the absolute path."
            raise ConfigUnreadable(what, why=why, advice=advice) from None

    @property
    def path(self) -> Path:
        """The real file. Symlinks are resolved at each use, because their target may be replaced
        while a program runs: a folder of a Kubernetes secret, or `current` of a release."""
        with contextlib.suppress(OSError):  # a link was removed during the call
            return Path(os.path.realpath(self.named))
        return self.named

    @property
    def _lock(self) -> Path:
        path = self.path
        return path.with_name(f".{path.name}.pluton.lock")

    def exists(self) -> bool:
        """Whether the file exists, or a leftover from between rclone's two renames."""
        return self._is_there() or self.leftover() is not None or self._is_there()

    def _is_there(self) -> bool:
        try:
            self.named.stat()
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError:  # `read` reports it
            pass
        return True

    def read(self) -> bytes | None:
        """The whole content; None if there is no file, and no rclone is about to create it. Raises
        ConfigUnreadable if the file cannot be read."""
        kind = _odd_kind(self.named)
        if kind is not None:
            if str(self.path) == os.devnull:  # to rclone, too, that is an empty file
                return None
            what, why = f"{self.named} cannot be read", f"it is {kind}, not a file"
            raise ConfigUnreadable(what, why=why, advice=_NO_FILE)
        deadline = time.monotonic() + _ABSENT_SECONDS
        while (data := self._read_once()) is None:
            if not self._is_being_saved() or time.monotonic() > deadline:
                return self._read_once()  # rclone may have created it since the last attempt
            time.sleep(_PAUSE)
        return data

    def _is_being_saved(self) -> bool:
        """Whether an rclone has renamed the file away just now; a killed one did it long ago."""
        leftover = self.leftover()
        if leftover is None:
            return False
        try:
            age = time.time() - leftover[0].stat().st_ctime  # a rename sets it
        except OSError:  # rclone has finished its save
            return True
        return abs(age) < _ABSENT_SECONDS  # clocks can be set, and differ across a network

    def _read_once(self) -> bytes | None:
        path = self.path
        return journal.content(path) or content(path)

    def identity(self) -> Identity | None:
        """A value that changes whenever the file does; None if the file is absent."""
        found = self._stat()
        return found and _identity(found)

    def _stat(self) -> os.stat_result | None:
        with contextlib.suppress(OSError):
            return self.named.stat()
        return None

    def leftover(self) -> tuple[Path, Path] | None:
        """The old and the new file that an rclone leaves between its two renames, while the file is
        absent. A copy that a person made has another name, or is alone."""
        found, old = sorted(self._foreign_files(_RANDOM)), f"{self.path.name}.old"
        news = [path for _, _, path in found if not path.name.startswith(old)]
        # rclone creates the old one empty, and then renames the config over it.
        olds = [path for _, size, path in found if size > 0 and path.name.startswith(old)]
        return (olds[-1], news[-1]) if olds and news else None

    def left_with_secrets(self) -> list[Path]:
        """Temporary files beside it that an rclone wrote and left behind."""
        oldest = time.time() - _SAVING_SECONDS
        found = sorted(self._foreign_files(_RANDOM))
        return [path for modified, size, path in found if size > 0 and modified < oldest]

    def _foreign_files(self, number: str = "[0-9]+") -> Iterator[tuple[float, int, Path]]:
        """Time, size and path of the temporary files of rclones that save to this path, created by
        os.CreateTemp from name and name.old."""
        path = self.path
        names = re.compile(rf"{re.escape(path.name)}(\.old)?{number}")
        with contextlib.suppress(OSError), os.scandir(path.parent) as entries:
            for entry in entries:
                if names.fullmatch(entry.name):
                    with contextlib.suppress(OSError):
                        found = entry.stat()
                        if stat.S_ISREG(found.st_mode):  # a folder is not rclone's
                            yield found.st_mtime, found.st_size, Path(entry.path)

    def lock(self) -> Held:
        """Take the lock between processes and threads. Raises ConfigLocked, ConfigNotWritable."""
        kind = _odd_kind(self.named)
        if kind is not None:
            what, why = f"{self.named} cannot be written", f"it is {kind}, not a file"
            raise ConfigNotWritable(what, why=why, advice=_NO_FILE)
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            return held(self._lock, system.LOCK_SECONDS)
        except OSError as error:
            refused = isinstance(error, PermissionError) and os.path.exists(self._lock)
            raise not_writable(self._lock if refused else self.path, error) from None

    def note_change(self, names: Iterable[str]) -> str:
        """Note in the lock file, while the lock is held, that these remotes were changed. Returns
        the id of the change. So no process of ours undoes a later change of another."""
        change, now = os.urandom(8).hex(), time.time()
        all_noted = json_object(self._lock)
        recent = {name: noted for name, noted in all_noted.items() if now - noted[1] < _RECENT}
        with contextlib.suppress(OSError):
            self._lock.write_text(json.dumps({**recent, **dict.fromkeys(names, (change, now))}))
        return change

    def still_last(self, change: str, names: Iterable[str]) -> list[str]:
        """The remotes that no other process of ours has changed since."""
        noted = json_object(self._lock)
        return [name for name in names if noted.get(name, (change,))[0] == change]

    def leftover_temporaries(self) -> list[Path]:
        """Leftovers of our killed writers: content that they had replaced, or were writing."""
        path = self.path
        return [one for one in path.parent.iterdir() if one.name.startswith(_temporary(path))]

    def put(self, new: bytes, *, instead_of: bytes | None) -> Put:
        """Put the new content in place atomically. If `came_out` differs from `instead_of`, another
        program has written meanwhile. After ConfigNotWritable or ConfigLocked, nothing has changed,
        or the previous content cannot be read and is kept beside the file."""
        path = self.path
        try:
            temporary, identity = self._write_temporary(path, new)
        except OSError as error:
            raise not_writable(path, error) from None
        try:
            try:
                came_out, holder = self._exchange(temporary, path)
            except OSError as error:
                if error.errno not in (errno.EBUSY, errno.EXDEV):  # not a mount point
                    raise
                came_out = journal.write(path, temporary, new, instead_of)
                return Put(came_out, None, None, mounted=True)
        except OSError as error:
            with contextlib.suppress(OSError):
                if temporary.stat().st_ino == identity[0]:  # else it holds the previous content
                    temporary.unlink()
            raise not_writable(path, error) from None
        try:
            system.sync_folder(path.parent)
        except OSError as error:  # it is in place, and the previous content must be handled
            log.warning("%s is written, but a crash may bring the old one back: %s", path, error)
        return Put(came_out, holder, identity)

    def _exchange(self, temporary: Path, path: Path) -> tuple[bytes | None, Path | None]:
        """Put `temporary` in place. Returns the previous content, and the file that holds it."""
        while True:
            try:
                system.exchange(temporary, path)
            except FileNotFoundError:
                with contextlib.suppress(FileExistsError):
                    system.create(temporary, path)
                    return None, None
            except system.ExchangeUnavailable:
                before = self._read_once()
                os.replace(temporary, path)
                return before, None
            else:
                return temporary.read_bytes(), temporary

    def _write_temporary(self, beside: Path, data: bytes) -> tuple[Path, Identity]:
        """A new file, synced, with the present owner and at most the present mode, or no file."""
        path = _new_temporary(beside)
        try:
            with new_private_file(path) as file:
                return path, self._fill(file, data)
        except BaseException:
            path.unlink(missing_ok=True)
            raise

    def _fill(self, file: BinaryIO, data: bytes) -> Identity:
        file.write(data)
        file.flush()
        system.keep_mode_and_owner(file.fileno(), self._stat(), 0o600)
        os.fsync(file.fileno())
        return _identity(os.fstat(file.fileno()))

    def wait_for_savers(self, put: Put, foreigners: Iterable[int]) -> bool:
        """Wait until no rclone can still save what it read before our content was put in place.
        Returns whether the file was written since. Needs no lock.

        rclone checks the file's time and size, some tenths of a millisecond later creates a
        temporary file beside it, writes that, and renames twice. So we wait until all threads of
        these rclones sleep, and, for rclones that we cannot see (another container), for a moment
        without temporary files. In between, the file gets a new time: otherwise an rclone that
        opened the old file and then took our file's time would never notice the change."""
        if put.mounted:
            return False
        wait_until_asleep(foreigners, _BUSY_SECONDS)
        identity = self._touch(put.identity)
        deadline = time.monotonic() + _SAVING_SECONDS
        calm_until = time.monotonic() + _CALM_SECONDS
        while (now := time.monotonic()) < deadline:
            oldest = time.time() - _SAVING_SECONDS
            if any(modified > oldest for modified, _, _ in self._foreign_files()):
                calm_until = max(calm_until, now + _PAUSE)
            elif now >= calm_until:
                break
            time.sleep(_PAUSE)
        return self.identity() != identity

    def _touch(self, placed: Identity | None) -> Identity | None:
        """Give our file a new time, if it is still in place. Returns its identity."""
        # TypeError: Windows sets no times by descriptor.
        with contextlib.suppress(OSError, TypeError), self.named.open("rb") as file:
            if _identity(os.fstat(file.fileno())) == placed:
                os.utime(file.fileno())
                return _identity(os.fstat(file.fileno()))
        return placed

    def check_writable(self, size: int) -> None:
        """Raise ConfigNotWritable if a save of `size` bytes would fail; tries every step of it."""
        path = self.path
        temporary = _new_temporary(path)
        try:
            if journal.is_mount_point(path):
                path.open("r+b").close()
            with new_private_file(temporary) as file:
                remove(temporary)  # so that a kill leaves no file (except on Windows)
                self._fill(file, b"\n" * size)
            temporary.unlink(missing_ok=True)  # raises where files may not be removed
        except OSError as error:
            raise not_writable(path, error) from None
        finally:
            remove(temporary)


def content(path: Path) -> bytes | None:
    """The content of a file; None if there is no file. Raises ConfigUnreadable."""
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        advice = "Make the file readable for this user, or name another one."
        what = f"{path} cannot be read"
        raise ConfigUnreadable(what, why=system_says(error), advice=advice) from None


def json_object(path: Path) -> dict[str, Any]:
    """The JSON object in our file; {} if it cannot be read, as after a kill during the write."""
    with contextlib.suppress(OSError, ValueError, TypeError):
        return dict(json.loads(path.read_text()))
    return {}


def remove(path: Path) -> None:
    """Remove a leftover, if this user may; otherwise it does no harm."""
    with contextlib.suppress(OSError):
        path.unlink()


def not_writable(path: Path, error: OSError) -> ConfigNotWritable | ConfigLocked:
    """The exception for an error of a lock (BlockingIOError) or of a write."""
    if isinstance(error, BlockingIOError):
        why = f"it did not release it within {system.LOCK_SECONDS:.0f} seconds"
        return ConfigLocked(f"another process holds the lock on {path}", why=why)
    full = "Free disk space and try again; the old file is intact."
    no_folder = ("a file is in the place of its folder", "Name a file in a folder.")
    why, advice = {
        errno.EROFS: ("it is on a read-only file system", None),
        errno.EACCES: ("this user may not write there", None),
        errno.EPERM: ("this user may not write there", None),
        errno.ENOSPC: ("the disk is full", full),
        errno.EDQUOT: ("the disk quota is used up", full),
        errno.EEXIST: no_folder,
        errno.ENOTDIR: no_folder,
    }.get(error.errno or 0, (system_says(error), None))
    return ConfigNotWritable(f"{path} cannot be written", why=why, advice=advice, errno=error.errno)


def _odd_kind(path: Path) -> str | None:
    """What exists instead of a file; None for a file, and if nothing exists. Reading a FIFO would
    never end, and writing would replace a device by a file. `path` must not be resolved before: a
    shell's `<(…)` is a link to a pipe, which has no path."""
    try:
        kind = stat.S_IFMT(path.stat().st_mode)
    except OSError:
        return None
    names = {stat.S_IFIFO: "a FIFO", stat.S_IFDIR: "a folder", stat.S_IFSOCK: "a socket"}
    return None if kind == stat.S_IFREG else names.get(kind, "a device")


def _temporary(path: Path) -> str:
    """The prefix of our temporary files beside `path`."""
    return f".{path.name}.pluton-save-"


def _new_temporary(path: Path) -> Path:
    return path.with_name(f"{_temporary(path)}{os.urandom(8).hex()}")


def _identity(found: os.stat_result) -> Identity:
    return found.st_ino, found.st_mtime_ns, found.st_size
