"""rclone with a private rclone.conf for each run, so that a token which rclone refreshes is never lost."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from typing import Any

from .process import Child
from .rclone.binary import Binary
from .rclone.commands import Command
from .rclone.engine import Limits, Rclone
from .remote.conf import Conf


class LentRclone(Rclone):
    """As `Rclone`, for remotes of one rclone.conf: every run has a private copy of just these, merged back when it ends.

    The private copy lives as long as the process that reads it: also for a transfer that nobody waits for.
    """

    def __init__(
        self,
        conf: Conf,
        names: Sequence[str],
        binary: Binary | str | os.PathLike[str] | None = None,
        *,
        environment: Mapping[str, str] | None = None,
        user_agent: str | None = None,
        flags: Sequence[str] = (),
        limits: Limits = Limits(),  # noqa: B008 - immutable
    ) -> None:
        super().__init__(binary, environment=environment, user_agent=user_agent, flags=flags, limits=limits)
        self.conf = conf
        self.names = tuple(names)

    def start(self, command: Command, *, flags: Sequence[str] = (), **callbacks: Any) -> Child:
        with ExitStack() as stack:
            config = stack.enter_context(self.conf.private(self.names))
            on_end: Callable[[], None] | None = callbacks.pop("on_end", None)
            borrower = Rclone(
                self.binary,
                config=config.path,
                environment={**self.environment, **config.environment},
                user_agent=self.user_agent,
                flags=self.flags,
                limits=self.limits,
            )
            held = stack.pop_all()
            try:
                return borrower.start(command, flags=flags, on_end=lambda: _end(held, on_end), **callbacks)
            except BaseException:
                held.close()
                raise


def _end(held: ExitStack, on_end: Callable[[], None] | None) -> None:
    """Called once rclone has ended: first the token comes home, then whoever waits is told."""
    try:
        held.close()
    finally:
        if on_end is not None:
            on_end()
