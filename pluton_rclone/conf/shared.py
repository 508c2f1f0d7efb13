"""Changes to an rclone.conf that others write, too: rclones without a lock, and our processes.

A change is a function from the present document to the desired one. It is applied under our lock to
a fresh reading, and again whenever an rclone turns out to have written in between, so it must be
repeatable.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterator, Sequence, Set
from functools import partial
from pathlib import Path
from typing import NamedTuple

from pluton_rclone import errors
from pluton_rclone.process.log import Log

from . import encryption, journal, variables
from .disk import ConfigFile, Identity, Put, content, not_writable, remove
from .environment import PASSWORD, PASSWORD_COMMAND
from .foreigners import foreign_rclones
from .ini import Document, parse
from .merge import adopted, repaired_section, with_later_tokens
from .pairs import tidied

log = Log(__name__)

Edit = Callable[[Document], Document]
_MOST_ROUNDS = 200
_told: set[Path] = set()  # leftovers that were warned about
_turn = threading.RLock()  # held while asking for a password; a loan asks for the real file's


def _begin_anew() -> None:
    """Replace the lock: a fork may inherit it locked, without the thread that would release it."""
    global _turn
    _turn = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_anew)


class _Placed(NamedTuple):
    """A change that is in the file, as far as we know; `put` is None if nothing had to be changed.
    `names` are the changed remotes, `foreigners` the rclones that may have read the file before."""

    before: Document
    after: Document
    put: Put | None = None
    names: Sequence[str] = ()
    change: str = ""
    foreigners: Set[int] = frozenset()


class SharedConfig:
    """The document in one file. `password` is called only if the file is encrypted, and again if
    the password no longer opens the file. `with_variables`: include the remotes that variables
    define, except in changes."""

    def __init__(
        self, path: Path, password: Callable[[], str], with_variables: bool = False
    ) -> None:
        self._with_variables = with_variables
        self.file = ConfigFile(path)
        self._ask = password
        self._password: str | None = None
        self._refused = set[int]()
        self._read: tuple[Identity | None, Document] | None = None

    def password(self) -> str:
        """The latest password; if several threads need it at once, the user is asked only once."""
        with _turn, self._named():
            if self._password is None:
                self._password = self._ask()
            return self._password

    @contextlib.contextmanager
    def _named(self) -> Iterator[None]:
        """Add the file's path to errors about rclone.conf: --config may name any file."""
        try:
            yield
        except errors.ConfigError as error:
            path = str(self.file.named)
            if path not in f"{error.what} {error.why}":
                error.why = "; ".join(filter(None, (error.why, f"the file is {path}")))
            raise

    def _decrypted(self, data: bytes) -> bytes:
        """The decrypted content. Another process may have changed the password, so ask for it
        again, but once per content: a command may fail each time, and a user has to type it."""
        password = self.password()
        try:
            return encryption.decrypt(data, encryption.key_from_password(password))
        except (errors.ConfigPasswordWrong, errors.ConfigPasswordMissing):
            with _turn:
                if self._password == password and hash(data) not in self._refused:
                    self._refused.add(hash(data))
                    self._password = self._ask()
                new = self.password()
            if new == password:
                raise
        return encryption.decrypt(data, encryption.key_from_password(new))

    def decode(self, data: bytes | None, key: bytes | None = None) -> Document:
        """The document in `data`, decrypted if necessary."""
        data = data or b""
        with self._named():
            if encryption.is_encrypted(data):
                data = encryption.decrypt(data, key) if key else self._decrypted(data)
            return tidied(parse(data.decode("utf-8", "surrogateescape")))

    def encode(self, document: Document, like: bytes | None) -> bytes:
        """The bytes of the document, encrypted if `like` is."""
        data = document.text().encode("utf-8", "surrogateescape")
        if not encryption.is_encrypted(like or b""):
            return data
        return encryption.encrypt(data, encryption.key_from_password(self.password()))

    def is_encrypted(self) -> bool:
        data = self.file.read() or b""
        with self._named():
            return encryption.is_encrypted(data)

    def document(self) -> Document:
        """The present document; empty if there is no file. Takes no lock."""
        identity = self.file.identity()
        if self._read is None or identity is None or self._read[0] != identity:
            self._read = (identity, self.decode(self._bytes()[0]))
        return variables.laid_over(self._read[1], self.made_by_variables())

    def made_by_variables(self) -> dict[str, dict[str, str]]:
        """The remotes that variables define, which no change of the file affects."""
        return variables.sections() if self._with_variables else {}

    def check_writable(self) -> None:
        """Raise ConfigNotWritable or ConfigLocked if a token refreshed later would be lost."""
        with self.file.lock():
            self._recover()
            self.file.check_writable(len(self.document().text()) + 4096)

    def require_file(self) -> None:
        """Raise ConfigNotWritable if the file does not exist, so that a token cannot be saved."""
        if not self.file.exists():
            what, why = f"{self.file.path} is gone", "it was removed, or its disk was unmounted"
            advice = "Restore the file, or mount its disk."
            raise errors.ConfigNotWritable(what, why=why, advice=advice)

    def _bytes(self) -> tuple[bytes | None, tuple[Path, ...]]:
        """The content, and the killed rclone's leftovers that it was recovered from, if any."""
        data = self.file.read()
        leftover = self.file.leftover() if data is None else None
        if leftover is None:
            return data, ()
        old, new = leftover
        data = content(old)
        if data is None:  # rclone was not killed, and has just put the file in place
            return self.file.read(), ()
        if old not in _told:
            _told.add(old)
            what = "%s is missing; recovered from %s, which a killed rclone left"
            log.warning(what, self.file.path, old)
        with contextlib.suppress(errors.ConfigUnreadable, OSError):
            document = self.decode(data)
            tokens = with_later_tokens(document, self.decode(new.read_bytes()))
            return data if tokens is document else self.encode(tokens, data), (old, new)
        return data, (old,)

    def password_environment(self) -> dict[str, str]:
        """The variables that let a process of ours read the file."""
        if not self.is_encrypted():
            return {}
        # Unless empty, the command takes precedence, and every rclone would run it again.
        return {PASSWORD: self.password(), PASSWORD_COMMAND: ""}

    def change(self, edit: Edit, *, check: Callable[[Document], None] | None = None) -> Document:
        """Apply the edit under the lock. Returns the document that is then in the file. `check`
        gets the first reading; if it raises, nothing is changed. Raises ConfigLocked,
        ConfigNotWritable, ConfigUnreadable, and the errors of the password."""
        with self.file.lock():
            self._recover()
            placed = self._apply(edit, check)
        if placed.put is not None:
            self._confirm(placed, placed.put)
        return placed.after

    def recode(self, password: str | None) -> None:
        """Encrypt the file with this password, or decrypt it (None). Raises like `change`."""
        key = None if password is None else encryption.key_from_password(password)

        def write(document: Document) -> bytes:
            data = document.text().encode("utf-8", "surrogateescape")
            return data if key is None else encryption.encrypt(data, key)

        for _ in range(_MOST_ROUNDS):
            with self.file.lock():
                self._recover()
                data, leftovers = self._bytes()
                try:
                    document = self.decode(data, key)
                    done = encryption.is_encrypted(data or b"") == (key is not None)
                except errors.ConfigPasswordWrong:  # it has the old password
                    document, done = self.decode(data), False
                if done:
                    break
                _, put = self._place(lambda now: now, data, document, document, leftovers, write)
            # An rclone that had read the file before may have restored the old content.
            if not self.file.wait_for_savers(put, foreign_rclones(self.file.path)):
                break
        self._read, self._password = None, password

    def _recover(self) -> None:
        """Finish or undo the work of our killed writers."""
        try:
            journal.recover(self.file.path)
            leftovers = self.file.leftover_temporaries()
        except OSError as error:
            raise not_writable(self.file.path, error) from None
        for path in leftovers:
            source = Document()
            try:  # after the exchange, it has the old content: maybe the only copy of a token
                source = self.decode(path.read_bytes())
            except (errors.ConfigPasswordMissing, errors.ConfigPasswordWrong):
                self.decode(self._bytes()[0])  # if the file has another password, too, this raises
            except (errors.ConfigUnreadable, OSError):
                pass
            self._apply(partial(with_later_tokens, source=source))
            remove(path)

    def _apply(self, edit: Edit, check: Callable[[Document], None] | None = None) -> _Placed:
        data, leftovers = self._bytes()
        before = self.decode(data)
        if check is not None:
            check(before)
        document = edit(before)
        if document == before:
            return _Placed(before, before)
        self._read = None
        # only the remotes that we change, not those that another program changes meanwhile
        both = dict.fromkeys([*before.names(), *document.names()])
        names = [name for name in both if before.sections.get(name) != document.sections.get(name)]
        after, put = self._place(edit, data, before, document, leftovers)
        change = self.file.note_change(names)
        return _Placed(before, after, put, names, change, foreign_rclones(self.file.path))

    def _place(
        self,
        edit: Edit,
        in_place: bytes | None,
        before: Document,
        document: Document,
        leftovers: tuple[Path, ...] = (),
        write: Callable[[Document], bytes] | None = None,
    ) -> tuple[Document, Put]:
        """Replace `in_place` by the document, merged with what rclones saved in between.
        `leftovers` are the files that `before` was recovered from; they are removed at the end."""
        like, obsolete = in_place, list(leftovers)
        for _ in range(_MOST_ROUNDS):
            new = write(document) if write else self.encode(document, like)
            put = self.file.put(new, instead_of=in_place)
            if put.holder is not None:
                obsolete.append(put.holder)
            if put.came_out is None or put.came_out == in_place:
                for path in obsolete:  # only now: one may hold the only copy of a token
                    remove(path)
                return document, put
            theirs = self._decode_theirs(put.came_out, before)
            merged = edit(adopted(document, ancestor=before, theirs=theirs))
            # If not ours, they saved again, or the file is a mount point and was not written.
            ours = self.file.read() == new
            in_place, before = (new, document) if ours else (put.came_out, theirs)
            document = merged
        what = f"other programs keep writing {self.file.path}"
        raise errors.ConfigLocked(what, why=f"{_MOST_ROUNDS} attempts were overwritten")

    def _confirm(self, placed: _Placed, put: Put) -> None:
        """Wait until no rclone can still save what it read before; repair what one has undone."""
        path, foreigners = self.file.path, placed.foreigners
        for _ in range(_MOST_ROUNDS):
            if not self.file.wait_for_savers(put, foreigners):
                return
            with self.file.lock():
                data = self.file.read()
                now = repaired = self._decode_theirs(data, placed.after)
                old, new = placed.before, placed.after
                for name in self.file.still_last(placed.change, placed.names):
                    repaired = repaired_section(repaired, name, before=old, after=new)
                # keep a token that arrived under a name that the repair removes
                repaired = with_later_tokens(repaired, now)
                if repaired == now:
                    return
                log.info("an rclone had overwritten %s with an older version; repaired", path)
                _, put = self._place(lambda document: document, data, now, repaired)
                self._read = None
                foreigners = foreign_rclones(path)

    def _decode_theirs(self, data: bytes | None, otherwise: Document) -> Document:
        try:
            return self.decode(data) if data is not None else otherwise
        except errors.PlutonRcloneError as error:  # rclone cannot read it, so our content stays
            what = "another program's changes to %s cannot be read: %s"
            log.warning(what, self.file.path, error)
            return otherwise
