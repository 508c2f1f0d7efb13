"""A remote that is not saved yet, in a private rclone.conf of its own, so that it can be tested."""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pluton_rclone.conf.conf import Conf
from pluton_rclone.process.folders import runtime_folder, runtime_folders
from pluton_rclone.storages.storage import Storage
from pluton_rclone.storages.storages import Storages

from .report import process_is_alive

if TYPE_CHECKING:
    from pluton_rclone.remote.onedrive import OneDriveRemote

_FOLDER = re.compile(r"test-(\d+)-")
_REMOTE = "new-storage"


@dataclass(frozen=True)
class Trial:
    """`storage` is the remote on trial; `home` is where it would be saved; `name` its friendly name."""

    name: str
    storage: Storage
    home: Storages


@contextmanager
def trial_of(home: Storages, remote: OneDriveRemote) -> Iterator[Trial]:
    """The folder is gone at the end; one that a killed process left, at the next trial.

    rclone refreshes the token in there itself: `trial.storage.remote` has it.
    """
    sweep()
    with tempfile.TemporaryDirectory(prefix=f"test-{os.getpid()}-", dir=runtime_folder()) as folder:
        conf = Conf(Path(folder) / "rclone.conf")
        conf.add(_REMOTE, remote.to_section())
        storage = Storages(conf.path, binary=home.binary.path)[_REMOTE]
        yield Trial(remote.description or "new storage", storage, home)


def sweep() -> None:
    """Removes the folders of trials whose process is gone, and the copies lent from them: both hold secrets."""
    for home in runtime_folders():
        for folder in home.iterdir():
            if _is_left(folder.name) or _is_left(_lent_from(folder)):
                shutil.rmtree(folder, ignore_errors=True)


def _is_left(name: str) -> bool:
    found = _FOLDER.match(name)
    return found is not None and not process_is_alive(int(found[1]))


def _lent_from(loan: Path) -> str:
    """The name of the folder whose rclone.conf a private copy was made from; "" when it says none (see `conf.private`)."""
    try:
        return Path(json.loads((loan / "origin.json").read_text())["config"]).parent.name
    except (OSError, ValueError, KeyError, TypeError):
        return ""
