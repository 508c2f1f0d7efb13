"""Lent: each run has a private rclone.conf, and a token that rclone renews in it comes home."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace

from pluton_rclone.conf.conf import Conf
from pluton_rclone.conf.environment import PASSWORD
from pluton_rclone.conf.private import PrivateConfig
from pluton_rclone.errors import AccessDenied, NextStep, Who
from pluton_rclone.process import Child
from pluton_rclone.rclone.commands import WRITING, Command
from pluton_rclone.rclone.runner import Around, Order, Runner
from pluton_rclone.remote.rules import reads_only

from .wrapping import below


@contextmanager
def lend(conf: Conf, names: Sequence[str]) -> Iterator[PrivateConfig]:
    """A private copy of these remotes for an rclone, merged back while it runs and at the end.
    rclone cannot read a certificate: such a remote gets its tokens from our endpoint meanwhile."""
    with ExitStack() as stack:
        private = stack.enter_context(conf.private(names))
        for name in names:
            options = _certificate_options(stack, conf, name)
            if options:
                Conf(private.path, password=private.environment.get(PASSWORD)).update(name, options)
        yield private


def _certificate_options(stack: ExitStack, conf: Conf, name: str) -> dict[str, str]:
    """rclone's options for one run of a remote with a certificate; empty for any other."""
    section = conf.whole_section(name)
    if not section.get("pluton_certificate") or section.get("client_secret"):
        return {}
    from pluton_rclone.microsoft.entra.token_endpoint import TokenEndpoint

    from .registration import own_registration

    return stack.enter_context(TokenEndpoint(own_registration(conf.remote(name)))).options()


class Lent(Around):
    """Gives each run a private copy of these remotes, which lives as long as the process."""

    def __init__(self, inner: Runner, conf: Conf, names: Sequence[str]) -> None:
        super().__init__(inner)
        self._conf = conf
        self._names = tuple(names)

    def start(self, order: Order) -> Child:
        """AccessDenied where it would write to what was connected for reading only."""
        self._refuse_to_write(order.command)
        held = ExitStack()
        loan = held.enter_context(lend(self._conf, self._names))
        if loan.not_writable is not None:
            lost = "A token that is renewed now is lost when this machine restarts."
            order.on.notice(f"{loan.not_writable} {lost}")

        def end() -> None:
            """First the token is merged back, then waiting callers are told."""
            try:
                held.close()
            finally:
                if order.on.end is not None:
                    order.on.end()

        lent = replace(order, config=loan.path).plus(loan.environment)
        try:
            return self.inner.start(lent.calling(end=end))
        except BaseException:
            held.close()
            raise

    def _refuse_to_write(self, command: Command) -> None:
        if command.words[0] not in WRITING:
            return
        for place in command.places if "move" in command.words[0] else command.places[-1:]:
            name = place.partition(":")[0]
            for each in below(self._conf, name) if name in self._names else ():
                section = self._conf.whole_section(each)
                if not reads_only(section.get("pluton_granted_scopes", "").split()):
                    continue
                title = section.get("description") or each
                raise AccessDenied(
                    f"{title!r} was connected for reading only.",
                    why="its permissions do not let it write",
                    who=Who.YOU,
                    advice="To write to it, connect it with permission to write.",
                    next_step=NextStep.CONNECT_ANEW,
                    storage=title,
                )
