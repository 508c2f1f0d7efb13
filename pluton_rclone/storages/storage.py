"""The storages of one rclone.conf, each to browse, back up to, verify and restore from."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from pluton_rclone.errors import NothingFound, PlutonRcloneError, UsageError
from pluton_rclone.rclone import locations
from pluton_rclone.remote.pairs import BASE
from pluton_rclone.values.token_text import MASKED, TOKEN
from pluton_rclone.values.versions import KNOWS_ALL

from .home import Home

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from pluton_rclone.connection.report import ConnectionReport, OnStep
    from pluton_rclone.feed import By
    from pluton_rclone.microsoft.graph.drives import Drive
    from pluton_rclone.microsoft.graph.graph import Graph
    from pluton_rclone.preflight import Preflight
    from pluton_rclone.rclone.commands import FilterOptions, ListOptions, LogLevel, TransferOptions
    from pluton_rclone.rclone.listing import Entry
    from pluton_rclone.rclone.results import About, CheckResult, Total
    from pluton_rclone.rclone.transfer import Transfer
    from pluton_rclone.remote.onedrive import OneDriveRemote
    from pluton_rclone.saved.rclone import SavedRclone
    from pluton_rclone.setup.connect import StorageSetup

    from .restic import Restic

LocalPath = str | bytes | os.PathLike[str] | os.PathLike[bytes]


class Storage:
    """One storage of `Storages`. It reads rclone.conf each time, so changes by others take effect
    at once.

    A `path` is relative to the storage's base folder; with a leading "/" it starts at the drive's
    root, where shared and team folders appear. Paths are in rclone's form, as `walk` yields them.
    Every method raises errors of `pluton_rclone.errors`."""

    storages: Home[Storage]
    """All storages of the same rclone.conf."""

    def __init__(
        self, storages: Home[Storage], remote_name: str, *, log_level: LogLevel | None = None
    ) -> None:
        self.storages = storages
        self.remote_name = remote_name
        self._saved = storages._saved(remote_name, log_level)

    def __repr__(self) -> str:
        return f"Storage({self.name!r}, remote={self.remote_name!r})"

    @property
    def name(self) -> str:
        """The friendly name; the remote's name if there is none."""
        return self._saved.title

    @property
    def remote(self) -> OneDriveRemote:
        """The remote with all its options. RemoteIncomplete, OptionInvalid."""
        return self._saved.options

    def remote_to_sign_in(self) -> OneDriveRemote:
        """As `remote`, but also without a usable token: for `StorageSetup.for_storage`."""
        return self._saved.options_to_sign_in()

    @property
    def onedrives(self) -> list[OneDriveRemote]:
        """`[remote]`; for a remote that wraps storages (`Storages.reach`), those that it wraps."""
        return self._saved.onedrives

    def require(self) -> None:
        """RcloneTooOld if the rclone in use would ignore an option, or cannot renew the token."""
        if self.storages.binary.version >= KNOWS_ALL:
            return  # without loading the table of all options
        from pluton_rclone.remote.versions import require

        for name in self.storages.below(self.remote_name):
            require(self.storages.conf.whole_section(name), self.storages.binary.version)

    def record(self) -> dict[str, Any]:
        """An entry of a list of storages, as JSON without secrets; also if it is incomplete."""
        section = self._saved.section
        return {
            "name": self.name,
            "remote": self.remote_name,
            "drive_type": section.get("drive_type") or None,
            "drive_id": section.get("drive_id") or None,
            "region": section.get("region") or "global",
            "account": section.get("pluton_account_name") or None,
            "base_folder": section.get("pluton_base_folder") or "",
        }

    def masked_section(self) -> dict[str, str]:
        """The section of rclone.conf with every secret masked."""
        from pluton_rclone.remote.options import BY_NAME

        return {
            key: MASKED if value and key in BY_NAME and BY_NAME[key].kind == "secret" else value
            for key, value in self._saved.section.items()
        }

    def section_with_secrets(self) -> dict[str, str]:
        """The section of rclone.conf as it is: for an export, never for a log or a page."""
        return self._saved.section

    @property
    def rclone(self) -> SavedRclone:
        """The engine for this storage; every run has a private configuration."""
        return self._saved.rclone

    def with_log_level(self, level: LogLevel) -> Storage:
        """The same storage with an engine that logs at `level` by default."""
        return type(self)(self.storages, self.remote_name, log_level=level)

    def at(self, path: str = "") -> str:
        """The rclone location of a path in this storage, for copying between remotes."""
        return self._saved.at(path)

    def upload(
        self, source: LocalPath, path: str = "", **options: Unpack[TransferOptions]
    ) -> Transfer:
        """Start to copy a local folder's content, or a file, into a folder. RcloneTooOld."""
        self.require()
        return self.rclone.copy(locations.local(source), self.at(path), **options)

    def download(
        self, path: str, destination: LocalPath, **options: Unpack[TransferOptions]
    ) -> Transfer:
        """Start to copy a folder's content, or a file, into a local folder. RcloneTooOld."""
        self.require()
        return self.rclone.copy(self.at(path), locations.local(destination), **options)

    def delete(self, path: str, **options: Unpack[TransferOptions]) -> Transfer:
        """Delete a folder with its content; permanently with `hard_delete`. With filters, delete
        only the files that they select; folders stay. RcloneTooOld."""
        from pluton_rclone.rclone.commands import selects

        self.require()
        remove = self.rclone.delete if selects(options) else self.rclone.purge
        return remove(self.at(path), **options)

    def delete_file(self, path: str, **options: Unpack[TransferOptions]) -> Transfer:
        """Delete one file. NothingFound if it does not exist; RcloneTooOld as for `delete`."""
        self.require()
        return self.rclone.deletefile(self.at(path), **options)

    def restic(
        self,
        path: str = "restic",
        *,
        binary: LocalPath | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> Restic:
        """A restic repository in the folder `path`; use it in a `with` statement. `binary` is the
        restic to run (default: PLUTON_RESTIC_BINARY, or PATH). `environment` is added to restic's;
        set the repository's password there or in this process's environment (RESTIC_PASSWORD_FILE
        and the like)."""
        from .restic import Restic

        found = None if binary is None else os.fsdecode(binary)
        return Restic(self._saved, path, binary=found, environment=environment)

    def stand(self, words: str, path: str = "", *more: str, flags: Sequence[str] = ()) -> int:
        """Run rclone's mount or serve (`words`) on the folder `path` in the foreground, until it
        ends (see `terminal.foreground`). A token that it renews is merged back meanwhile."""
        from .standing import stand

        self.require()
        return stand(self._saved, words.split(), (self.at(path), *more), flags)

    def walk(
        self, path: str = "", *, by: By = "auto", **options: Unpack[ListOptions]
    ) -> Iterator[Entry]:
        """Everything below a folder, in constant memory except for eight bytes per entry. Raises at
        the end if the listing is incomplete.

        A drive's root is listed from its delta feed, a thousand items per request; entries come
        when all of it has been read, and only if it is known to be complete (`feed`). Other folders
        are walked by rclone, one request per folder, while the feed is read, and entries come from
        the first that is complete (`feed.race`). `by="folders"` uses only rclone's walk, which
        yields entries as they come; `by="feed"` uses only the feed, which is faster for most of a
        drive."""
        from pluton_rclone import feed

        if feed.fits(self._saved, by, options):
            return feed.walk(self._saved, path, by, options)
        return self.rclone.walk(self.at(path), **options)

    def list(self, path: str = "", **options: Unpack[ListOptions]) -> list[Entry]:
        """The entries of a folder."""
        return self.rclone.list(self.at(path), **options)

    def stat(self, path: str) -> Entry | None:
        """One file or folder; None if it does not exist."""
        return self.rclone.stat(self.at(path))

    def size(self, path: str = "", *, by: By = "auto", **options: Unpack[FilterOptions]) -> Total:
        """The number of files and bytes below a folder; `by` as for `walk`."""
        from pluton_rclone import feed

        if not options and feed.fits(self._saved, by, {}):
            return feed.total(self._saved, path, by)
        return self.rclone.size(self.at(path), **options)

    def about(self) -> About:
        """The drive's space, in bytes; None where Microsoft does not say."""
        return self._saved.about()

    def graph(self) -> Graph:
        """Microsoft Graph for this storage's account, with a valid token; the caller closes it."""
        return self._saved.graph()

    def drive(self) -> Drive:
        """The drive as Microsoft Graph has it now; if it is accessed through a tenant_url, as
        rclone.conf has it. DriveNotFound."""
        from pluton_rclone.microsoft.graph.drives import unasked
        from pluton_rclone.microsoft.graph.locations import rooted

        remote = self.remote
        if remote.tenant_url:
            return unasked(remote.drive_id, remote.drive_type)
        with self.graph() as graph:
            return rooted(graph, remote.drive_id, remote.root_folder_id).drive

    def check(
        self,
        source: LocalPath,
        path: str = "",
        *,
        direction: Literal["both", "one_way"] = "both",
        on_progress: Callable[[int], None] | None = None,
        **options: Unpack[FilterOptions],
    ) -> CheckResult:
        """Compare a local folder with `path` by QuickXorHash; returns differences. RcloneTooOld."""
        self.require()
        place, at = locations.local(source), self.at(path)
        return self.rclone.check(place, at, direction=direction, on_progress=on_progress, **options)

    def preflight(
        self,
        source: LocalPath,
        path: str = "",
        *,
        of: Storage | None = None,
        **options: Unpack[FilterOptions],
    ) -> Preflight:
        """What OneDrive would refuse or spoil if `source` were copied into the folder `path`; found
        while iterating. With `of`, `source` is a path in that storage. With filters or copy_links,
        rclone lists the source: unreadable files, and with filters also links, are left to the
        transfer. StorageNotFound if this is neither a OneDrive nor an alias of a folder in one."""
        from pluton_rclone.preflight import Source, library_prefix, preflight
        from pluton_rclone.rclone.commands import LINK_END, LINKS
        from pluton_rclone.saved.wrapping import looked_through

        name, inside = looked_through(self.storages.conf, self.at(path))
        if name != self.remote_name:
            return self.storages[name].preflight(source, inside, of=of, **options)
        remote, drive = self.storages[name].remote, self.drive()
        place = locations.local(source) if of is None else of.at(os.fsdecode(source))
        entries: Source = source if of is None else of.walk(os.fsdecode(source))
        rclone = self.rclone if of is None else self.storages.rclone(of.remote_name, name)

        def not_there_yet() -> int:
            dry = rclone.copy(place, self.at(path), dry_run=True, **options).wait()
            if dry.error is None or (dry.failed and not dry.retry_helps):
                return dry.bytes  # the transfer leaves failing files out, too
            raise dry.error

        if options.keys() - LINKS or options.get("copy_links"):
            entries = rclone.walk(place, **options)
        return preflight(
            entries,
            drive_type=remote.drive_type,
            prefix=library_prefix(drive.web_url),
            base=self._saved.path_in_drive(path),
            quota_free=drive.quota.remaining if drive.quota.state == "known" else None,
            encoding=remote.encoding,
            links=any(options.get(name) for name in LINKS),
            link_end=LINK_END if options.get("links") else "",
            not_there_yet=not_there_yet,
        )

    def test(self, on_step: OnStep = None) -> ConnectionReport:
        """Test the connection step by step: writes, reads and deletes a file; renews the token."""
        from pluton_rclone.connection.checks import run_test

        return run_test(self.with_log_level("DEBUG")._saved, on_step)

    def check_health(self, on_step: OnStep = None) -> ConnectionReport:
        """The same test without writing. Renews the token, so that it does not expire unused."""
        from pluton_rclone.connection.checks import run_test

        return run_test(self.with_log_level("DEBUG")._saved, on_step, writing=False)

    def reauthorize(self, setup: StorageSetup, on_step: OnStep = None) -> ConnectionReport:
        """Take over the sign-in of `StorageSetup.for_storage(this)`; the drive stays. It may have
        been renamed since. StorageNotFound if it is gone; ConnectionTestFailed."""
        saved = self.storages._saved(setup.name_now(self.storages.conf, self.remote_name))
        before = saved.options_to_sign_in()
        wanted, old = before.replace(**setup.authorization()), before.to_section()
        same, keep = wanted.token == before.token, setup.keeper()
        return self.storages._change(saved, old, wanted, on_step, keep, same_sign_in=same)

    def repair(self, on_step: OnStep = None, *, drive_id: str = "") -> ConnectionReport:
        """Find the drive of a remote with none or a nonexistent one (or take `drive_id`), spell its
        encoding as rclone does, and make rclone itself begin at the base folder; token and options
        stay. Tested, then saved. UsageError if there are several drives; ConnectionTestFailed."""
        from .repair import repaired

        self.check_writable()
        before = self._saved.section
        wanted = repaired(self._saved, self.storages.binary, drive_id)
        known = {"encoding", *wanted.to_section()} - {BASE}  # other options stay; BASE: a pair
        old = {key: value for key, value in before.items() if key in known}
        return self.storages._change(self._saved, old, wanted, on_step, same_sign_in=True)

    def check_writable(self) -> None:
        """ConfigNotWritable if no change could be saved."""
        self._saved.conf.check_writable(self.remote_name)

    def update(self, on_step: OnStep = None, **options: Any) -> ConnectionReport:
        """Change options of the remote; None restores a default. Tested, then saved in one step;
        OptionInvalid or ConnectionTestFailed change nothing."""
        from pluton_rclone.remote.onedrive import OneDriveRemote
        from pluton_rclone.remote.options import BY_NAME

        if options.get("description"):
            options["description"] = self._free_name(options["description"])
        for name, field in OneDriveRemote.model_fields.items():
            if name in options and options[name] is None:
                options[name] = field.get_default()
        if "base_folder" in options:
            options.setdefault("base_folder_id", "")
        before, wanted = self._saved.section, self._saved.options_with(**options)
        made, keys = wanted.to_section(), [BY_NAME[name].key for name in options]
        old = {**made, **{key: before.get(key, "") for key in keys}}  # other differences stay
        same = made.get(TOKEN) == before.get(TOKEN)
        return self.storages._change(self._saved, old, wanted, on_step, same_sign_in=same)

    def rename(self, name: str) -> None:
        """Change the friendly name, not the remote's name, which scripts use. StorageExists."""
        self.storages.conf.update(self.remote_name, {"description": self._free_name(name)})

    def _free_name(self, name: str) -> str:
        from pluton_rclone.remote.names import friendly_name

        name = friendly_name(name)
        if name != self.name:
            self.storages.check_free(name, but=self.remote_name)
        return name

    def rename_remote(self, remote_name: str) -> Storage:
        """Rename the remote in rclone.conf. StorageExists, OptionInvalid; UsageError if other
        remotes, such as a crypt, wrap it under its current name."""
        from pluton_rclone.remote.names import check_name
        from pluton_rclone.saved.wrapping import above

        self.storages.check_free(remote_name, but=self.remote_name)
        others = [name for name in self.storages.conf.taken() if name != self.remote_name]
        check_name(remote_name, self.storages.binary.version, others)
        if wrapping := above(self.storages.conf, self.remote_name):
            what = f"{self.remote_name!r} keeps its name, because {wrapping} would lead nowhere."
            advice = "First change the name there, in remote or upstreams; then rename it."
            raise UsageError(what, advice=advice)
        self.storages.conf.rename(self.remote_name, remote_name)
        self.storages.runs.renamed(self.remote_name, remote_name)
        return type(self)(self.storages, remote_name)

    def remove(self, *, of: Mapping[str, str] | None = None) -> None:
        """Remove it from rclone.conf. Files on the drive stay: see `holds_files`. `of` is the
        expected section; StorageNotFound if another storage has the name by now."""
        self.storages.conf.delete(self.remote_name, of=of)

    def holds_files(self) -> bool | None:
        """Whether its base folder contains anything, such as a backup. None if unknown."""
        try:
            return bool(self.list())
        except NothingFound:
            return False
        except PlutonRcloneError:
            return None


class Storages(Home[Storage]):
    """The OneDrive remotes of one rclone.conf, by friendly name or remote name. Iterating yields
    friendly names.

    `config` is a path; None means rclone's default file. Remotes defined by RCLONE_CONFIG_…
    variables are storages, too, but cannot be changed. `password` is for an encrypted file (see
    `Conf`). `binary` is the path of an rclone; None finds one (see `find_binary`)."""

    def _storage(self, remote_name: str) -> Storage:
        return Storage(self, remote_name)
