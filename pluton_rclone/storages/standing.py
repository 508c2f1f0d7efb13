"""Runs rclone's mount and serve, which run until ended, with a lent rclone.conf."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence

from pluton_rclone.pace import outside
from pluton_rclone.process import terminal
from pluton_rclone.rclone.commands import Command
from pluton_rclone.rclone.runner import child_environment
from pluton_rclone.saved.lent import lend
from pluton_rclone.saved.remote import SavedRemote
from pluton_rclone.saved.wrapping import with_wrapped
from pluton_rclone.values.program import USER_AGENT

log = logging.getLogger(__name__)

CREDENTIALS = ("RCLONE_USER", "RCLONE_PASS", "RCLONE_AUTH_KEY")
"""Variables of the caller that are passed to rclone: the credentials for clients of serve."""


def stand(
    saved: SavedRemote, words: Sequence[str], places: tuple[str, ...], flags: Sequence[str]
) -> int:
    """Run it as `terminal.foreground`; read-only if the storage was connected for reading only."""
    only = any(remote.reads_only for remote in saved.onedrives)
    own = ["--read-only"] if only and words[-1] != "restic" else []
    binary, names = saved.rclone.binary, list(with_wrapped(saved.conf, [saved.name]))
    with lend(saved.conf, names, binary.version, warn=log.warning) as loan:
        own += ["--ask-password=false", f"--config={loan.path}", f"--user-agent={USER_AGENT}"]
        argv = Command(tuple(words), tuple(flags), places).argv(binary.path, own)
        passed = {name: os.environ[name] for name in CREDENTIALS if name in os.environ}
        with outside.paced(saved, loan.path.with_name("asked"), flags) as (variables, let_go):
            env = child_environment({**passed, **loan.environment, **variables})
            return terminal.foreground(argv, env=env, on_signal=let_go)
