"""rclone.conf as a list of remotes: read, add, update, rename, delete, and lend to our rclones."""

from __future__ import annotations

import os
import shlex
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from pluton_rclone.errors import PlutonRcloneError, StorageExists, StorageNotFound
from pluton_rclone.remote.pairs import drive_of, storage_of
from pluton_rclone.values.conf_text import check_values, handed_down, parent_of
from pluton_rclone.values.token_text import SIGN_IN, TOKEN, token_digest

from . import journal, pairs, variables
from .environment import default_path, find_password
from .ini import Document
from .merge import is_same_storage, with_later_tokens
from .shared import Edit, SharedConfig

if TYPE_CHECKING:
    from pluton_rclone.remote.inspect import Finding
    from pluton_rclone.remote.onedrive import OneDriveRemote
    from pluton_rclone.values.versions import Version

    from .disk import ConfigFile
    from .private import Others, PrivateConfig


class Conf:
    """One rclone.conf.

    `path` is by default the file that rclone itself uses. Only an encrypted file needs `password`,
    which RCLONE_PASSWORD_COMMAND or RCLONE_CONFIG_PASS may provide instead; an encrypted file stays
    encrypted. Reading takes no lock. Every change is atomic: it holds a lock between processes,
    reads the file anew, and is written completely or not at all; all other bytes of the file stay.
    `with_variables` includes the OneDrives that RCLONE_CONFIG_… variables define; these cannot be
    changed. Methods raise ConfigError and its subclasses.
    """

    def __init__(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        password: str | None = None,
        with_variables: bool = False,
    ) -> None:
        at = default_path() if path is None else Path(path)
        self._shared = SharedConfig(at, lambda: find_password(password, self.path), with_variables)

    def __repr__(self) -> str:
        return f"Conf({str(self.path)!r})"

    @property
    def path(self) -> Path:
        """The real file, with symlinks resolved."""
        return self._shared.file.path

    @property
    def named(self) -> Path:
        """The absolute path as given; its symlinks are resolved anew at each use."""
        return self._shared.file.named

    def exists(self) -> bool:
        """Whether the file exists, or the leftover of a killed rclone, which is read as well."""
        return self._shared.file.exists()

    def names(self) -> list[str]:
        """The remotes (sections with a type), in the order of the file."""
        return list(self.sections())

    def taken(self) -> list[str]:
        """The names that no new remote can have: all sections, even those without a type."""
        return self._shared.document().names()

    def __contains__(self, name: object) -> bool:
        """Whether `name` is taken."""
        return name in self._shared.document()

    def drive_of(self, name: str) -> str:
        """The remote that starts at the drive's root; a storage with a base folder has a separate
        remote for it (`remote.pairs`)."""
        return drive_of(self._shared.document().sections, name)

    def storage_of(self, name: str) -> str:
        """The storage whose `drive_of` is `name`; else `name` itself."""
        return storage_of(self._shared.document().sections, name)

    def section(self, name: str) -> dict[str, str]:
        """The section as `rclone config dump` shows it; for a storage with a base folder, its two
        sections joined. It holds secrets. Raises StorageNotFound."""
        document = pairs.require(self._shared.document(), name)
        return pairs.section(document, name, document.section)

    def whole_section(self, name: str) -> dict[str, str]:
        """The `section` with keys inherited from a parent ([a] for [a.b]). StorageNotFound."""
        document = pairs.require(self._shared.document(), name)
        return pairs.section(document, name, document.whole_section)

    def sections(self) -> dict[str, dict[str, str]]:
        """All remotes with their whole sections, from one read of the file. They hold secrets."""
        document = self._shared.document()
        read = document.whole_section
        found = {name: pairs.section(document, name, read) for name in pairs.names(document)}
        return {name: section for name, section in found.items() if "type" in section}

    def remote(self, name: str) -> OneDriveRemote:
        """A OneDrive remote. Raises StorageNotFound, OptionInvalid, RemoteIncomplete."""
        from pluton_rclone.remote.onedrive import OneDriveRemote

        return OneDriveRemote.from_section(self.whole_section(name))

    def remotes(self) -> dict[str, str]:
        """The type of each remote ("onedrive", "local", …), by name."""
        return {name: section["type"] for name, section in self.sections().items()}

    def inspect(self, *names: str, version: Version | None = None) -> list[Finding]:
        """The faults of these remotes, or without `names` of the file and all its remotes, and how
        to fix them. `version` is that of the rclone in use."""
        from dataclasses import replace

        from pluton_rclone.remote.inspect import inspect_remote

        sections = {name: self.whole_section(name) for name in names} or self.sections()
        found = [] if names else _faults_of_file(self._shared.file)
        in_file = self._shared.document().sections
        for name, section in sections.items():
            drive = self.drive_of(name)  # variables that override the file contain this name
            paired, made = drive != name, self.is_variable(drive)
            told = inspect_remote(drive, section, version=version, paired=paired, by_variables=made)
            told += _of_parents(in_file, name, drive)
            found += [replace(finding, remote=name) for finding in told]
        return found

    def is_encrypted(self) -> bool:
        """Whether the file exists and is encrypted. Needs no password."""
        return self._shared.is_encrypted()

    def password_environment(self) -> dict[str, str]:
        """The variables that let a process of ours read the file. They hold its password."""
        return self._shared.password_environment()

    def is_variable(self, name: str) -> bool:
        """Whether variables define this remote, so that it cannot be changed here."""
        return name in self._shared.made_by_variables()

    def check_writable(self, name: str = "") -> None:
        """Raise ConfigNotWritable or ConfigLocked if a change (of remote `name`) would fail now."""
        if self.is_variable(name):
            raise variables.refusal(name)
        self._shared.check_writable()

    def add(self, name: str, section: Mapping[str, str]) -> None:
        """Add a remote at the end of the file. Raises StorageExists, and OptionInvalid for a bad
        value, or for a name that makes rclone mix its options with another remote's."""
        check_values(section)
        made = {**section, **_new_sign_in(section)}
        self._change(name, lambda now: now if name in now else pairs.added(now, name, made), name)

    def update(
        self,
        name: str,
        changes: Mapping[str, str | None],
        *,
        of: Mapping[str, str] | None = None,
    ) -> None:
        """Set keys of a remote (text) or remove them (None). Other keys stay, even a token renewed
        meanwhile. `of` is the section that the changes were made for. Raises StorageNotFound if
        that has been removed since, even if another storage has its name now."""
        check_values({key: value for key, value in changes.items() if value is not None})
        token = changes.get(TOKEN)
        if self.is_variable(name) and token and changes.keys() <= {TOKEN, SIGN_IN}:
            variables.keep(self.drive_of(name), token)
            return
        wanted = {**changes, **_new_sign_in(changes)}

        def edit(now: Document) -> Document:
            return pairs.changed(now, name, wanted) if name in now else now

        self._change(name, edit, of=of)

    def rename(self, name: str, new_name: str) -> None:
        """Rename a remote; it keeps its place in the file. Raises StorageNotFound, StorageExists,
        and OptionInvalid like `add`."""
        if name != new_name:
            self._change(name, lambda now: pairs.renamed(now, name, new_name), new_name)

    def delete(self, name: str, *, of: Mapping[str, str] | None = None) -> None:
        """Remove a remote with its comment. `of` is as in `update`. Raises StorageNotFound."""
        self._change(name, lambda document: pairs.removed(document, name), of=of)

    def _change(
        self,
        name: str,
        edit: Edit,
        new_name: str | None = None,
        of: Mapping[str, str] | None = None,
    ) -> None:
        """Change the remote `name`, or add or rename one to `new_name`."""
        if self.is_variable(name):
            raise variables.refusal(name)

        def check(document: Document) -> None:
            if name != new_name:
                pairs.require(document, name)
            if of is not None and not is_same_storage(
                of, pairs.section(document, name, document.whole_section)
            ):
                what = f"The storage {name!r} no longer exists."
                why = "it was removed, and another storage now has its name"
                raise StorageNotFound(what, why=why, name=name)
            if new_name is None:
                return
            if new_name in document:
                raise StorageExists(f"there is already a remote {new_name!r} in {self.path}")
            from pluton_rclone.remote.names import check_name

            check_name(new_name, others=[one for one in document.names() if one != name])

        self._shared.change(edit, check=check)

    def encrypt(self, password: str | None) -> None:
        """Encrypt the file as rclone does, or change its password, or decrypt it (None). End every
        rclone with the old password first, because it could no longer save. Raises ConfigError."""
        with self.private([]):  # merges what a killed run left under the old password
            pass
        self._shared.recode(password)

    def private(
        self,
        names: Sequence[str] | None = None,
        others: Others | None = None,
        warn: Callable[[PlutonRcloneError], None] = lambda error: None,
    ) -> AbstractContextManager[PrivateConfig]:
        """A private rclone.conf for the rclones that we start, with only these remotes (None: all),
        and with the options that `others` returns for a name and its section. Pass its `path` and
        `environment` to rclone. Tokens that rclone refreshes in it are merged back while it runs,
        at the end, and after a crash at the next start, unless `others` set another `token_url`.
        `warn` gets the error if the real file cannot be written."""
        from .private import lend

        wanted = self.names() if names is None else list(names)
        return lend(self._shared, wanted, others, warn)

    def keeper(self, name: str) -> Callable[[str], None]:
        """Returns a function that saves this remote's next token, even if the remote is renamed,
        but not after a new sign-in; it raises ConfigError. Raises StorageNotFound."""
        document = pairs.require(self._shared.document(), name)
        before = document.whole_section(drive_of(document.sections, name))

        def kept(token: str, now: Document) -> Document:
            where = drive_of(now.sections, name)
            source = Document().with_section(where, {**before, TOKEN: token})
            bases = {where: token_digest(before.get(TOKEN, ""))}
            return with_later_tokens(now, source, bases=bases)

        def keep(token: str) -> None:
            if self.is_variable(name):
                variables.keep(self.drive_of(name), token)
            else:
                self._shared.change(partial(kept, token))
                self._shared.require_file()

        return keep


def _faults_of_file(file: ConfigFile) -> list[Finding]:
    from pluton_rclone.remote.inspect import Finding

    found: list[tuple[str, str, str]] = []
    path = file.path
    with suppress(OSError):
        mode = stat.S_IMODE(path.stat().st_mode)
        if os.name == "posix" and path.is_file() and mode & 0o077:  # not for /dev/null
            what = f"other users may read or change it (mode {mode:04o})"
            found.append(("mode", what, f"chmod 600 {shlex.quote(str(path))}"))
    if journal.is_mount_point(path):
        what = "it is mounted as a single file: rclone cannot save to it and loses renewed tokens"
        found.append(("mount", what, "Mount its folder instead."))
    for left in file.left_with_secrets() if path.exists() else ():
        what = f"{left.name} was left by a killed rclone, and contains secrets"
        found.append(("leftover", what, "Remove it, unless you made it."))
    return [Finding("", option, "warning", what, advice) for option, what, advice in found]


def _of_parents(
    sections: Mapping[str, Mapping[str, str]], name: str, drive: str
) -> Iterator[Finding]:
    """A finding if a dot in a remote's name makes it inherit another remote's options, or could."""
    from pluton_rclone.remote.inspect import Finding

    own, above = sections.get(drive, {}), handed_down(sections, drive)
    given = {key: one for key, one in above.items() if key not in own and sections[one][key]}
    parent = next(iter(given.values()), parent_of(name))
    if parent in sections:
        what = f"in rclone, it inherits each option of {parent!r} that it does not set"
        what += f": {', '.join(given)}" if given else ""
        advice = "Rename it without a dot: its current options stay."
        yield Finding(name, "name", "warning", what, advice)


def _new_sign_in(values: Mapping[str, str | None]) -> dict[str, str]:
    """A new sign-in id for a token set by hand: no running rclone may restore the old token."""
    if not values.get(TOKEN) or SIGN_IN in values:
        return {}
    return {SIGN_IN: datetime.now(timezone.utc).isoformat(timespec="microseconds")}
