"""Reading and changing an rclone.conf that others write too: rclones without any lock, and other processes
of ours.

A change is a function from the document as it is to the document as it should be. It is applied under our
lock to a fresh reading, and applied again whenever an rclone turns out to have written in between; so it
must be repeatable.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

from pluton_rclone.errors import ConfigLocked, ConfigUnreadable, PlutonRcloneError
from pluton_rclone.remote import encryption, journal
from pluton_rclone.remote.disk import ConfigFile, not_writable
from pluton_rclone.remote.ini import Document, parse
from pluton_rclone.remote.merge import adopted, gathered, with_later_tokens

log = logging.getLogger(__name__)

Edit = Callable[[Document], Document]
_MOST_ROUNDS = 200


class SharedConfig:
    """The document in one file. `password` is asked for once, and only when the file is encrypted."""

    def __init__(self, path: Path, password: Callable[[], str]) -> None:
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

    def decode(self, data: bytes | None) -> Document:
        """The document in these bytes, decrypted when they are encrypted."""
        if data is None:
            return Document()
        if encryption.is_encrypted(data):
            data = encryption.decrypt(data, self._key_now())
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
            return self._read[1]
        data, _ = self._bytes()
        document = self.decode(data)
        self._read = (identity, document)
        return document

    def _bytes(self) -> tuple[bytes | None, tuple[Path, ...]]:
        """The content, and the leftovers of a killed rclone that it was recovered from."""
        data = self.file.read()
        leftover = self.file.leftover() if data is None else None
        if leftover is None:
            return data, ()
        log.warning(
            "%s is missing; recovered from %s, which a killed rclone left", self.file.path, leftover.old
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
            careful = not self.file.is_ours()
            data, leftovers = self._bytes()
            before = self.decode(data)
            if check is not None:
                check(before)
            document = edit(before)
            if document == before:
                return before
            document = self._save(edit, data, before, document, careful, leftovers)
            self._read = None
            return document

    def _save(
        self,
        edit: Edit,
        in_place: bytes | None,
        before: Document,
        document: Document,
        careful: bool,
        leftovers: tuple[Path, ...] = (),
    ) -> Document:
        """Put the document in place and stay until what is in place has the change in it.

        `leftovers` are the files that `before` was recovered from, of no use once it is in place again.
        """
        like = in_place
        taken_out: list[Path] = []
        for _ in range(_MOST_ROUNDS):
            new = self.encode(document, like)
            came_out, holder = self.file.put(new, instead_of=in_place)
            for path in leftovers:
                path.unlink(missing_ok=True)
            if holder is not None:
                taken_out.append(holder)
            if came_out is not None and came_out != in_place:
                # an rclone saved between our reading and now
                careful = True
                theirs = self._decode_theirs(came_out, before)
                merged = edit(adopted(document, ancestor=before, theirs=theirs))
                if self.file.read() != new:
                    in_place, before, document = came_out, theirs, merged
                    continue
                in_place, before = new, document
                if merged != document:
                    document = merged
                    continue
            self.file.calm(careful=careful)
            now = self.file.read()
            if now != new:
                # an rclone saved after us; it may have read the file before us
                careful = True
                theirs = self._decode_theirs(now, document)
                kept = set(document.names()) <= set(theirs.names()) and edit(theirs) == theirs
                if not kept or now is None:
                    in_place, before, document = now, theirs, edit(gathered(document, before, theirs))
                    continue
                document = theirs
            # Only now: what came out may hold the only copy of a token.
            for path in taken_out:
                path.unlink(missing_ok=True)
            return document
        raise ConfigLocked(
            f"{self.file.path} is being written all the time", why=f"{_MOST_ROUNDS} attempts were overwritten"
        )

    def _decode_theirs(self, data: bytes | None, otherwise: Document) -> Document:
        try:
            return self.decode(data) if data is not None else otherwise
        except PlutonRcloneError as error:
            # They wrote what no rclone reads: our content stays.
            log.warning("what another program wrote to %s cannot be read: %s", self.file.path, error)
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
        """A writer killed after the exchange left what it took out: perhaps the only copy of a refreshed
        token.
        """
        data, _ = self._bytes()
        try:
            before = self.decode(data)
            source = self.decode(path.read_bytes())
        except (ConfigUnreadable, OSError):
            return
        document = with_later_tokens(before, source)
        if document is not before:
            self._save(lambda now: with_later_tokens(now, source), data, before, document, careful=True)
