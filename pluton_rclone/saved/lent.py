"""Lent: each run has a private rclone.conf, and a token that rclone renews in it comes home.

rclone 1.75.2 does not renew an access token that Microsoft refuses before its end (continuous
access evaluation, a revoked session). The next run gets it as one that has expired, and renews it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from pluton_rclone.conf.conf import Conf
from pluton_rclone.conf.environment import PASSWORD
from pluton_rclone.conf.private import PrivateConfig
from pluton_rclone.errors import AccessDenied, NextStep, TokenExpired, Who
from pluton_rclone.process import Child
from pluton_rclone.rclone.commands import WRITING, Command
from pluton_rclone.rclone.runner import Around, Order, Runner, nothing
from pluton_rclone.values.token_text import SIGN_IN, TOKEN, token_digest, token_fields

from .wrapping import below

if TYPE_CHECKING:
    from pluton_rclone.rclone import events


@contextmanager
def lend(
    conf: Conf,
    names: Sequence[str],
    refused: Collection[str] = (),
    notice: Callable[[str], None] = nothing,
) -> Iterator[PrivateConfig]:
    """A private copy of these remotes for an rclone, merged back while it runs and at the end.
    rclone cannot read a certificate: such a remote gets its tokens from our endpoint meanwhile.
    Access tokens whose digest is `refused` have expired in it. `notice` hears that a token may be
    lost."""
    lost = "A token that is renewed now is lost when this machine restarts."
    with ExitStack() as stack:
        private = stack.enter_context(conf.private(names, lambda why: notice(f"{why} {lost}")))
        for name in names:
            options = _certificate_options(stack, conf, name) or _expired(conf, name, refused)
            if options:
                Conf(private.path, password=private.environment.get(PASSWORD)).update(name, options)
        yield private


def _expired(conf: Conf, name: str, refused: Collection[str]) -> dict[str, str]:
    section = conf.whole_section(name)
    fields = token_fields(section.get(TOKEN))
    if _digest(section) not in refused or section.get("tenant_url"):
        return {}
    token = json.dumps({**fields, "expiry": "2000-01-01T00:00:00Z"})
    return {TOKEN: token, SIGN_IN: section.get(SIGN_IN, "")}


def _digest(section: Mapping[str, str]) -> str:
    return token_digest(str(token_fields(section.get(TOKEN)).get("access_token", "")))


def _refuses(line: bytes) -> bool:
    """Whether a line of rclone's log says that Microsoft refused an access token."""
    if b"uthenticat" not in line and b"401" not in line:
        return False
    from pluton_rclone.rclone import events

    event = events.parse(line)
    return event.level not in ("debug", "info") and is_refusal(event.text)


def is_refusal(text: str) -> bool:
    """Whether a message of rclone says that Microsoft refused an access token, and not, of a
    refresh token, that it cannot renew one."""
    from pluton_rclone.rclone import faults

    found = None if "fetch token" in text else faults.meaning(text)
    return found is not None and found.kind is TokenExpired


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
        self._refused: set[str] = set()
        self.refusals = 0
        """How often a run heard that its token is refused, although it has not expired."""
        self.throttled = 0
        """How often Microsoft asked a run to slow down, as far as rclone logs it."""

    def refuse(self) -> None:
        """The present tokens are renewed by the next run."""
        self._refused |= {_digest(self._conf.whole_section(name)) for name in self._names}

    def start(self, order: Order) -> Child:
        """AccessDenied where it would write to what was connected for reading only."""
        self._refuse_to_write(order.command)
        held = ExitStack()
        loan = held.enter_context(lend(self._conf, self._names, self._refused, order.on.notice))
        given = {_digest(self._conf.whole_section(name)) for name in self._names}

        def hear(line: bytes) -> None:
            if _refuses(line):
                self._refused.update(given)
                self.refusals += 1
            if slow_down(line) is not None:
                self.throttled += 1
            if order.on.stderr is not None:
                order.on.stderr(line)

        def end() -> None:
            """First the token is merged back, then waiting callers are told."""
            try:
                held.close()
            finally:
                if order.on.end is not None:
                    order.on.end()

        lent = replace(order, config=loan.path).plus(loan.environment)
        try:
            return self.inner.start(lent.calling(end=end, stderr=hear))
        except BaseException:
            held.close()
            raise

    def _refuse_to_write(self, command: Command) -> None:
        if command.words[0] not in WRITING:
            return
        from pluton_rclone.remote.rules import reads_only

        written = command.places if "move" in command.words[0] else command.places[-1:]
        places = {self._conf.storage_of(place.partition(":")[0]) for place in written}
        names = places.intersection(self._names)
        for each in (one for name in names for one in below(self._conf, name)):
            section = self._conf.whole_section(each)
            if reads_only(section.get("pluton_granted_scopes", "").split()):
                title = section.get("description") or each
                raise AccessDenied(
                    f"{title!r} was connected for reading only.",
                    why="its permissions do not let it write",
                    who=Who.YOU,
                    advice="To write to it, connect it with permission to write.",
                    next_step=NextStep.CONNECT_ANEW,
                    storage=title,
                )


def slow_down(line: bytes) -> events.Throttled | None:
    """The event, if a line of rclone's log says that Microsoft asked it to slow down."""
    if b"oo many" not in line:
        return None
    from pluton_rclone.rclone import events

    event = events.parse(line)
    return event if isinstance(event, events.Throttled) else None
