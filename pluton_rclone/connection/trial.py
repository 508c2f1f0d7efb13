"""A remote that is not saved yet, in a private rclone.conf of its own, so that it can be tested."""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from pluton_rclone.conf.conf import Conf
from pluton_rclone.conf.private import in_first_place, require_room
from pluton_rclone.pace.engine import saved_remote
from pluton_rclone.process import folders
from pluton_rclone.process.system import is_alive
from pluton_rclone.rclone.binary import Binary
from pluton_rclone.remote.names import name_fault
from pluton_rclone.remote.onedrive import OneDriveRemote
from pluton_rclone.saved.remote import SavedRemote
from pluton_rclone.values.token_text import TOKEN

_FOLDER = re.compile(r"test-(\d+)-")
_REMOTE = "new-storage"


@contextmanager
def trial_of(
    remote: OneDriveRemote, binary: Binary, origin: SavedRemote | None = None
) -> Iterator[SavedRemote]:
    """The folder is removed at the end; one that a killed process left, at the next trial. The
    trial's `options` have the token as rclone renews it. If `origin`, a saved remote, has the same
    sign-in, that token is kept there, however the trial ends."""
    sweep()
    keep = origin.conf.keeper(origin.name) if origin else None
    name = origin.name if origin and not name_fault(origin.name) else _REMOTE  # as errors call it
    with ExitStack() as stack:

        def made(home: Path) -> Conf:
            folder = tempfile.TemporaryDirectory(prefix=f"test-{os.getpid()}-", dir=home)
            conf = Conf(Path(stack.enter_context(folder)) / "rclone.conf")
            require_room(conf.path.parent)
            conf.add(name, remote.to_section())
            return conf

        trial = saved_remote(in_first_place(made), name, lambda: binary, log_level="DEBUG")
        try:
            yield trial
        finally:
            if keep and TOKEN in trial.section:
                keep(trial.section[TOKEN])


def sweep() -> None:
    """Removes folders of trials whose process is gone, and copies lent from them: secrets."""
    for home in folders.runtime_folders():
        for folder in home.iterdir():
            if _is_left(folder.name) or _is_left(_lent_from(folder)):
                folders.remove(folder)


def _is_left(name: str) -> bool:
    found = _FOLDER.match(name)
    return found is not None and not is_alive(int(found[1]))


def _lent_from(loan: Path) -> str:
    """The folder of the rclone.conf that a private copy is from (see `conf.private`), or ""."""
    try:
        return Path(json.loads((loan / "origin.json").read_text())["config"]).parent.name
    except (OSError, ValueError, KeyError, TypeError):
        return ""
