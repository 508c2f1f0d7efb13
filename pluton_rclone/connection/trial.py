"""A remote that is not saved yet, in a private rclone.conf of its own, so that it can be tested."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from pluton_rclone.conf.conf import Conf
from pluton_rclone.conf.private import OWNER, in_first_place, new_folder
from pluton_rclone.pace.engine import saved_remote
from pluton_rclone.process import folders
from pluton_rclone.process.system import Held
from pluton_rclone.rclone.binary import Binary
from pluton_rclone.remote.names import name_fault
from pluton_rclone.remote.onedrive import OneDriveRemote
from pluton_rclone.saved.remote import SavedRemote
from pluton_rclone.values.token_text import TOKEN

_PREFIX = "test"
_TRIAL = re.compile(f"{_PREFIX}-[0-9a-f]{{16}}")
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
            folder, owner = new_folder(home, _PREFIX, {})
            stack.callback(owner.release)
            stack.callback(folders.remove, folder)
            conf = Conf(folder / "rclone.conf")
            conf.add(name, remote.to_section())
            return conf

        trial = saved_remote(in_first_place(made), name, lambda: binary, log_level="DEBUG")
        try:
            yield trial
        finally:
            if keep and TOKEN in trial.section:
                keep(trial.section[TOKEN])


def sweep() -> None:
    """Removes folders of trials whose owner is gone, and copies lent from them: secrets. A process
    id would not tell: a container that shares the folder has ids of its own."""
    for home in folders.runtime_folders():
        for folder in home.iterdir():
            if _is_left(folder) or _is_left(_lent_from(folder)):
                folders.remove(folder)


def _is_left(folder: Path) -> bool:
    if _TRIAL.fullmatch(folder.name) is None:  # a person's own may begin like it
        return False
    if folder.exists():
        try:
            Held(folder / OWNER).release()
        except OSError:  # its owner lives, or has just removed it
            return False
    return True


def _lent_from(loan: Path) -> Path:
    """The folder of the rclone.conf that a private copy is from (see `conf.private`), or "."."""
    try:
        return Path(json.loads((loan / "origin.json").read_text())["config"]).parent
    except (OSError, ValueError, KeyError, TypeError):
        return Path()
