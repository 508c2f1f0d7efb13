"""Reading and changing an rclone.conf that others write too: rclones without any lock, and other
processes of ours.

A change is a function from the document as it is to the document as it should be. It is applied
under our lock to a fresh reading, and applied again whenever an rclone turns out to have written in
between; so it must be repeatable.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pluton_rclone.errors import (
    ConfigLocked,
    ConfigPasswordMissing,
    ConfigPasswordWrong,
    ConfigUnreadable,
    PlutonRcloneError,
)

from . import encryption, journal, variables
from .disk import ConfigFile, Put, not_writable
from .foreigners import foreign_rclones
from .ini import Document, parse
from .merge import adopted, repaired_section, with_later_tokens
from .recent import note_change, still_last

log = logging.getLogger(__name__)

Edit = Callable[[Document], Document]
_MOST_ROUNDS = 200


@dataclass(frozen=True)
class _Placed:
    """A change that is in the file, as far as we know; `put` is None when there was nothing to
    change.

    `names` are the remotes that it changed, `foreigners` the rclones that may have read the file as
    it was before.
    """

    before: Document
    after: Document
    put: Put | None = None
    names: Sequence[str] = ()
    change: str = ""
    foreigners: set[int] = field(default_factory=set)


class SharedConfig:
    """The document in one file. `password` is asked for once, and only when the file is
    encrypted. `with_variables`: remotes that variables make are there, except for a change."""

    def __init__(
        self,
        path: Path,
        password: Callable[[], str],
        with_variables: bool = False,
    ) -> None:
        self._with_variables = with_variables
        self.file = ConfigFile(path)
        self._find_password = password
        self._password: str | None = None
        self._key: bytes | None = None
        self._read: tuple[tuple[int, int, int] | None, Document] | None = None

    def __repr__(self) -> str:
        return f"SharedConfig({str(self.file.path)!r})"

    # ---- bytes and documents ----

    def password(self) -> str:
        """The password, found once; ConfigPasswordMissing."""
        if self._password is None:
            self._password = self._find_password()
        return self._password

    def _key_now(self) -> bytes:
        if self._key is None:
            self._key = encryption.key_from_password(self.password())
        return self._key

    def decode(self, data: bytes | None, key: bytes | None = None) -> Document:
        """The document in these bytes, decrypted when they are encrypted."""
        if data is None:
            return Document()
        if encryption.is_encrypted(data):
            data = encryption.decrypt(data, key or self._key_now())
        return parse(data.decode("utf-8", "surrogateescape"))

    def encode(self, document: Document, like: bytes | None) -> bytes:
        """The bytes of the document, encrypted when `like` is."""
        data = document.text().encode("utf-8", "surrogateescape")
        if like is not None and encryption.is_encrypted(like):
            return encryption.encrypt(data, self._key_now())
        return data

    # ---- reading ----

    def is_encrypted(self) -> bool:
        data = self.file.read()
        return data is not None and encryption.is_encrypted(data)

    def document(self) -> Document:
        """What is in the file now; empty when there is none. Takes no lock."""
        identity = self.file.identity()
        if self._read is not None and identity is not None and self._read[0] == identity:
            return variables.laid_over(self._read[1], self.made_by_variables())
        data, _ = self._bytes()
        document = self.decode(data)
        self._read = (identity, document)
        return variables.laid_over(document, self.made_by_variables())

    def made_by_variables(self) -> dict[str, dict[str, str]]:
        """The remotes that no change of the file can reach."""
        return variables.sections() if self._with_variables else {}

    def _bytes(self) -> tuple[bytes | None, tuple[Path, ...]]:
        """The content, and the leftovers of a killed rclone that it was recovered from."""
        data = self.file.read()
        leftover = self.file.leftover() if data is None else None
        if leftover is None:
            return data, ()
        log.warning(
            "%s is missing; recovered from %s, which a killed rclone left",
            self.file.path,
            leftover.old,
        )
        old = leftover.old.read_bytes()
        if leftover.new is None:
            return old, (leftover.old,)
        try:
            document = self.decode(old)
            tokens = with_later_tokens(document, self.decode(leftover.new.read_bytes()))
            data = old if tokens is document else self.encode(tokens, old)
        except (ConfigUnreadable, OSError):
            return old, (leftover.old,)
        return data, (leftover.old, leftover.new)

    # ---- changing ----

    def change(self, edit: Edit, *, check: Callable[[Document], None] | None = None) -> Document:
        """Apply the edit under the lock and give the document that is then in the file.

        `check` sees the first reading; what it raises leaves everything as it was. ConfigLocked,
        ConfigNotWritable, ConfigUnreadable and the password's errors.
        """
        with self.file.lock():
            self._mend()
            placed = self._apply(edit, check)
        if placed.put is not None:
            self._confirm(placed, placed.put)
        return placed.after

    def recode(self, password: str | None) -> None:
        """Encrypt the file with this password, or decrypt it (None); errors as of `change`."""
        key = None if password is None else encryption.key_from_password(password)

        def write(document: Document) -> bytes:
            data = document.text().encode("utf-8", "surrogateescape")
            return data if key is None else encryption.encrypt(data, key)

        for _ in range(_MOST_ROUNDS):
            with self.file.lock():
                self._mend()
                data, leftovers = self._bytes()
                try:
                    document = self.decode(data, key)
                    done = encryption.is_encrypted(data or b"") == (key is not None)
                except ConfigPasswordWrong:  # it has the one before
                    document, done = self.decode(data), False
                if done:
                    break
                _, put = self._place(lambda now: now, data, document, document, leftovers, write)
            # An rclone that had read the file before may have saved it as it was.
            if not self.file.wait_for_savers(put, foreign_rclones(self.file.path)):
                break
        self._password, self._key, self._read = password, key, None

    def _apply(self, edit: Edit, check: Callable[[Document], None] | None) -> _Placed:
        data, leftovers = self._bytes()
        before = self.decode(data)
        if check is not None:
            check(before)
        document = edit(before)
        if document == before:
            return _Placed(before, before)
        self._read = None
        # What we change, not what somebody else turns out to have changed in between.
        names = [
            name
            for name in {**_sections(before), **_sections(document)}
            if _own(before, name) != _own(document, name)
        ]
        placed, put = self._place(edit, data, before, document, leftovers)
        return _Placed(
            before,
            placed,
            put,
            names,
            note_change(self.file.path, names),
            foreign_rclones(self.file.path),
        )

    def _place(
        self,
        edit: Edit,
        in_place: bytes | None,
        before: Document,
        document: Document,
        leftovers: tuple[Path, ...] = (),
        write: Callable[[Document], bytes] | None = None,
    ) -> tuple[Document, Put]:
        """Put the document in place of `in_place`, and what an rclone saved in between, too.

        `leftovers` are the files that `before` was recovered from, of no use once it is in place
        again.
        """
        like = in_place
        taken_out: list[Path] = []
        for _ in range(_MOST_ROUNDS):
            new = write(document) if write else self.encode(document, like)
            put = self.file.put(new, instead_of=in_place)
            if put.holder is not None:
                taken_out.append(put.holder)
            if put.came_out is None or put.came_out == in_place:
                # Only now: what came out may hold the only copy of a token.
                for path in (*taken_out, *leftovers):
                    path.unlink(missing_ok=True)
                return document, put
            theirs = self._decode_theirs(put.came_out, before)
            merged = edit(adopted(document, ancestor=before, theirs=theirs))
            if self.file.read() == new:
                in_place, before = new, document
            else:
                # they saved once more, or the file is a mount point and was not written
                in_place, before = put.came_out, theirs
            document = merged
        raise ConfigLocked(
            f"{self.file.path} is being written all the time",
            why=f"{_MOST_ROUNDS} attempts were overwritten",
        )

    def _confirm(self, placed: _Placed, put: Put) -> None:
        """Stay until no rclone can still save what it read before, and repair what one of them
        undid."""
        foreigners = placed.foreigners
        for _ in range(_MOST_ROUNDS):
            if not self.file.wait_for_savers(put, foreigners):
                return
            with self.file.lock():
                data = self.file.read()
                now = self._decode_theirs(data, placed.after)
                repaired = now
                for name in still_last(self.file.path, placed.change, placed.names):
                    repaired = repaired_section(
                        repaired, name, before=placed.before, after=placed.after
                    )
                # a token that came under a name which the repair takes away again
                repaired = with_later_tokens(repaired, now)
                if repaired == now:
                    return
                log.info("an rclone had saved an older reading of %s; repaired", self.file.path)
                _, put = self._place(lambda document: document, data, now, repaired)
                self._read = None
                foreigners = foreign_rclones(self.file.path)

    def _decode_theirs(self, data: bytes | None, otherwise: Document) -> Document:
        try:
            return self.decode(data) if data is not None else otherwise
        except PlutonRcloneError as error:
            # They wrote what no rclone reads: our content stays.
            log.warning(
                "what another program wrote to %s cannot be read: %s", self.file.path, error
            )
            return otherwise

    def _mend(self) -> None:
        """Finish or undo what killed writers of ours left behind."""
        try:
            journal.recover(self.file.path)
            leftovers = self.file.leftover_temporaries()
        except OSError as error:
            raise not_writable(self.file.path, error) from None
        for path in leftovers:
            self._adopt_tokens(path)
            path.unlink(missing_ok=True)

    def _adopt_tokens(self, path: Path) -> None:
        """A writer killed after the exchange left what it took out: perhaps the only copy of a
        refreshed token."""
        try:
            source = self.decode(path.read_bytes())
        except (ConfigPasswordMissing, ConfigPasswordWrong):
            self.document()  # raises if it is not the file's password either: then it stays
            return
        except (ConfigUnreadable, OSError):
            return
        self._apply(lambda document: with_later_tokens(document, source), None)


def _sections(document: Document) -> dict[str, None]:
    return dict.fromkeys(document.names())


def _own(document: Document, name: str) -> dict[str, str] | None:
    return document.raw_section(name) if name in document else None
