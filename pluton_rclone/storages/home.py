"""One rclone.conf and one rclone: the operations on all storages."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from pluton_rclone.conf.conf import Conf
from pluton_rclone.errors import NextStep, StorageExists, StorageNotFound, UsageError
from pluton_rclone.values.token_text import SIGN_IN, TOKEN
from pluton_rclone.values.units import nearest

if TYPE_CHECKING:
    from pluton_rclone.connection.health import HealthReport
    from pluton_rclone.connection.report import ConnectionReport, OnStep
    from pluton_rclone.rclone.binary import Binary
    from pluton_rclone.rclone.commands import LogLevel
    from pluton_rclone.rclone.transfer import Transfer
    from pluton_rclone.remote.onedrive import OneDriveRemote
    from pluton_rclone.runs.run import Run
    from pluton_rclone.runs.store import Runs
    from pluton_rclone.saved.rclone import SavedRclone
    from pluton_rclone.saved.remote import SavedRemote

Storage = TypeVar("Storage")


class Home(Mapping[str, Storage]):
    """The base of `Storages`, which defines the type of a storage."""

    def __init__(
        self,
        config: str | os.PathLike[str] | None = None,
        *,
        password: str | None = None,
        binary: str | os.PathLike[str] | None = None,
    ) -> None:
        self.conf = Conf(config, password=password, with_variables=True)
        self._wanted_binary = binary
        self._binary: Binary | None = None

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self.path)!r})"

    @property
    def path(self) -> Path:
        """The path of rclone.conf."""
        return self.conf.path

    @property
    def binary(self) -> Binary:
        """The rclone in use. RcloneNotFound."""
        if self._binary is None:
            from pluton_rclone.rclone.binary import find_binary

            self._binary = find_binary(self._wanted_binary)
        return self._binary

    def rclone(self, *remote_names: str, log_level: LogLevel | None = None) -> SavedRclone:
        """The engine for these remotes, at a pace that Microsoft grants (see `pace`); every run has
        a private configuration with only these. `log_level` is the default for its calls."""
        from pluton_rclone.pace.engine import engine

        return engine(self.conf, remote_names, self.binary, log_level=log_level)

    @property
    def runs(self) -> Runs:
        """The records of all storages' runs of the last 90 days, however they were started."""
        from pluton_rclone.saved.wrapping import runs_of

        return runs_of(self.conf)

    def start(self, run: Run) -> Transfer:
        """Start a run, such as one of `runs` again. A comparison (check) has no transfer: use
        `rclone(*run.storages).compare(run.as_command())`. StorageNotFound; UsageError, also if part
        of the run was withheld."""
        if run.command in ("check", "restic"):
            raise UsageError(f"{run.command} is not a transfer.")
        return self.rclone(*run.storages).transfer(run.as_command())

    def _saved(self, remote_name: str, log_level: LogLevel | None = None) -> SavedRemote:
        from pluton_rclone.saved.remote import SavedRemote

        engine = partial(self.rclone, remote_name, log_level=log_level)
        return SavedRemote(self.conf, remote_name, engine)

    def _meant(self, name: str) -> list[str]:
        """The remotes of the storages with this name; a remote's name has precedence."""
        kinds = self.conf.remotes()
        if kinds.get(name) == "onedrive":
            return [name]
        found = [remote for remote, title in self._titles().items() if title == name]
        low = name.lower()  # rclone accepts a variable in either case
        made = self.conf.is_variable(low) and self.conf.storage_of(low) == low
        return [low] if made and not found and name not in kinds else found

    def __getitem__(self, name: str) -> Storage:
        """StorageNotFound. A remote's name has precedence over a friendly name."""
        found = self._meant(name)
        if len(found) == 1:
            return self._storage(found[0])
        if found:
            advice = f"Use the remote's name: {', '.join(found)}."
            raise StorageNotFound(f"{len(found)} storages are called {name!r}.", advice=advice)
        if self.conf.storage_of(name) != name:
            self.conf.whole_section(name)  # the error names the owner of the drive
        kinds = self.conf.remotes()
        if name in kinds:
            below = " and ".join(map(repr, self.below(name)))
            advice = f"Sign-in, connection test and options are those of {below}."
            raise StorageNotFound(
                f"{name!r} is a remote of type {kinds[name]}, not a OneDrive storage.",
                why=f"it wraps {below}" if below else None,
                advice=advice if below else None,
            )
        titles = list(self)
        meant = nearest(name, (*kinds, *titles))
        none = None if titles else "There are no storages yet: connect one first."
        raise StorageNotFound(
            f"There is no storage called {name!r} in {self.path}.",
            advice=f"Did you mean {meant!r}?" if meant else none,
            next_step=NextStep.LIST_STORAGES if titles else NextStep.CONNECT,
            name=name,
        )

    def reach(self, name: str) -> Storage:
        """As `[]`, but also any other remote of the file, such as S3 or a crypt, for its files
        only. Sign-in, connection test and options are those of the storages below it (`below`)."""
        return self._storage(name) if name in self.conf.remotes() else self[name]

    def below(self, remote_name: str) -> list[str]:
        """The storages' remotes that a remote wraps, at any depth."""
        from pluton_rclone.saved.wrapping import below

        return below(self.conf, remote_name) if remote_name in self.conf else []

    def __contains__(self, name: object) -> bool:
        return len(self._meant(str(name))) == 1

    def __iter__(self) -> Iterator[str]:
        return iter(self._titles().values())

    def __len__(self) -> int:
        return len(self._titles())

    def values(self) -> list[Storage]:  # type: ignore[override]
        """Every storage, including those that share a friendly name."""
        return [self._storage(name) for name in self._titles()]

    def _titles(self) -> dict[str, str]:
        """Friendly names by remote name, read at once, because storages may be added or removed."""
        sections = self.conf.sections().items()
        ours = ((name, one) for name, one in sections if one["type"] == "onedrive")
        return {name: one.get("description") or name for name, one in ours}

    def _storage(self, remote_name: str) -> Storage:
        raise NotImplementedError

    def free_name(self, friendly: str, remote_name: str | None = None) -> str:
        """A remote name for a new storage: `remote_name`, or one derived from the friendly name.
        StorageExists, ConfigNotWritable, OptionInvalid, UsageError."""
        from pluton_rclone.remote.names import check_name, derive_name, friendly_name

        self.conf.check_writable()
        self.check_free(friendly_name(friendly))
        if not remote_name:
            taken = {*self.conf.taken(), *self, *(title.partition(":")[0] for title in self)}
            return derive_name(friendly, taken, self.binary.version)
        self.check_free(remote_name)
        check_name(remote_name, self.binary.version, self.conf.taken())
        return remote_name

    def test(self, remote: OneDriveRemote, on_step: OnStep = None) -> ConnectionReport:
        """Test a remote that is not saved; nothing is written to rclone.conf."""
        return self.try_out(remote, on_step)[0]

    def try_out(
        self,
        remote: OneDriveRemote,
        on_step: OnStep = None,
        origin: SavedRemote | None = None,
        *,
        keep: Callable[[str], None] | None = None,
    ) -> tuple[ConnectionReport, OneDriveRemote]:
        """As `test`, and the remote after it: its token may have been renewed, and is then also
        saved in `origin`, the saved remote that it is to replace, or passed to `keep`, however the
        test ends."""
        from pluton_rclone.connection.checks import run_test
        from pluton_rclone.connection.trial import trial_of

        with trial_of(remote, self.binary, origin, keep) as trial:
            return run_test(trial, on_step, home=self.conf, origin=origin), trial.options

    def add(
        self,
        name: str,
        remote: OneDriveRemote,
        *,
        remote_name: str | None = None,
        on_step: OnStep = None,
    ) -> Storage:
        """Test a remote, then save it. ConnectionTestFailed, StorageExists: nothing is saved."""
        self.free_name(name, remote_name)
        report, tested = self.try_out(remote.replace(description=name), on_step)
        report.raise_for_failure()
        return self.add_tested(name, tested, remote_name=remote_name)

    def add_tested(
        self,
        name: str,
        remote: OneDriveRemote,
        *,
        remote_name: str | None = None,
        more: Mapping[str, str] | None = None,
    ) -> Storage:
        """Save a remote that has just passed `try_out`, with `more` keys of the surrounding
        application, which rclone ignores. StorageExists, ConfigNotWritable."""
        chosen = self.free_name(name, remote_name)
        section = remote.replace(description=name).to_section()
        self.conf.add(chosen, {**section, **(more or {})})
        return self._storage(chosen)

    def _change(
        self,
        saved: SavedRemote,
        old: Mapping[str, str],
        wanted: OneDriveRemote,
        on_step: OnStep,
        keep: Callable[[str], None] | None = None,
        *,
        same_sign_in: bool,
    ) -> ConnectionReport:
        """Test a remote, then save the differences from `old`, the saved remote's previous section,
        if the name still belongs to that remote. ConnectionTestFailed, ConfigNotWritable,
        StorageExists."""
        self.conf.check_writable(saved.name)
        report, tested = self.try_out(wanted, on_step, saved if same_sign_in else None, keep=keep)
        report.raise_for_failure()
        new = tested.to_section()
        # a renewed token is saved already
        kept = (TOKEN, SIGN_IN) if same_sign_in else ()
        keys = [key for key in dict.fromkeys((*old, *new)) if key not in kept]
        changes = {key: new.get(key) for key in keys if new.get(key) != old.get(key)}
        if title := changes.get("description"):  # it may have been taken during the test
            self.check_free(title, but=saved.name)
        if changes:
            self.conf.update(saved.name, changes, of=old)
        return report

    def check_free(self, name: str, *, but: str = "") -> None:
        """StorageExists if a remote other than `but` has this name, as remote or friendly name and
        of any type, or if one of the two names, followed by ":", begins the other: a path of one
        remote would be taken for the other."""
        titles = self._titles()
        taken = {title for remote, title in titles.items() if remote != but}
        if name in taken or (name != but and name in self.conf.taken()):
            kind = "storage" if name in {*titles, *titles.values()} else "remote"
            raise StorageExists(f"There is already a {kind} called {name!r}.", name=name)
        for other in {*taken, *self.conf.taken()}:
            short, long = sorted((name, other), key=len)
            if long.startswith(f"{short}:"):
                raise StorageExists(f"{long!r} is a path in {short!r}.", name=other)

    def health(self, *remote_names: str) -> HealthReport:
        """Check every storage, or some remotes, without writing, a few at a time; each check renews
        the token. A failed storage raises nothing."""
        from pluton_rclone.connection.health import check_all

        return check_all([self._saved(name, "DEBUG") for name in remote_names or self._titles()])

    def keep_alive(self, *remote_names: str) -> HealthReport:
        """Renew every token, or those of some remotes. Run it every few weeks: unused tokens expire
        after 90 days."""
        from pluton_rclone.connection.health import renew_all

        return renew_all([self._saved(name) for name in remote_names or self._titles()])
