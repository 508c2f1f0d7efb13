"""All storages of one rclone.conf, by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .home import Home

if TYPE_CHECKING:
    from .storage import Storage


class Storages(Home["Storage"]):
    """The OneDrive remotes of one rclone.conf, by friendly name or remote name. Iterating gives
    friendly names.

    `config` is a path; None means rclone's own file. Remotes that RCLONE_CONFIG_… variables make
    are storages, too, and cannot be changed. `password` is for an encrypted file (see `Conf`).
    `binary` is the path of an rclone; None finds one (see `find_binary`).
    """

    def _storage(self, remote_name: str) -> Storage:
        from .storage import Storage  # with the engine: not needed to list or to import the package

        return Storage(self, remote_name)
