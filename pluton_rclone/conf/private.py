"""A private rclone.conf for the rclones that we start; the tokens they refresh are merged back.

Each loan is a folder, mode 0700, in memory if the system has such a place: `rclone.conf`,
`origin.json` (the tokens that it started from) and `owner.lock`, held while the owner runs. If the
lock is free, the owner was killed or could not write the real file: the next loan merges tokens.
"""

from __future__ import annotations

import binascii
import json
import os
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from pluton_rclone.errors import ConfigError, ConfigNotWritable, PlutonRcloneError
from pluton_rclone.process import folders
from pluton_rclone.process.interrupts import Flag
from pluton_rclone.process.log import Log
from pluton_rclone.process.system import Held, new_private_file
from pluton_rclone.values.token_text import TOKEN, token_digest

from . import disk, variables
from .ini import Document
from .merge import with_later_tokens
from .pairs import with_drives
from .shared import SharedConfig

log = Log(__name__)

POLL_SECONDS = 0.5
UNFINISHED, TRIAL = "unfinished", "test"
CONF, _ORIGIN, _OWNER = "rclone.conf", "origin.json", "owner.lock"
# A loan, by the mark of its rclone.conf; an unfinished loan; a remote under test.
_LOAN = re.compile(rf"([0-9a-f]{{8}}|{UNFINISHED}|{TRIAL})-[0-9a-f]{{16}}")
_LONG = 3600.0
_Made = TypeVar("_Made")
Warn = Callable[[PlutonRcloneError], None]
Others = Callable[[str, dict[str, str]], Mapping[str, str]]
"""Returns, for a remote's name and whole section, the options that differ in the copy."""


class PrivateConfig(NamedTuple):
    """Start rclone with `--config path`, and with `environment` added to its variables."""

    path: Path
    environment: dict[str, str]

    def __repr__(self) -> str:
        return f"PrivateConfig({str(self.path)!r})"  # `environment` may hold the password


@contextmanager
def lend(
    shared: SharedConfig, names: Sequence[str], others: Others | None, warn: Warn
) -> Iterator[PrivateConfig]:
    """A private config with these remotes. At the end, refreshed tokens are merged, except those of
    a remote whose copy has another `token_url`. Raises StorageNotFound. `warn` gets the error if
    the real file cannot be written: after half a second, or if a token cannot be saved. Such tokens
    wait until the file can be written, or until the machine restarts."""
    names = with_drives(shared.document(), names)
    loan = _open_loan(shared, names, others)
    loan.warn = warn
    watch = threading.Thread(target=loan.watch, name="pluton-rclone config", daemon=True)
    watch.start()
    try:
        yield PrivateConfig(loan.conf.file.path, loan.conf.password_environment())
    finally:
        if loan.process == os.getpid():  # a child of os.fork() does not own the loan
            loan.over.set()
            watch.join()
            loan.close()


# The names of the folders (and of links to them) that this process, or the one that it was forked
# from, is lending: a page with many loans spent a quarter of a core on trying their locks.
_here: set[str] = set()


class _Loan:
    """One private folder, new or found abandoned; its lock `owner` is held throughout. `bases` are
    the digests of the tokens that it started from, for the remotes whose tokens are merged back."""

    def __init__(
        self, shared: SharedConfig, folder: Path, owner: Held, bases: dict[str, str]
    ) -> None:
        self.shared, self.folder, self.owner, self.bases = shared, folder, owner, bases
        self.conf = SharedConfig(folder / CONF, shared.password)
        self.merged: disk.Identity | None = None
        self.process, self.over = os.getpid(), Flag()
        self.warn: Warn = lambda error: None

    def on(self, document: Document) -> Document:
        """The document with the tokens that were refreshed in this loan."""
        return with_later_tokens(document, self.conf.document(), bases=self.bases)

    def watch(self) -> None:
        """Merge while rclone runs: a long mount or a crash must not cost the token."""
        looked = False
        while not self.over.wait(POLL_SECONDS):
            if not looked:  # takes 15 ms, which a short command never gets to
                looked = True
                self.look_whether_writable()
                sweep()
            if self.conf.file.identity() not in (None, self.merged):
                with suppress(PlutonRcloneError, OSError):  # `close` will report it
                    self.merge()

    def look_whether_writable(self) -> None:
        try:
            if self.bases.keys() - self.shared.made_by_variables().keys():
                self.shared.require_file()  # first, because the lock would create its folder
                self.shared.check_writable()
        except ConfigError as error:
            what = "tokens that rclone refreshes now are lost at the next restart of this machine"
            log.warning("%s: %s", error, what)
            self.warn(error)
            self.warn = lambda error: None  # once is enough

    def merge(self) -> None:
        """Save every later token in the real file. Raises ConfigError."""
        identity = self.conf.file.identity()
        source = self.conf.document()
        for name in self.shared.made_by_variables():
            token = self.on(self.shared.document()).sections[name].get(TOKEN)
            variables.keep(name, token or "")
        present = self.shared.document()
        if self.on(present) != present:
            now = self.shared.change(self.on)
            log.debug("refreshed tokens merged into %s", self.shared.file.path)
            for name in source.names():  # the next token will be refreshed from the merged one
                token = source.sections[name].get(TOKEN)
                if token is not None and token == now.sections.get(name, {}).get(TOKEN):
                    self.bases[name] = token_digest(token)
        self._require_file(source)
        self.merged = identity

    def _require_file(self, source: Document) -> None:
        """Raise ConfigNotWritable if the real file is missing and the loan has a later token: the
        merge treats a missing file as one without remotes, and would drop the token."""
        for name in self.bases.keys() - self.shared.made_by_variables().keys():
            token = source.sections.get(name, {}).get(TOKEN)
            if token is not None and token_digest(token) != self.bases[name]:
                self.shared.require_file()

    def close(self) -> None:
        """Merge and remove the folder; if that fails, its tokens are left for the next loan."""
        _here.discard(self.folder.name)
        try:
            if self.conf.file.identity() != self.merged:
                self.merge()
        except PlutonRcloneError as error:
            what = "a refreshed token could not be saved and is kept in"
            log.error("%s %s: %s", what, self.folder, error)
            self.warn(error)
        else:
            folders.remove(self.folder)
        finally:
            self.owner.release()


def _open_loan(shared: SharedConfig, names: Sequence[str], others: Others | None) -> _Loan:
    leftovers = (_Loan(shared, *found) for found in abandoned(shared.file.path))
    waiting = [leftover for leftover in leftovers if not _merged_and_gone(leftover)]
    try:
        document = shared.document().require(*names)
        lent = document.only(names)
        for leftover in waiting:
            lent = leftover.on(lent)
        copy, coming_back = lent, list(names)
        for name in names:
            options = {} if others is None else others(name, lent.whole_section(name))
            copy = copy.changed(name, options)
            if "token_url" in options:
                coming_back.remove(name)
        loan = _make(shared, coming_back, document, copy)
        for leftover in waiting if coming_back == list(names) else ():
            if leftover.on(lent) == lent and leftover.on(document).only(names) == lent:
                loan.merged = None  # the new loan has all its tokens, and merges them later
                folders.remove(leftover.folder)
    finally:
        for leftover in waiting:
            leftover.owner.release()
    return loan


def _make(shared: SharedConfig, names: Sequence[str], document: Document, lent: Document) -> _Loan:
    tokens = {name: document.sections[name].get(TOKEN) for name in names}
    bases = {name: token_digest(token) for name, token in tokens.items() if token is not None}
    path = shared.file.path  # read once, because a symlink may change
    origin = json.dumps({"config": str(path), "tokens": bases}).encode()
    files = {_ORIGIN: origin, CONF: shared.encode(lent, shared.file.read())}
    folder, owner = in_first_place(lambda home: new_folder(home, mark(path), files))
    _here.add(folder.name)
    loan = _Loan(shared, folder, owner, bases)
    loan.merged = loan.conf.file.identity()
    return loan


def in_first_place(make: Callable[[Path], _Made]) -> _Made:
    """The result of `make` in the first usable folder for private files: one may be full, as soon
    happens with a container's 64 MB. Raises ConfigNotWritable with the first folder's problem."""
    problem: OSError | ConfigError | None = None
    try:
        for home in folders.usable_folders():
            try:
                return make(home)
            except (OSError, ConfigNotWritable) as error:
                log.debug("%s cannot be used: %s", home, error)
                problem = problem or error
    except OSError as error:  # after the last
        problem = problem or error
    if isinstance(problem, OSError):
        place = Path(problem.filename or "the folder for private files")
        problem = disk.not_writable(place, problem)
    assert problem is not None
    raise problem


def new_folder(home: Path, prefix: str, files: dict[str, bytes]) -> tuple[Path, Held]:
    """A new folder with these files, and its owner's lock. Other processes only ever see it
    complete and locked. Raises OSError, also if there is no room for a renewed token."""
    unfinished, owner = home / f"{UNFINISHED}-{os.urandom(8).hex()}", None
    folder = home / f"{prefix}-{os.urandom(8).hex()}"
    unfinished.mkdir(mode=0o700)
    try:
        owner = Held(unfinished / _OWNER)
        for name, data in files.items():
            with new_private_file(unfinished / name) as file:
                file.write(data)
        room = unfinished / "room"  # the room that rclone needs to save a renewed token
        room.write_bytes(bytes(2**18))
        room.unlink()
        folders.leave_word(folder)  # before the rename: after a kill, the folder must be found
        unfinished.rename(folder)
    except BaseException:
        for made in (unfinished, folder):
            folders.remove(made)
        if owner is not None:
            owner.release()
        raise
    folders.leave_word(folder)  # again: another process may have removed the dangling link
    return folder, owner


def abandoned(path: Path) -> Iterator[tuple[Path, Held, dict[str, str]]]:
    """The folders lent from this rclone.conf whose owner is gone, each with its lock, which the
    caller releases, and the digests of the tokens that it started from."""
    for folder, owner, origin in without_owner(f"{mark(path)}-"):
        if origin.get("config") in (None, str(path)):
            yield folder, owner, origin.get("tokens", {})
        else:  # of another rclone.conf with the same mark
            owner.release()


def sweep() -> None:
    """Remove unfinished folders, and those lent from an rclone.conf that no longer exists."""
    for folder, owner, origin in without_owner():
        with suppress(OSError):  # if the rclone.conf cannot be checked, its copy stays
            if not _can_be_claimed(folder, origin):
                folders.remove(folder)
        owner.release()


def _can_be_claimed(folder: Path, origin: Mapping[str, Any]) -> bool:
    """Whether a later loan of its rclone.conf can find this folder. Raises OSError if unknown."""
    if folder.name.startswith(UNFINISHED):  # killed before the rename, it may be complete
        return False
    try:
        os.stat(origin["config"])
    except (KeyError, FileNotFoundError, NotADirectoryError):
        return False
    return True


def without_owner(prefix: str = "") -> Iterator[tuple[Path, Held, dict[str, Any]]]:
    """Folders whose owner is gone, with lock and origin: those with `prefix`, or all older ones."""
    for home in folders.runtime_folders():
        for name in sorted(os.listdir(home)):
            if not name.startswith(prefix) or name in _here or _LOAN.fullmatch(name) is None:
                continue  # most of them, if a page has many loans
            folder = home / name
            if not prefix and _age(folder) < _LONG:
                continue
            if not folder.exists():  # a link to a folder that was removed at logout
                with suppress(OSError):  # only the link: its target may exist again by now
                    folder.unlink()
                continue
            with suppress(OSError):  # its owner is running
                yield folder, Held(folder / _OWNER), disk.json_object(folder / _ORIGIN)


def mark(path: Path) -> str:
    """The id of one rclone.conf in names of folders. Importing `hashlib` would take 3 ms."""
    return f"{binascii.crc32(os.fsencode(path)):08x}"


def _age(folder: Path) -> float:
    with suppress(OSError):  # its owner has just removed it
        return time.time() - folder.lstat().st_mtime  # lstat, because it may be a dangling link
    return 0.0


def _merged_and_gone(leftover: _Loan) -> bool:
    try:
        leftover.merge()
    except PlutonRcloneError as error:
        what = "a token refreshed earlier has not been merged yet: it is in"
        log.warning("%s %s: %s", what, leftover.folder, error)
        return False
    folders.remove(leftover.folder)
    leftover.owner.release()
    return True
