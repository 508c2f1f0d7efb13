"""A remote that is not saved yet, in its own private rclone.conf, so that it can be tested."""

from __future__ import annotations

from collections.abc import Callable, Iterator
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
    remote: OneDriveRemote,
    binary: Binary,
    origin: SavedRemote | None = None,
    keep: Callable[[str], None] | None = None,
) -> Iterator[SavedRemote]:
    """A trial remote. Its folder is removed at the end; one left by a killed process, at the next
    trial. The trial's `options` have the token as renewed by rclone. However the trial ends, that
    token is saved in `origin`, the saved remote with the same sign-in, or else passed to `keep`."""
    sweep()
    keep = origin.conf.keeper(origin.name) if origin else keep
    name = origin.name if origin and not name_fault(origin.name) else _REMOTE  # errors name it
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
    """Remove folders of trials whose owner is gone. A process id would not show that: a container
    that shares the folder has its own ids."""
    for folder, owner, _ in private.without_owner(f"{private.TRIAL}-"):
        _remove(folder)
        owner.release()


def _remove(trial: Path) -> None:
    """Remove a trial's folder; first the copies made from it, which contain secrets."""
    for copy, owner, _ in private.abandoned(Conf(trial / private.CONF).path):
        folders.remove(copy)
        owner.release()
    folders.remove(trial)
