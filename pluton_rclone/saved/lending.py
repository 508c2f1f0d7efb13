"""rclone with a private rclone.conf for each run, so that a token which rclone refreshes is never lost."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pluton_rclone.conf.conf import Conf
from pluton_rclone.conf.password import VARIABLE as PASSWORD
from pluton_rclone.errors import ConfigError
from pluton_rclone.pace import chunks
from pluton_rclone.process import Child
from pluton_rclone.rclone import events
from pluton_rclone.rclone.binary import Binary
from pluton_rclone.rclone.commands import Command, progress_flags
from pluton_rclone.rclone.engine import Limits, LogLevel, Rclone
from pluton_rclone.rclone.transfer import Start, Transfer

from . import office

if TYPE_CHECKING:
    from pluton_rclone.pace import Governed
    from pluton_rclone.pace.governor import Governor


@dataclass(frozen=True)
class Loan:
    """What an rclone is started with: the rclone.conf at `config`, and these variables. It is good while it is open."""

    config: Path
    environment: dict[str, str] = field(repr=False)
    not_writable: ConfigError | None = None
    """Why the real rclone.conf cannot be written: a token that is renewed is lost at the machine's next restart."""


@contextmanager
def lend(conf: Conf, names: Sequence[str]) -> Iterator[Loan]:
    """A private copy of these remotes for an rclone, merged back while it runs and at the end.

    A remote with a certificate, which rclone cannot read, gets its tokens from an endpoint of ours for as long.
    """
    with ExitStack() as stack:
        private = stack.enter_context(conf.private(names))
        for name in names:
            options = _certificate_options(stack, conf, name)
            if options:
                Conf(private.path, password=private.environment.get(PASSWORD)).update(name, options)
        yield Loan(private.path, private.environment, private.not_writable)


def _certificate_options(stack: ExitStack, conf: Conf, name: str) -> dict[str, str]:
    """rclone's options for one run of a remote with a certificate; empty for any other."""
    section = conf.whole_section(name)
    if not section.get("pluton_certificate") or section.get("client_secret"):
        return {}
    from pluton_rclone.microsoft.entra.token_endpoint import TokenEndpoint
    from pluton_rclone.setup.remote import registration

    app = registration(conf.remote(name))
    assert app is not None  # the model refuses app-only without a registration
    return stack.enter_context(TokenEndpoint(app)).options()


class LentRclone(Rclone):
    """As `Rclone`, for remotes of one rclone.conf: every run has a private copy of just these, merged back when it ends.

    The private copy lives as long as the process that reads it: also for a transfer that nobody waits for.
    `throttled` counts how often Microsoft asked any of its runs to slow down, as far as they log it (`log_level`).
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
        self.throttled = 0
        self.governed: Governed | None = None
        """How its long runs are kept within Microsoft's budgets; None: by `environment` alone."""

    def start(self, command: Command, *, flags: Sequence[str] = (), **callbacks: Any) -> Child:
        with ExitStack() as stack:
            loan = stack.enter_context(lend(self.conf, self.names))
            on_loan: Callable[[Loan], None] = callbacks.pop("on_loan", lambda loan: None)
            on_loan(loan)
            on_end: Callable[[], None] | None = callbacks.pop("on_end", None)
            on_stderr: Callable[[bytes], None] | None = callbacks.pop("on_stderr", None)
            pace, governor = self._pace(command, flags, loan, lambda line: self._heard(line, on_stderr))
            fitted = chunks.variables(
                command, self._destination(command), pace, (*self.flags, *flags, *command.flags)
            )
            borrower = Rclone(
                self.binary,
                config=loan.config,
                environment={**pace, **fitted, **loan.environment},
                user_agent=self.user_agent,
                flags=self.flags,
                limits=self.limits,
            )
            if governor is not None:
                stack.callback(governor.ended)
            held = stack.pop_all()
            try:
                child = borrower.start(
                    command,
                    flags=flags,
                    on_end=lambda: _end(held, on_end),
                    on_stderr=lambda line: self._heard(line, on_stderr, governor),
                    **callbacks,
                )
            except BaseException:
                held.close()
                raise
        if governor is not None:
            governor.attend(child)
        return child

    def _pace(
        self, command: Command, flags: Sequence[str], loan: Loan, on_line: Callable[[bytes], None]
    ) -> tuple[Mapping[str, str], Governor | None]:
        socket = loan.config.with_name("asked")
        if self.governed is not None:
            every = (*self.flags, *flags)
            pace = self.governed.environment(command, self.binary, self.environment, every, socket)
            if pace is not None:
                return pace, self.governed.governor(socket, on_line)
        return self.environment, None

    def transfer(self, command: Command, *, level: LogLevel = "DEBUG", every: float = 0.5) -> Transfer:
        """At DEBUG: only there does rclone say that Microsoft asked it to wait, and for how long (`events.Throttled`)."""
        from .onedrive_transfer import OneDriveTransfer

        notices: list[str] = []

        def told(loan: Loan) -> None:
            if loan.not_writable is not None and not notices:
                notices.append(
                    f"{loan.not_writable} A token that is renewed now is lost when this machine restarts."
                )

        def starting(run: Command, flags: Sequence[str]) -> Start:
            return lambda line, watch, end: self.start(
                run, flags=flags, on_loan=told, on_stdout=_drained, on_stderr=line, watch=watch, on_end=end
            )

        runs = office.runs(command) if self._into_a_library(command) else office.Runs(command)
        if runs.ignoring:
            notices.append(office.SAID)
        return OneDriveTransfer(
            command,
            starting,
            progress_flags(level, every),
            runs=runs,
            notices=notices,
            time_limit=self.limits.time,
            stall_limit=self.limits.stall,
        )

    def _into_a_library(self, command: Command) -> bool:
        """Whether its destination is in a document library of SharePoint."""
        destination = self._destination(command)
        return destination is not None and destination.get("drive_type") == "documentLibrary"

    def _destination(self, command: Command) -> dict[str, str] | None:
        """The section of the remote that it writes to; None for a place that is in none of them."""
        name, colon, _ = command.places[-1].partition(":") if command.places else ("", "", "")
        return self.conf.whole_section(name) if colon and name in self.names else None

    def _heard(
        self,
        line: bytes,
        on_stderr: Callable[[bytes], None] | None,
        governor: Governor | None = None,
    ) -> None:
        if b"oo many" in line and isinstance(event := events.parse(line), events.Throttled):
            self.throttled += 1
            if governor is not None:
                governor.refused(event.seconds)
        if on_stderr is not None:
            on_stderr(line)


def _drained(block: bytes) -> None:
    """A transfer's stdout holds nothing."""


def _end(held: ExitStack, on_end: Callable[[], None] | None) -> None:
    """Called once rclone has ended: first the token comes home, then whoever waits is told."""
    try:
        held.close()
    finally:
        if on_end is not None:
            on_end()
