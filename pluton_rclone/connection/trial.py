"""A remote that is not saved yet, in its own private rclone.conf, so that it can be tested."""

from __future__ import annotations

import atexit
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from pluton_rclone.conf import private
from pluton_rclone.conf.conf import Conf
from pluton_rclone.errors import PlutonRcloneError
from pluton_rclone.pace.engine import saved_remote
from pluton_rclone.process import folders
from pluton_rclone.rclone.binary import Binary
from pluton_rclone.remote.names import name_fault
from pluton_rclone.remote.onedrive import OneDriveRemote
from pluton_rclone.saved.remote import SavedRemote
from pluton_rclone.values.token_text import TOKEN

_REMOTE = "new-storage"


class _End(ExitStack):
    """A trial's end: in its thread or, if the program ends before, at that end; either waits for
    the other."""

    def __init__(self) -> None:
        super().__init__()
        self._turn = threading.RLock()

    def __exit__(self, *details: Any) -> bool:
        with self._turn:
            return bool(super().__exit__(*details))


_running: set[_End] = set()


@contextmanager
def trial_of(
    remote: OneDriveRemote,
    binary: Binary,
    origin: SavedRemote | None = None,
    keep: Callable[[str], None] | None = None,
) -> Iterator[SavedRemote]:
    """A trial remote. Its folder is removed at the end, or at the program's end if a thread's trial
    has not ended by then; one left by a killed process, at the next trial. The trial's `options`
    have the token as renewed by rclone. However the trial ends, that token is saved in `origin`,
    the saved remote with the same sign-in, or else passed to `keep`."""
    sweep()
    keep = origin.conf.keeper(origin.name) if origin else keep
    name = origin.name if origin and not name_fault(origin.name) else _REMOTE  # errors name it
    with _End() as stack:
        _running.add(stack)
        stack.callback(_running.discard, stack)

        def made(home: Path) -> Conf:
            folder, owner = private.new_folder(home, private.TRIAL, {})
            stack.callback(owner.release)
            stack.callback(_remove, folder)
            conf = Conf(folder / private.CONF)
            conf.add(name, remote.to_section())
            return conf

        trial = saved_remote(private.in_first_place(made), name, lambda: binary, log_level="DEBUG")
        stack.callback(_bring_home, trial, keep)
        yield trial


def _bring_home(trial: SavedRemote, keep: Callable[[str], None] | None) -> None:
    if keep and TOKEN in trial.section:
        keep(trial.section[TOKEN])


@atexit.register
def _end_all() -> None:
    """A page that ends does not wait long for its threads: they may wait for Microsoft."""
    for stack in [*_running]:
        with suppress(PlutonRcloneError, OSError):
            stack.close()


if hasattr(os, "register_at_fork"):  # the new process does not have the trials
    os.register_at_fork(after_in_child=_running.clear)


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
