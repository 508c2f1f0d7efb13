"""One rclone.conf on disk: read whole, put in place whole or not at all. It knows bytes alone."""

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

from . import journal, system
from .foreigners import wait_until_asleep

log = Log(__name__)

_ABSENT_SECONDS = 2.0  # rclone is without its file for two renames; later it was killed in between
_SAVING_SECONDS = 5.0  # a temporary file of a running rclone is younger
_DAY = "(?:19|20)[0-9]{2}(?:0[1-9]|1[0-2])[0-3][0-9]"
_RANDOM = f"(?!{_DAY}$)[1-9][0-9]{{6,9}}"
"""What os.CreateTemp adds to a name, a number of 32 bits, but for one of 4000, which a person may
add: 1, 2, a day."""
_PAUSE = 0.005
_BUSY_SECONDS = 2.0  # an rclone at full work never sleeps
_CALM_SECONDS = 0.015
_NO_FILE = "Name a file: it is read again and again, and renewed tokens are saved in it."
_RECENT = 60.0  # seconds for which it is known who changed a remote
Identity = tuple[int, int, int]  # inode, time and size: changes whenever the file does


class Put(NamedTuple):
    """A content that was put in place. `came_out` is the content before (None: no file), `holder`
    the file that still holds it, to be removed once that is dealt with, and `identity` that of the
    new content. `mounted`: the file is a mount point and was written in place, or not at all if
    `came_out` is not what was expected."""

    came_out: bytes | None
    holder: Path | None
    identity: Identity | None
    mounted: bool = False

    def __repr__(self) -> str:
        return f"Put({self.holder})"  # what came out holds secrets


class ConfigFile:
    """The file that is `named`, made absolute. What writes must be called under `lock`.
    ConfigUnreadable for a relative path where the current folder is gone."""

    def __init__(self, path: Path) -> None:
        try:
            self.named = Path(require_path(str(path))).absolute()
        except OSError:
            what, why = f"{path} cannot be read", "the current folder, which it starts in, is gone"
            advice = "Go to a folder that is there, or give the whole path."
            raise ConfigUnreadable(what, why=why, advice=advice) from None

    @property
    def path(self) -> Path:
        """The real file: symlinks are followed at each use. What a secret's folder in Kubernetes or
        the folder `current` of a release lead to is another one, and the old one gone, while a
        program runs."""
        with contextlib.suppress(OSError):  # a link that was taken away between two looks
            return Path(os.path.realpath(self.named))
        return self.named

    @property
    def _lock(self) -> Path:
        path = self.path
        return path.with_name(f".{path.name}.pluton.lock")

    def exists(self) -> bool:
        """Whether anything is there, or an rclone has left it between its two renames."""
        return self._is_there() or self.leftover() is not None or self._is_there()

    def _is_there(self) -> bool:
        try:
            self.named.stat()
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError:  # whoever reads it is told why that cannot be
            pass
        return True

    def read(self) -> bytes | None:
        """The whole content; None if there is no file and no rclone is about to put one there.
        Raises ConfigUnreadable if the file cannot be read."""
        kind = _odd_kind(self.named)
        if kind is not None:
            if str(self.path) == os.devnull:  # rclone, too, takes that for an empty file
                return None
            what, why = f"{self.named} cannot be read", f"it is {kind}, not a file"
            raise ConfigUnreadable(what, why=why, advice=_NO_FILE)
        deadline = time.monotonic() + _ABSENT_SECONDS
        while (data := self._read_once()) is None:
            if not self._is_being_saved() or time.monotonic() > deadline:
                return self._read_once()  # rclone may have put it there between the two looks
            time.sleep(_PAUSE)
        return data

    def _is_being_saved(self) -> bool:
        """Whether an rclone has just renamed the file away, and not long ago, as a killed one."""
        leftover = self.leftover()
        if leftover is None:
            return False
        try:
            age = time.time() - leftover[0].stat().st_ctime  # a rename sets it
        except OSError:  # it has been saved
            return True
        return abs(age) < _ABSENT_SECONDS  # clocks can be set, and differ over a network

    def _read_once(self) -> bytes | None:
        path = self.path
        return journal.content(path) or content(path)

    def identity(self) -> Identity | None:
        """Changes whenever the file does; None if it is absent."""
        found = self._stat()
        return found and _identity(found)

    def _stat(self) -> os.stat_result | None:
        with contextlib.suppress(OSError):
            return self.named.stat()
        return None

    def leftover(self) -> tuple[Path, Path] | None:
        """What an rclone leaves between its two renames, while the file is absent: the old file and
        the new one. What a person put aside has no such name, or is alone."""
        found, old = sorted(self._foreign_files(_RANDOM)), f"{self.path.name}.old"
        news = [path for _, _, path in found if not path.name.startswith(old)]
        # rclone makes the old one empty and then renames the config over it.
        olds = [path for _, size, path in found if size > 0 and path.name.startswith(old)]
        return (olds[-1], news[-1]) if olds and news else None

    def left_with_secrets(self) -> list[Path]:
        """Files beside it that an rclone named, filled, and has not come back to."""
        oldest = time.time() - _SAVING_SECONDS
        found = sorted(self._foreign_files(_RANDOM))
        return [path for modified, size, path in found if size > 0 and modified < oldest]

    def _foreign_files(self, number: str = "[0-9]+") -> Iterator[tuple[float, int, Path]]:
        """Time, size and path of the temporary files of rclones that save to this path
        (os.CreateTemp of name and name.old)."""
        path = self.path
        names = re.compile(rf"{re.escape(path.name)}(\.old)?{number}")
        with contextlib.suppress(OSError), os.scandir(path.parent) as entries:
            for entry in entries:
                if names.fullmatch(entry.name):
                    with contextlib.suppress(OSError):
                        found = entry.stat()
                        if stat.S_ISREG(found.st_mode):  # a folder of that name is somebody's own
                            yield found.st_mtime, found.st_size, Path(entry.path)

    def lock(self) -> Held:
        """The lock between processes and threads, held; ConfigLocked, ConfigNotWritable."""
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
        """Note in the file of the lock, which is held, that these remotes were just changed; the id
        of the change. None of our processes may undo a later change of another one."""
        change, now = os.urandom(8).hex(), time.time()
        all_noted = json_object(self._lock)
        recent = {name: noted for name, noted in all_noted.items() if now - noted[1] < _RECENT}
        with contextlib.suppress(OSError):
            self._lock.write_text(json.dumps({**recent, **dict.fromkeys(names, (change, now))}))
        return change

    def still_last(self, change: str, names: Iterable[str]) -> list[str]:
        """Those of the remotes that no other process of ours has changed since."""
        noted = json_object(self._lock)
        return [name for name in names if noted.get(name, (change,))[0] == change]

    def leftover_temporaries(self) -> list[Path]:
        """What killed writers of ours left: content that they took out, or were about to put in."""
        path = self.path
        return [one for one in path.parent.iterdir() if one.name.startswith(_temporary(path))]

    def put(self, new: bytes, *, instead_of: bytes | None) -> Put:
        """Put the new content in place in one step. If what came out is not `instead_of`, another
        program wrote meanwhile. ConfigNotWritable, ConfigLocked: nothing was changed, or what came
        out cannot be read and is kept beside it."""
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
                if temporary.stat().st_ino == identity[0]:  # else it holds what came out
                    temporary.unlink()
            raise not_writable(path, error) from None
        try:
            system.sync_folder(path.parent)
        except OSError as error:  # it is in place, and what came out must be looked at
            log.warning("%s is written, and may be the old one after a crash: %s", path, error)
        return Put(came_out, holder, identity)

    def _exchange(self, temporary: Path, path: Path) -> tuple[bytes | None, Path | None]:
        """The content that came out, and the file that holds it."""
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
        """A new file, synced, or none, with the owner of the present one, and at most its mode."""
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
        False if the file was not written since. Needs no lock.

        rclone looks at the file's time and size, some tenths of a millisecond later makes a
        temporary file beside it, writes that, and renames twice. So we wait until each of these
        rclones sleeps, and, for those that we cannot see (another container), for a moment without
        any temporary file. In between the file gets a new time: an rclone that opened the old file
        and then took the time of ours would never notice."""
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
        """A new time for what we put in place, if it is still there; then its identity."""
        # TypeError: Windows sets no times by descriptor.
        with contextlib.suppress(OSError, TypeError), self.named.open("rb") as file:
            if _identity(os.fstat(file.fileno())) == placed:
                os.utime(file.fileno())
                return _identity(os.fstat(file.fileno()))
        return placed

    def check_writable(self, size: int) -> None:
        """ConfigNotWritable if a save of `size` bytes would fail; tries all that it needs."""
        path = self.path
        temporary = _new_temporary(path)
        try:
            if journal.is_mount_point(path):
                path.open("r+b").close()
            with new_private_file(temporary) as file:
                remove(temporary)  # a kill while it is written leaves nothing, but on Windows
                self._fill(file, b"\n" * size)
            temporary.unlink(missing_ok=True)  # where nothing may be removed, it is told
        except OSError as error:
            raise not_writable(path, error) from None
        finally:
            remove(temporary)


def content(path: Path) -> bytes | None:
    """All that is in a file; None if there is none. ConfigUnreadable."""
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        advice = "Make the file readable for this user, or name another one."
        what = f"{path} cannot be read"
        raise ConfigUnreadable(what, why=_reason(error), advice=advice) from None


def json_object(path: Path) -> dict[str, Any]:
    """The JSON object in a file of ours; empty if it cannot be read, as of one killed writing."""
    with contextlib.suppress(OSError, ValueError, TypeError):
        return dict(json.loads(path.read_text()))
    return {}


def remove(path: Path) -> None:
    """Remove a leftover, if this user may: it does no harm, and stands in the way of nothing."""
    with contextlib.suppress(OSError):
        path.unlink()


def not_writable(path: Path, error: OSError) -> ConfigNotWritable | ConfigLocked:
    """What to raise for an error of a lock (BlockingIOError) or of writing."""
    if isinstance(error, BlockingIOError):
        why = f"it did not release it within {system.LOCK_SECONDS:.0f} seconds"
        return ConfigLocked(f"another process holds the lock on {path}", why=why)
    full = "Free disk space and try again; the old file is intact."
    why, advice = {
        errno.EROFS: ("it is on a read-only file system", None),
        errno.EACCES: ("this user may not write there", None),
        errno.EPERM: ("this user may not write there", None),
        errno.ENOSPC: ("the disk is full", full),
        errno.EDQUOT: ("the disk quota is used up", full),
    }.get(error.errno or 0, (_reason(error), None))
    return ConfigNotWritable(f"{path} cannot be written", why=why, advice=advice, errno=error.errno)


def _reason(error: OSError) -> str:
    return os.strerror(error.errno) if error.errno else str(error)


def _odd_kind(path: Path) -> str | None:
    """What is there instead of a file; None for a file, and for nothing. A FIFO would never be read
    to its end, and a file would take the place of a device. A link must not be followed before: a
    shell's `<(…)` is a link to a pipe, which has no path."""
    try:
        kind = stat.S_IFMT(path.stat().st_mode)
    except OSError:
        return None
    names = {stat.S_IFIFO: "a FIFO", stat.S_IFDIR: "a folder", stat.S_IFSOCK: "a socket"}
    return None if kind == stat.S_IFREG else names.get(kind, "a device")


def _temporary(path: Path) -> str:
    """What the names of our temporary files beside the path begin with."""
    return f".{path.name}.pluton-save-"


def _new_temporary(path: Path) -> Path:
    return path.with_name(f"{_temporary(path)}{os.urandom(8).hex()}")


def _identity(found: os.stat_result) -> Identity:
    return found.st_ino, found.st_mtime_ns, found.st_size
