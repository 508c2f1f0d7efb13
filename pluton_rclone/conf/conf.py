"""rclone.conf as a list of remotes: read, add, update, rename, delete, and lend out to an rclone
that we start.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from pluton_rclone.errors import StorageExists, StorageNotFound
from pluton_rclone.remote.names import check_name
from pluton_rclone.values.conf_text import check_values
from pluton_rclone.values.token_text import SIGN_IN, TOKEN

from . import variables
from .ini import Document
from .location import default_path
from .password import find_password
from .shared import SharedConfig

if TYPE_CHECKING:
    from pluton_rclone.remote.inspect import Finding
    from pluton_rclone.remote.onedrive import OneDriveRemote
    from pluton_rclone.values.versions import Version

    from .private import PrivateConfig


class Conf:
    """One rclone.conf.

    `path` None is the file that rclone itself uses. `password` is needed for an encrypted file
    only, and may come from RCLONE_PASSWORD_COMMAND or RCLONE_CONFIG_PASS instead; what is encrypted
    stays encrypted. Reading takes no lock. Every change is one step: under a lock between
    processes, on a fresh reading, whole or not at all; bytes that it does not concern stay as they
    are. `with_variables`: the OneDrives that RCLONE_CONFIG_… variables make are there, too, and cannot be
    changed. Errors: ConfigError and its children.
    """

    def __init__(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        password: str | None = None,
        with_variables: bool = False,
    ) -> None:
        self._shared = SharedConfig(
            default_path() if path is None else Path(path),
            lambda: find_password(password, path=self.path),
            with_variables,
        )

    def __repr__(self) -> str:
        return f"Conf({str(self.path)!r})"

    @property
    def path(self) -> Path:
        """The real file, symlinks followed."""
        return self._shared.file.path

    # ---- reading ----

    def names(self) -> list[str]:
        """The remotes in the order of the file: sections that have a type."""
        document = self._shared.document()
        return [
            name
            for name in document.names()
            if "type" in document.raw_section(name) or "type" in document.inherited(name)
        ]

    def __contains__(self, name: object) -> bool:
        return name in self._shared.document()

    def section(self, name: str) -> dict[str, str]:
        """The section as `rclone config dump` shows it. It holds secrets. StorageNotFound."""
        document = self._shared.document()
        _check_present(document, name)
        return document.section(name)

    def whole_section(self, name: str) -> dict[str, str]:
        """The section with what rclone takes from a parent section ([a] for [a.b]).
        StorageNotFound."""
        document = self._shared.document()
        _check_present(document, name)
        return document.whole_section(name)

    def sections(self) -> dict[str, dict[str, str]]:
        """Every remote with its whole section, from one reading of the file: what looks at several
        takes it from here, since others come and go meanwhile. It holds secrets.
        """
        document = self._shared.document()
        found = {name: document.whole_section(name) for name in document.names()}
        return {name: section for name, section in found.items() if "type" in section}

    def remote(self, name: str) -> OneDriveRemote:
        """A OneDrive remote. StorageNotFound; OptionInvalid or RemoteIncomplete when rclone could
        not use it.
        """
        from pluton_rclone.remote.onedrive import OneDriveRemote

        return OneDriveRemote.from_section(self.whole_section(name))

    def remotes(self) -> dict[str, str]:
        """Every remote's name and type ("onedrive", "local", …)."""
        return {name: section["type"] for name, section in self.sections().items()}

    def inspect(self, *names: str, version: Version | None = None) -> list[Finding]:
        """What is wrong with these remotes, or with the file and every remote in it, and how to fix
        each. `version`: of the rclone at hand.
        """
        from pluton_rclone.remote.inspect import inspect_remote

        from .inspect import inspect_file

        document = self._shared.document()
        for name in names:
            _check_present(document, name)
        sections = {name: document.whole_section(name) for name in names} or self.sections()
        found = [] if names else inspect_file(self.path)
        for name, section in sections.items():
            found += inspect_remote(name, section, version=version)
        return found

    def is_encrypted(self) -> bool:
        """Whether the file is encrypted; needs no password. False when there is no file."""
        return self._shared.is_encrypted()

    def is_variable(self, name: str) -> bool:
        """Whether variables make this remote, so that it cannot be changed here."""
        return name in self._shared.made_by_variables()

    def _refuse_variable(self, name: str) -> None:
        if self.is_variable(name):
            raise variables.refusal(name)

    def check_writable(self, name: str = "") -> None:
        """ConfigNotWritable or ConfigLocked now: a token that is refreshed later could not be
        kept. `name`: of a remote that is to be changed."""
        self._refuse_variable(name)
        with self._shared.file.lock():
            self._shared.file.check_writable(len(self._shared.document().text()) + 4096)

    # ---- changing ----

    def add(self, name: str, section: Mapping[str, str]) -> None:
        """A new remote at the end of the file. StorageExists, OptionInvalid for what rclone.conf
        cannot carry.
        """
        self._refuse_variable(name)
        check_name(name)
        check_values(section)
        values = _with_sign_in(section)

        def check(document: Document) -> None:
            if name in document:
                raise StorageExists(f"there is already a remote {name!r} in {self.path}")

        self._shared.change(
            lambda document: document if name in document else document.with_section(name, values),
            check=check,
        )

    def update(self, name: str, changes: Mapping[str, str | None]) -> None:
        """Set keys of a remote (text) or remove them (None); every other key stays, above all a
        refreshed token.
        """
        check_values({key: value for key, value in changes.items() if value is not None})
        token = changes.get(TOKEN)
        if self.is_variable(name) and token and changes.keys() <= {TOKEN, SIGN_IN}:
            variables.keep(name, token)
            return
        self._refuse_variable(name)
        wanted = _with_sign_in(changes)
        self._shared.change(
            lambda document: document.changed(name, wanted) if name in document else document,
            check=lambda document: _check_present(document, name),
        )

    def rename(self, name: str, new_name: str) -> None:
        """The same remote under another name, in the same place. StorageNotFound, StorageExists."""
        self._refuse_variable(name)
        check_name(new_name)

        def check(document: Document) -> None:
            _check_present(document, name)
            if new_name in document:
                raise StorageExists(f"there is already a remote {new_name!r} in {self.path}")

        def edit(document: Document) -> Document:
            if name not in document:
                return document
            if new_name in document:
                return document.without_section(name)
            return document.renamed(name, new_name)

        if name != new_name:
            self._shared.change(edit, check=check)

    def delete(self, name: str) -> None:
        """Remove a remote with its comment. StorageNotFound."""
        self._refuse_variable(name)
        self._shared.change(
            lambda document: document.without_section(name),
            check=lambda document: _check_present(document, name),
        )

    def encrypt(self, password: str | None) -> None:
        """Encrypt the file as rclone does, or anew with another password, or decrypt it (None). A
        running rclone that knows another password can no longer save: end it before. ConfigError.
        """
        with self.private([]):  # what a killed one left is encrypted as the file was
            pass
        self._shared.recode(password)

    # ---- lending ----

    @contextmanager
    def private(self, names: Sequence[str] | None = None) -> Iterator[PrivateConfig]:
        """An rclone.conf for rclones that we start, with only these remotes (None: all).

        Give rclone its `path` and its `environment`. What rclone refreshes in it is merged back
        while it runs, at the end, and, after a crash, at the next start.
        """
        from .private import lend

        with lend(self._shared, self.names() if names is None else list(names)) as config:
            yield config


def _check_present(document: Document, name: str) -> None:
    if name not in document:
        raise StorageNotFound(f"there is no remote {name!r}")


_Text = TypeVar("_Text", str, str | None)


def _with_sign_in(values: Mapping[str, _Text]) -> dict[str, _Text]:
    """A token that is set by hand starts a new sign-in: no rclone that still runs may bring the one
    before back.
    """
    result = dict(values)
    if result.get(TOKEN) and SIGN_IN not in result:
        result[SIGN_IN] = datetime.now(timezone.utc).isoformat(timespec="microseconds")
    return result
