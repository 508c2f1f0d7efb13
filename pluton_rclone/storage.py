"""A saved storage: one OneDrive remote in rclone.conf, to browse, back up to, verify and restore from."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Literal

from . import paths
from .rclone import locations
from .rclone.results import About, CheckResult, Total

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from .connection import ConnectionReport, Step
    from .rclone.commands import FilterOptions, ListOptions, TransferOptions
    from .rclone.engine import Rclone
    from .rclone.listing import Entry
    from .rclone.transfer import Transfer
    from .remote.onedrive import OneDriveRemote
    from .storages import Storages

LocalPath = str | bytes | os.PathLike[str] | os.PathLike[bytes]
MASKED = "(secret, not shown)"


class Storage:
    """One storage of `Storages`. It reads rclone.conf afresh each time: what others change there holds at once.

    A `path` is relative to the storage's base folder; with a leading "/" it starts at the drive's root, where
    shared and team folders appear. Paths are in rclone's form, as `walk` gives them. Every method raises the errors
    of `pluton_rclone.errors`.
    """

    def __init__(self, storages: Storages, remote_name: str) -> None:
        self._storages = storages
        self.remote_name = remote_name

    def __repr__(self) -> str:
        return f"Storage({self.name!r}, remote={self.remote_name!r})"

    # ---- what it is ----

    @property
    def name(self) -> str:
        """The friendly name; the remote's name where there is none."""
        return self._section().get("description") or self.remote_name

    @property
    def remote(self) -> OneDriveRemote:
        """The remote with all its options. RemoteIncomplete or OptionInvalid when rclone could not use it."""
        return self._storages.conf.remote(self.remote_name)

    def record(self) -> dict[str, Any]:
        """What a list of storages shows, as JSON; works for an incomplete remote, too. Holds no secret."""
        section = self._section()
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
        """The section of rclone.conf, every secret in it replaced."""
        from .remote.options import BY_NAME

        return {
            key: MASKED if value and key in BY_NAME and BY_NAME[key].kind == "secret" else value
            for key, value in self._section().items()
        }

    def _section(self) -> dict[str, str]:
        return self._storages.conf.whole_section(self.remote_name)

    # ---- where things are ----

    @property
    def rclone(self) -> Rclone:
        """The engine for this storage's remote; every run has a private configuration of its own."""
        return self._storages.rclone(self.remote_name)

    def at(self, path: str = "") -> str:
        """The rclone location of a path in this storage: for copying from one remote to another."""
        inside = paths.in_drive(path, self._section().get("pluton_base_folder", ""))
        return locations.remote(self.remote_name, inside)

    # ---- transfers ----

    def upload(self, source: LocalPath, path: str = "", **options: Unpack[TransferOptions]) -> Transfer:
        """Copy a local folder's content, or a file, into the folder `path`. It starts at once."""
        return self.rclone.copy(locations.local(source), self.at(path), **options)

    def download(self, path: str, destination: LocalPath, **options: Unpack[TransferOptions]) -> Transfer:
        """Copy a folder's content, or a file, into a local folder. It starts at once."""
        return self.rclone.copy(self.at(path), locations.local(destination), **options)

    def delete(self, path: str, **options: Unpack[TransferOptions]) -> Transfer:
        """Delete a folder with all that is in it; with `hard_delete` past the recycle bin."""
        return self.rclone.purge(self.at(path), **options)

    def delete_file(self, path: str) -> None:
        """Delete one file. NothingFound if there is none."""
        self.rclone.deletefile(self.at(path))

    # ---- looking ----

    def walk(self, path: str = "", **options: Unpack[ListOptions]) -> Iterator[Entry]:
        """Everything below a folder, as it comes, in flat memory. Raises at its end when it is not complete."""
        return self.rclone.walk(self.at(path), **options)

    def list(self, path: str = "", **options: Unpack[ListOptions]) -> list[Entry]:
        """What is in a folder."""
        return self.rclone.list(self.at(path), **options)

    def stat(self, path: str) -> Entry | None:
        """One file or folder; None if there is nothing."""
        return self.rclone.stat(self.at(path))

    def size(self, path: str = "", **options: Unpack[FilterOptions]) -> Total:
        """How many files and bytes there are below a folder."""
        return self.rclone.size(self.at(path), **options)

    def about(self) -> About:
        """The room on the drive, in bytes; None where Microsoft does not say."""
        return self.rclone.about(self.at("/"))

    def check(
        self,
        source: LocalPath,
        path: str = "",
        *,
        direction: Literal["both", "one_way"] = "both",
        on_progress: Callable[[int], None] | None = None,
        **options: Unpack[FilterOptions],
    ) -> CheckResult:
        """Compare a local folder with `path`, every file by its QuickXorHash. Differences are the result."""
        return self.rclone.check(
            locations.local(source), self.at(path), direction=direction, on_progress=on_progress, **options
        )

    # ---- the connection ----

    def test(self, on_step: Callable[[Step], None] = lambda step: None) -> ConnectionReport:
        """Walk through the connection step by step. Nothing is changed but for a refreshed token."""
        from .connection_test import run_connection_test

        return run_connection_test(self, on_step)
