"""A remote that is not saved yet, in a private rclone.conf of its own, so that it can be tested."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from pluton_rclone.conf import private
from pluton_rclone.conf.conf import Conf
from pluton_rclone.pace.engine import saved_remote
from pluton_rclone.process import folders
from pluton_rclone.rclone.binary import Binary
from pluton_rclone.remote.names import name_fault
from pluton_rclone.remote.onedrive import OneDriveRemote
from pluton_rclone.saved.remote import SavedRemote
from pluton_rclone.values.token_text import TOKEN

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
            folder, owner = private.new_folder(home, private.TRIAL, {})
            stack.callback(owner.release)
            stack.callback(_remove, folder)
            conf = Conf(folder / private.CONF)
            conf.add(name, remote.to_section())
            return conf

        trial = saved_remote(private.in_first_place(made), name, lambda: binary, log_level="DEBUG")
        try:
            yield trial
        finally:
            if keep and TOKEN in trial.section:
                keep(trial.section[TOKEN])


def sweep() -> None:
    """Removes folders of trials whose owner is gone. A process id would not tell: a container that
    shares the folder has ids of its own."""
    for folder, owner, _ in private.without_owner(f"{private.TRIAL}-"):
        _remove(folder)
        owner.release()


def _remove(trial: Path) -> None:
    """Removes a trial's folder, and first the copies lent from it that are left: secrets."""
    for copy, owner, _ in private.abandoned(Conf(trial / private.CONF).path):
        folders.remove(copy)
        owner.release()
    folders.remove(trial)
