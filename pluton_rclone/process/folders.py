"""Private folders (mode 0700) for files that must not outlive the session, in memory if the system
has such a place."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from . import system
from .log import Log

log = Log(__name__)


def runtime_folders() -> list[Path]:
    """The existing private folders that only this user can enter, best first: in the login
    session's folder (by its variable, or usual path, as cron has no variable), memory, disk."""
    return [folder for place in _places() for folder in _own(place)]


def runtime_folder() -> Path:
    """The best private folder, created if necessary. Raises OSError if none can be created."""
    return next(usable_folders())


def usable_folders() -> Iterator[Path]:
    """All usable private folders, best first, created if necessary: if one is full, take the next.
    If another user owns one, a folder with a longer name replaces it, which `runtime_folders` also
    finds. Raises OSError after the last."""
    problem = OSError("there is no folder for private files")
    for place in _places():
        try:
            yield _ours(place)
        except OSError as error:
            log.debug("no folder for private files in %s: %s", place, error)
            problem = error
    raise problem


def _ours(place: Path) -> Path:
    """Our folder in a place, created if necessary. Raises OSError."""
    folder, found = place / _name(), _own(place)
    if not found:
        with contextlib.suppress(FileExistsError):  # another user's, or another process was faster
            folder.mkdir(mode=0o700)
        found = _own(place)
    if found:
        return found[0]
    log.warning("%s is not used: another user can enter it, or owns it", folder)
    import tempfile

    return Path(tempfile.mkdtemp(prefix=f"{_name()}-", dir=place))


def leave_word(folder: Path) -> None:
    """Create a link to our folder in a place that is searched even by processes with another
    XDG_RUNTIME_DIR, or none. `remove` removes the link."""
    usual = _usual_places()
    if not usual or any(place in folder.parents[1:2] for place in usual):
        return
    with contextlib.suppress(OSError):
        (_ours(usual[0]) / folder.name).symlink_to(folder)


def remove(folder: Path) -> None:
    """Remove our folder, and the links to it."""
    with contextlib.suppress(OSError):  # `resolve` raises if another process removes it meanwhile
        place = folder.resolve()
        try:
            for file in place.iterdir():
                file.unlink(missing_ok=True)
            place.rmdir()
        except OSError:
            import shutil  # late, since it takes 3 ms: for subfolders, which ours do not have

            shutil.rmtree(place, ignore_errors=True)
    for link in (home / folder.name for home in runtime_folders()):
        if link.is_symlink():
            link.unlink(missing_ok=True)


def _places() -> list[Path]:
    session = os.environ.get("XDG_RUNTIME_DIR", "")
    named = [Path(session)] if session and os.path.isdir(session) else []
    return list(dict.fromkeys([*named, *_usual_places()]))


def _usual_places() -> list[Path]:
    usual = (f"/run/user/{system.user()}", "/dev/shm", _temporary())
    return [Path(place) for place in usual if os.path.isdir(place)]


def _temporary() -> str:
    """Like tempfile.gettempdir, which takes 2 ms, because it tests each folder."""
    named = (os.environ.get(name, "") for name in ("TMPDIR", "TEMP", "TMP"))
    return next((place for place in named if os.path.isdir(place)), "/tmp")


def _name() -> str:
    return f"pluton-rclone-{system.user()}"


def _own(place: Path) -> list[Path]:
    """Our folders in a place: the usual one, or those created because another user has it."""
    folder = place / _name()
    if is_ours_alone(folder):
        return [folder]
    if not os.path.lexists(folder):  # or the place cannot be searched
        return []
    return [found for found in sorted(place.glob(f"{_name()}-*")) if is_ours_alone(found)]


def is_ours_alone(folder: Path) -> bool:
    """Whether `folder` is a real folder that only this user can enter; anyone can create one in
    /dev/shm and /tmp."""
    try:
        found = folder.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and system.is_private(found)
