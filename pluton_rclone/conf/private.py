"""A private rclone.conf for the rclones that we start; what they refresh is merged back from it.

Each loan is a folder of its own, 0700, in memory where the system has that: `rclone.conf`,
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
# A loan of some rclone.conf, by its mark; one whose maker was killed; a remote on trial.
_LOAN = re.compile(rf"([0-9a-f]{{8}}|{UNFINISHED}|{TRIAL})-[0-9a-f]{{16}}")
_LONG = 3600.0
_Made = TypeVar("_Made")
Warn = Callable[[PlutonRcloneError], None]
Others = Callable[[str, dict[str, str]], Mapping[str, str]]
"""For a remote's name and whole section: the options that are others in the copy. None: none."""


class PrivateConfig(NamedTuple):
    """What to start rclone with: `--config path`, and these variables on top of its environment."""

    path: Path
    environment: dict[str, str]

    def __repr__(self) -> str:
        return f"PrivateConfig({str(self.path)!r})"  # the password may be in the environment


@contextmanager
def lend(
    shared: SharedConfig, names: Sequence[str], others: Others | None, warn: Warn
) -> Iterator[PrivateConfig]:
    """A private config with these remotes; ends by merging what was refreshed, but nothing of a
    remote whose copy has another `token_url`. StorageNotFound. `warn` hears why the real file
    cannot be written: in a run of more than half a second, or if that loses a token. Refreshed
    tokens wait until it can, or until the machine restarts."""
    names = with_drives(shared.document(), names)
    loan = _open_loan(shared, names, others)
    loan.warn = warn
    watch = threading.Thread(target=loan.watch, name="pluton-rclone config", daemon=True)
    watch.start()
    try:
        yield PrivateConfig(loan.conf.file.path, loan.conf.password_environment())
    finally:
        if loan.process == os.getpid():  # a child of os.fork() that leaves here did not borrow it
            loan.over.set()
            watch.join()
            loan.close()


# The names of folders (and of links to them) that this process, or the one that it was forked from,
# lends now: a page with many at once spent a quarter of a core on trying their locks.
_here: set[str] = set()


class _Loan:
    """One private folder, made or found abandoned; its lock `owner` is held throughout. `bases` are
    the digests of the tokens that it started from, of those that come back."""

    def __init__(
        self, shared: SharedConfig, folder: Path, owner: Held, bases: dict[str, str]
    ) -> None:
        self.shared, self.folder, self.owner, self.bases = shared, folder, owner, bases
        self.conf = SharedConfig(folder / CONF, shared.password)
        self.merged: disk.Identity | None = None
        self.process, self.over = os.getpid(), Flag()
        self.warn: Warn = lambda error: None

    def on(self, document: Document) -> Document:
        """The document with what was refreshed here."""
        return with_later_tokens(document, self.conf.document(), bases=self.bases)

    def watch(self) -> None:
        """Merge while rclone runs: a long mount or a crash must not cost the token."""
        looked = False
        while not self.over.wait(POLL_SECONDS):
            if not looked:  # a small command does not get here: it would take it 15 ms
                looked = True
                self.look_whether_writable()
                sweep()
            if self.conf.file.identity() not in (None, self.merged):
                with suppress(PlutonRcloneError, OSError):  # the end will report it
                    self.merge()

    def look_whether_writable(self) -> None:
        try:
            if self.bases.keys() - self.shared.made_by_variables().keys():
                self.shared.require_file()  # its folder is not made anew
                self.shared.check_writable()
        except ConfigError as error:
            what = "tokens that rclone refreshes now are lost at the next restart of this machine"
            log.warning("%s: %s", error, what)
            self.warn(error)
            self.warn = lambda error: None  # once is enough

    def merge(self) -> None:
        """Bring every later token into the real file. ConfigError."""
        identity = self.conf.file.identity()
        source = self.conf.document()
        for name in self.shared.made_by_variables():
            token = self.on(self.shared.document()).sections[name].get(TOKEN)
            variables.keep(name, token or "")
        present = self.shared.document()
        if self.on(present) != present:
            now = self.shared.change(self.on)
            log.debug("refreshed tokens merged into %s", self.shared.file.path)
            for name in source.names():  # the next token here is refreshed from what was merged
                token = source.sections[name].get(TOKEN)
                if token is not None and token == now.sections.get(name, {}).get(TOKEN):
                    self.bases[name] = token_digest(token)
        self._require_file(source)
        self.merged = identity

    def _require_file(self, source: Document) -> None:
        """ConfigNotWritable if the real file is away and a token here is a later one: for the merge
        a file that is not there is one without remotes, to which no token belongs."""
        for name in self.bases.keys() - self.shared.made_by_variables().keys():
            token = source.sections.get(name, {}).get(TOKEN)
            if token is not None and token_digest(token) != self.bases[name]:
                self.shared.require_file()

    def close(self) -> None:
        """Merge and go; a token that cannot be merged stays behind for the next loan."""
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
                loan.merged = None  # with all that it had, until the real file can be written
                folders.remove(leftover.folder)
    finally:
        for leftover in waiting:
            leftover.owner.release()
    return loan


def _make(shared: SharedConfig, names: Sequence[str], document: Document, lent: Document) -> _Loan:
    tokens = {name: document.sections[name].get(TOKEN) for name in names}
    bases = {name: token_digest(token) for name, token in tokens.items() if token is not None}
    path = shared.file.path  # one for both
    origin = json.dumps({"config": str(path), "tokens": bases}).encode()
    files = {_ORIGIN: origin, CONF: shared.encode(lent, shared.file.read())}
    folder, owner = in_first_place(lambda home: new_folder(home, mark(path), files))
    _here.add(folder.name)
    loan = _Loan(shared, folder, owner, bases)
    loan.merged = loan.conf.file.identity()
    return loan


def in_first_place(make: Callable[[Path], _Made]) -> _Made:
    """What `make` gives in the first folder for private files that it can use: they may be full, as
    a container's 64 MB of memory soon are. ConfigNotWritable says why the first cannot be used."""
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
    """A new folder with these files, and its owner's lock. Others see it complete and owned.
    OSError, also if there is no room for a renewed token."""
    unfinished, owner = home / f"{UNFINISHED}-{os.urandom(8).hex()}", None
    folder = home / f"{prefix}-{os.urandom(8).hex()}"
    unfinished.mkdir(mode=0o700)
    try:
        owner = Held(unfinished / _OWNER)
        for name, data in files.items():
            with new_private_file(unfinished / name) as file:
                file.write(data)
        room = unfinished / "room"  # that rclone needs to save a renewed token
        room.write_bytes(bytes(2**18))
        room.unlink()
        folders.leave_word(folder)  # before: killed in between, it would lie there unfound
        unfinished.rename(folder)
    except BaseException:
        for made in (unfinished, folder):
            folders.remove(made)
        if owner is not None:
            owner.release()
        raise
    folders.leave_word(folder)  # again: it led nowhere, and somebody may have taken it away
    return folder, owner


def abandoned(path: Path) -> Iterator[tuple[Path, Held, dict[str, str]]]:
    """The folders lent from this rclone.conf whose owner is gone, held until released, and the
    digests of the tokens that they started from."""
    for folder, owner, origin in without_owner(f"{mark(path)}-"):
        if origin.get("config") in (None, str(path)):
            yield folder, owner, origin.get("tokens", {})
        else:  # of two rclone.confs with one mark
            owner.release()


def sweep() -> None:
    """Remove what was never finished, and the copies of an rclone.conf that is gone."""
    for folder, owner, origin in without_owner():
        with suppress(OSError):  # of one that cannot be looked at, the copy stays
            if not _can_be_claimed(folder, origin):
                folders.remove(folder)
        owner.release()


def _can_be_claimed(folder: Path, origin: Mapping[str, Any]) -> bool:
    """Whether a later loan of its rclone.conf finds this folder. OSError if that is unknown."""
    if folder.name.startswith(UNFINISHED):  # killed before it had its name, it may have all else
        return False
    try:
        os.stat(origin["config"])
    except (KeyError, FileNotFoundError, NotADirectoryError):
        return False
    return True


def without_owner(prefix: str = "") -> Iterator[tuple[Path, Held, dict[str, Any]]]:
    """Folders whose owner is gone, held, and their origin: of one mark, or all older ones."""
    for home in folders.runtime_folders():
        for name in sorted(os.listdir(home)):
            if not name.startswith(prefix) or name in _here or _LOAN.fullmatch(name) is None:
                continue  # most of them, on a page with many at once
            folder = home / name
            if not prefix and _age(folder) < _LONG:
                continue
            if not folder.exists():  # a link to what has ended with its login session
                with suppress(OSError):  # the link alone: it may lead to a new one by now
                    folder.unlink()
                continue
            with suppress(OSError):  # its owner lives
                yield folder, Held(folder / _OWNER), disk.json_object(folder / _ORIGIN)


def mark(path: Path) -> str:
    """Stands for one rclone.conf in names of folders. `hashlib` takes an `ls` 3 ms to import."""
    return f"{binascii.crc32(os.fsencode(path)):08x}"


def _age(folder: Path) -> float:
    with suppress(OSError):  # its owner has just removed it
        return time.time() - folder.lstat().st_mtime  # it may be a link that leads nowhere
    return 0.0


def _merged_and_gone(leftover: _Loan) -> bool:
    try:
        leftover.merge()
    except PlutonRcloneError as error:
        what = "a token that was refreshed earlier still waits in"
        log.warning("%s %s: %s", what, leftover.folder, error)
        return False
    folders.remove(leftover.folder)
    leftover.owner.release()
    return True
