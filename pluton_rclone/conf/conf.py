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

    `path` None is the file that rclone itself uses. `password` is needed for an encrypted file
    only, and may come from RCLONE_PASSWORD_COMMAND or RCLONE_CONFIG_PASS instead; what is encrypted
    stays encrypted. Reading takes no lock. Every change is one step: under a lock between
    processes, on a fresh reading, whole or not at all; bytes that it does not concern stay as they
    are. `with_variables`: the OneDrives that RCLONE_CONFIG_… variables make are there, too, and
    cannot be changed. Errors: ConfigError and its children.
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
        """The real file, symlinks followed."""
        return self._shared.file.path

    @property
    def named(self) -> Path:
        """The file by its name, made absolute: what is used later follows its symlinks then."""
        return self._shared.file.named

    def exists(self) -> bool:
        """Whether there is a file, or what a killed rclone left of it: that is read, too."""
        return self._shared.file.exists()

    def names(self) -> list[str]:
        """The remotes in the order of the file: sections that have a type."""
        return list(self.sections())

    def taken(self) -> list[str]:
        """What no new remote can be called: every section, also those without a type."""
        return self._shared.document().names()

    def __contains__(self, name: object) -> bool:
        """Whether the name is taken."""
        return name in self._shared.document()

    def drive_of(self, name: str) -> str:
        """The remote that starts at the drive's root: of a storage with a base folder another one
        than the storage's (`remote.pairs`)."""
        return drive_of(self._shared.document().sections, name)

    def storage_of(self, name: str) -> str:
        """The storage whose `drive_of` this is; else the name itself."""
        return storage_of(self._shared.document().sections, name)

    def section(self, name: str) -> dict[str, str]:
        """The section as `rclone config dump` shows it, that of a storage with a base folder made
        of its two. It holds secrets. StorageNotFound."""
        document = pairs.require(self._shared.document(), name)
        return pairs.section(document, name, document.section)

    def whole_section(self, name: str) -> dict[str, str]:
        """The same with what it inherits from a parent ([a] for [a.b]). StorageNotFound."""
        document = pairs.require(self._shared.document(), name)
        return pairs.section(document, name, document.whole_section)

    def sections(self) -> dict[str, dict[str, str]]:
        """Every remote with its whole section, from one reading of the file. It holds secrets."""
        document = self._shared.document()
        read = document.whole_section
        found = {name: pairs.section(document, name, read) for name in pairs.names(document)}
        return {name: section for name, section in found.items() if "type" in section}

    def remote(self, name: str) -> OneDriveRemote:
        """A OneDrive remote. StorageNotFound; OptionInvalid, RemoteIncomplete if it is unusable."""
        from pluton_rclone.remote.onedrive import OneDriveRemote

        return OneDriveRemote.from_section(self.whole_section(name))

    def remotes(self) -> dict[str, str]:
        """Every remote's name and type ("onedrive", "local", …)."""
        return {name: section["type"] for name, section in self.sections().items()}

    def inspect(self, *names: str, version: Version | None = None) -> list[Finding]:
        """What is wrong with these remotes, or with the file and every remote in it, and how to fix
        it. `version`: of the rclone at hand."""
        from dataclasses import replace

        from pluton_rclone.remote.inspect import inspect_remote

        sections = {name: self.whole_section(name) for name in names} or self.sections()
        found = [] if names else _faults_of_file(self._shared.file)
        in_file = self._shared.document().sections
        for name, section in sections.items():
            drive = self.drive_of(name)  # variables that win over the file have its name
            paired, made = drive != name, self.is_variable(drive)
            told = inspect_remote(drive, section, version=version, paired=paired, by_variables=made)
            told += _of_parents(in_file, name, drive)
            found += [replace(finding, remote=name) for finding in told]
        return found

    def is_encrypted(self) -> bool:
        """Whether the file is encrypted; needs no password. False if there is no file."""
        return self._shared.is_encrypted()

    def password_environment(self) -> dict[str, str]:
        """The variables with which a process of ours reads the file; they hold its password."""
        return self._shared.password_environment()

    def is_variable(self, name: str) -> bool:
        """Whether variables make this remote, so that it cannot be changed here."""
        return name in self._shared.made_by_variables()

    def check_writable(self, name: str = "") -> None:
        """ConfigNotWritable or ConfigLocked if a change (of the remote `name`) would fail now."""
        if self.is_variable(name):
            raise variables.refusal(name)
        self._shared.check_writable()

    def add(self, name: str, section: Mapping[str, str]) -> None:
        """A new remote at the end of the file. StorageExists; OptionInvalid for an unfit value, or
        a name with which rclone would mix its options with another remote's."""
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
        """Set keys of a remote (text) or remove them (None); the others stay, a new token too. `of`
        is the section that the changes were made for: StorageNotFound if that was removed since,
        also if another storage has its name now."""
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
        """The same remote under another name, in the same place. StorageNotFound, StorageExists;
        OptionInvalid as of `add`."""
        if name != new_name:
            self._change(name, lambda now: pairs.renamed(now, name, new_name), new_name)

    def delete(self, name: str, *, of: Mapping[str, str] | None = None) -> None:
        """Remove a remote with its comment. StorageNotFound; `of` as for `update`."""
        self._change(name, lambda document: pairs.removed(document, name), of=of)

    def _change(
        self,
        name: str,
        edit: Edit,
        new_name: str | None = None,
        of: Mapping[str, str] | None = None,
    ) -> None:
        """Change the remote `name`, or one that is to be called `new_name`."""
        if self.is_variable(name):
            raise variables.refusal(name)

        def check(document: Document) -> None:
            if name != new_name:
                pairs.require(document, name)
            if of is not None and not is_same_storage(
                of, pairs.section(document, name, document.whole_section)
            ):
                what = f"The storage {name!r} is not there any more."
                why = "it was removed meanwhile, and another one has its name"
                raise StorageNotFound(what, why=why, name=name)
            if new_name is None:
                return
            if new_name in document:
                raise StorageExists(f"there is already a remote {new_name!r} in {self.path}")
            from pluton_rclone.remote.names import check_name

            check_name(new_name, others=[one for one in document.names() if one != name])

        self._shared.change(edit, check=check)

    def encrypt(self, password: str | None) -> None:
        """Encrypt the file as rclone does, also with a new password, or decrypt it (None). First
        end every rclone that has another password: it could no longer save. ConfigError."""
        with self.private([]):  # what a killed one left is encrypted as the file was
            pass
        self._shared.recode(password)

    def private(
        self,
        names: Sequence[str] | None = None,
        others: Others | None = None,
        warn: Callable[[PlutonRcloneError], None] = lambda error: None,
    ) -> AbstractContextManager[PrivateConfig]:
        """An rclone.conf for rclones that we start, with only these remotes (None: all), and with
        the options that `others` gives for a name and its section. Give rclone its `path` and its
        `environment`. What rclone refreshes in it is merged back while it runs, at the end, and,
        after a crash, at the next start; not where `others` gave another `token_url`. `warn` hears
        why the real file cannot be written."""
        from .private import lend

        wanted = self.names() if names is None else list(names)
        return lend(self._shared, wanted, others, warn)

    def keeper(self, name: str) -> Callable[[str], None]:
        """Keeps the token that follows this remote's present one, also if the remote is renamed
        meanwhile, and not if somebody has signed in anew. StorageNotFound; then ConfigError."""
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
        if os.name == "posix" and path.is_file() and mode & 0o077:  # not of /dev/null
            what = f"other users may read or change it (mode {mode:04o})"
            found.append(("mode", what, f"chmod 600 {shlex.quote(str(path))}"))
    if journal.is_mount_point(path):
        what = "it is mounted as a single file: rclone cannot save to it and loses renewed tokens"
        found.append(("mount", what, "Mount its folder instead."))
    for left in file.left_with_secrets() if path.exists() else ():
        what = f"{left.name} was left by a killed rclone, with its secrets"
        found.append(("leftover", what, "Remove it, unless it is a copy of yours."))
    return [Finding("", option, "warning", what, advice) for option, what, advice in found]


def _of_parents(
    sections: Mapping[str, Mapping[str, str]], name: str, drive: str
) -> Iterator[Finding]:
    """What a remote takes from another one because of the dot in its name, or would take."""
    from pluton_rclone.remote.inspect import Finding

    own, above = sections.get(drive, {}), handed_down(sections, drive)
    given = {key: one for key, one in above.items() if key not in own and sections[one][key]}
    parent = next(iter(given.values()), parent_of(name))
    if parent in sections:
        what = f"rclone gives it each option of {parent!r} that it does not have itself"
        what += f": {', '.join(given)}" if given else ""
        advice = "Rename it, without a dot: what it has now, it keeps."
        yield Finding(name, "name", "warning", what, advice)


def _new_sign_in(values: Mapping[str, str | None]) -> dict[str, str]:
    """A token set by hand starts a new sign-in: no running rclone may bring the last one back."""
    if not values.get(TOKEN) or SIGN_IN in values:
        return {}
    return {SIGN_IN: datetime.now(timezone.utc).isoformat(timespec="microseconds")}
