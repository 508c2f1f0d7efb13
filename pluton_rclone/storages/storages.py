"""All storages of one rclone.conf, by name."""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from pluton_rclone.conf.conf import Conf
from pluton_rclone.errors import StorageExists, StorageNotFound

if TYPE_CHECKING:
    from pluton_rclone.connection.health import HealthReport
    from pluton_rclone.connection.report import ConnectionReport, Step
    from pluton_rclone.rclone.binary import Binary
    from pluton_rclone.remote.onedrive import OneDriveRemote
    from pluton_rclone.saved.lending import LentRclone

    from .storage import Storage

# Microsoft asks every program to say who it is (SharePoint, "Avoid getting throttled": ISV|Company|App/Version); the
# engine appends rclone's own name, since a user agent may carry several.
USER_AGENT = "ISV|Pluton|pluton-rclone"


class Storages(Mapping[str, "Storage"]):
    """The OneDrive remotes of one rclone.conf, by friendly name or by remote name.

    `config` is a path; None means the file that rclone itself uses. `password` is for an encrypted file (see `Conf`).
    `binary` is the path of an rclone; None finds one (see `find_binary`). Iterating gives friendly names.
    """

    def __init__(
        self,
        config: str | os.PathLike[str] | None = None,
        *,
        password: str | None = None,
        binary: str | os.PathLike[str] | None = None,
    ) -> None:
        self.conf = Conf(config, password=password)
        self._wanted_binary = binary
        self._binary: Binary | None = None

    def __repr__(self) -> str:
        return f"Storages({str(self.path)!r})"

    @property
    def path(self) -> Path:
        """The rclone.conf."""
        return self.conf.path

    @property
    def binary(self) -> Binary:
        """The rclone in use. RcloneNotFound."""
        if self._binary is None:
            from pluton_rclone.rclone.binary import find_binary

            self._binary = find_binary(self._wanted_binary)
        return self._binary

    def rclone(self, *remote_names: str) -> LentRclone:
        """The engine for these remotes, at a pace that Microsoft grants (see `pace`); every run has a private
        configuration that holds only them.
        """
        from pluton_rclone import __version__
        from pluton_rclone.pace import governed, pace
        from pluton_rclone.saved.lending import LentRclone

        kinds = {name: self.conf.whole_section(name).get("drive_type", "") for name in remote_names}
        slowest = next((name for name, kind in kinds.items() if kind != "personal"), None)
        rclone = LentRclone(
            self.conf,
            remote_names,
            self.binary,
            environment=pace("personal" if slowest is None else kinds[slowest], os.environ),
            user_agent=f"{USER_AGENT}/{__version__}",
        )
        if slowest is not None:
            rclone.governed = governed(self._storage(slowest))
        return rclone

    # ---- a mapping by name ----

    def __getitem__(self, name: str) -> Storage:
        """StorageNotFound. A remote's name wins over a friendly name."""
        kinds = self.conf.remotes()
        if kinds.get(name) == "onedrive":
            return self._storage(name)
        found = [storage for storage in self._all() if storage.name == name]
        if len(found) == 1:
            return found[0]
        if found:
            raise StorageNotFound(
                f"{len(found)} storages are called {name!r}.",
                advice=f"Use the remote's name: {', '.join(storage.remote_name for storage in found)}.",
            )
        if name in kinds:
            raise StorageNotFound(f"{name!r} is a remote of type {kinds[name]}, not a OneDrive storage.")
        near = difflib.get_close_matches(name, [*kinds, *self], n=1)
        hint = f"Did you mean {near[0]!r}? {StorageNotFound.default_advice}" if near else None
        raise StorageNotFound(f"There is no storage called {name!r} in {self.path}.", advice=hint, name=name)

    def __contains__(self, name: object) -> bool:
        try:
            self[str(name)]
        except StorageNotFound:
            return False
        return True

    def __iter__(self) -> Iterator[str]:
        return (storage.name for storage in self._all())

    def __len__(self) -> int:
        return len(self._all())

    def values(self) -> list[Storage]:  # type: ignore[override]
        """Every storage, also those that share a friendly name."""
        return self._all()

    def _all(self) -> list[Storage]:
        return [self._storage(name) for name, kind in self.conf.remotes().items() if kind == "onedrive"]

    def _storage(self, remote_name: str) -> Storage:
        from .storage import Storage  # with the engine: not needed to list or to import the package

        return Storage(self, remote_name)

    # ---- adding ----

    def free_name(self, friendly: str) -> str:
        """The remote's name for a new storage, derived from the friendly one. StorageExists if that is taken;
        ConfigNotWritable if none could be saved.
        """
        from pluton_rclone.remote.names import derive_name

        self.conf.check_writable()
        if friendly in self:
            raise StorageExists(f"There is already a storage called {friendly!r}.", name=friendly)
        return derive_name(friendly, {*self.conf.names(), *self}, self.binary.version)

    def test(
        self, remote: OneDriveRemote, on_step: Callable[[Step], None] = lambda step: None
    ) -> ConnectionReport:
        """Test a remote that is not saved; nothing is written to rclone.conf."""
        return self.try_out(remote, on_step)[0]

    def try_out(
        self, remote: OneDriveRemote, on_step: Callable[[Step], None] = lambda step: None
    ) -> tuple[ConnectionReport, OneDriveRemote]:
        """As `test`, and the remote as it is after it: its token may have been renewed."""
        from pluton_rclone.connection.checks import run_trial
        from pluton_rclone.connection.trial import trial_of

        with trial_of(self, remote) as trial:
            return run_trial(trial, on_step), trial.storage.remote

    def add(
        self,
        name: str,
        remote: OneDriveRemote,
        *,
        remote_name: str | None = None,
        on_step: Callable[[Step], None] = lambda step: None,
    ) -> Storage:
        """Test a remote, then save it under a friendly name. ConnectionTestFailed, StorageExists: nothing is saved then."""
        self._free(name, remote_name)
        report, tested = self.try_out(remote.replace(description=name), on_step)
        report.raise_for_failure()
        return self.add_tested(name, tested, remote_name=remote_name)

    def add_tested(self, name: str, remote: OneDriveRemote, *, remote_name: str | None = None) -> Storage:
        """Save a remote that `try_out` has just found good. StorageExists, ConfigNotWritable."""
        chosen = self._free(name, remote_name)
        self.conf.add(chosen, remote.replace(description=name).to_section())
        return self._storage(chosen)

    def _free(self, name: str, remote_name: str | None) -> str:
        chosen = remote_name or self.free_name(name)
        if chosen in self.conf:
            raise StorageExists(f"There is already a remote called {chosen!r}.", name=chosen)
        self.check_hides_none(chosen)
        self.conf.check_writable()
        return chosen

    def check_hides_none(self, remote_name: str, *, but: str = "") -> None:
        """StorageExists for a remote's name that is the friendly name of another storage than `but`: it would win over it,
        and what is meant for that storage would go to this one.
        """
        if any(other.name == remote_name for other in self._all() if other.remote_name != but):
            raise StorageExists(f"There is already a storage called {remote_name!r}.", name=remote_name)

    # ---- all of them ----

    def health(self, on_report: Callable[[ConnectionReport], None] = lambda report: None) -> HealthReport:
        """Check every storage without writing to any, a few at a time; each check renews the token.

        `on_report` hears each as it is done, in any order; the result has them in the order of the file. Nothing is
        raised for a storage that fails.
        """
        from pluton_rclone.connection.health import check_all

        return check_all(self.values(), on_report)

    def keep_alive(self) -> HealthReport:
        """Renew every token, and nothing else: run it every few weeks, and no storage dies of idleness (90 days)."""
        from pluton_rclone.connection.health import renew_all

        return renew_all(self.values())
