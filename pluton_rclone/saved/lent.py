"""Lent: each run has a private rclone.conf, without the refresh token if we can renew the token.

We renew tokens of a user's own registration, once for all processes (`renewal`): rclone gets an
access token and the address of an endpoint that returns the next one. Only rclone can renew a token
of rclone's own registration, and if rclone.conf is not writable, a renewed token cannot be saved:
then rclone gets the whole token, and its renewed token is merged back.

rclone 1.75.2 does not renew an access token that Microsoft refuses before it expires (continuous
access evaluation, a revoked session). So rclone asks us every minute, and we ask Graph: mount,
serve and restic, which retries, go on with a new token. Any other command has failed by then: the
next run gets the token marked as expired, and renews it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

from pluton_rclone.conf.conf import Conf
from pluton_rclone.conf.private import PrivateConfig
from pluton_rclone.errors import (
    AccessDenied,
    ConfigError,
    NextStep,
    PlutonRcloneError,
    TokenExpired,
    Who,
)
from pluton_rclone.microsoft.entra.token_endpoint import DAY, TokenEndpoint
from pluton_rclone.process import Child
from pluton_rclone.rclone.commands import WRITING, Command
from pluton_rclone.rclone.runner import Around, Order, Runner, nothing
from pluton_rclone.values.token_text import TOKEN, expires_at, token_digest, token_fields
from pluton_rclone.values.versions import Feature, Version

from .renewal import good_token, is_ours_to_renew, is_refused, name_now
from .wrapping import below

if TYPE_CHECKING:
    from pluton_rclone.microsoft.entra.token import Token
    from pluton_rclone.rclone import events

PAST = "2000-01-01T00:00:00Z"
ASKED_AGAIN = 60.0
"""Seconds after which rclone asks whether its token is still valid (ten fewer by its own count)."""


@contextmanager
def lend(
    conf: Conf,
    names: Sequence[str],
    version: Version,
    refused: Collection[str] = (),
    notice: Callable[[str], None] = nothing,
    *,
    warn: Callable[[str], None] = nothing,
    for_list: bool = False,
) -> Iterator[PrivateConfig]:
    """A private copy of these remotes for an rclone of that version. A token in it is merged back
    while rclone runs and at the end, or is only an access token, and rclone asks us for the next
    one. Access tokens whose digest is `refused` are marked as expired. `notice` is called if a
    token that rclone renews may be lost, `warn` if there is no next token and why, which rclone
    does not explain. The option delta, which makes rclone omit items, is kept only `for_list`, so
    that nothing is copied, compared, counted or deleted by it."""
    lost = "A token that is renewed now is lost when this machine restarts."
    with ExitStack() as stack:

        def others(name: str, section: dict[str, str]) -> Mapping[str, str]:
            by_delta = section.get("type") == "onedrive" and "delta" in section and not for_list
            return {**tokens(name, section), **({"delta": "false"} if by_delta else {})}

        def tokens(name: str, section: dict[str, str]) -> Mapping[str, str]:
            token = token_fields(section.get(TOKEN))
            if refused and _digest(section) in refused and not section.get("tenant_url"):
                token["expiry"] = PAST
            give = _giver(conf, name, section, version, refused)
            if give is None:
                return {TOKEN: json.dumps(token)} if token.get("expiry") == PAST else {}
            longest = DAY
            if isinstance(give, _Broker):
                longest = ASKED_AGAIN
                token.pop("refresh_token", None)
                soon = datetime.now(timezone.utc) + timedelta(seconds=longest)
                token["expiry"] = min(expires_at(token) or soon, soon).isoformat()
            app, tenant = section.get("client_id", ""), section.get("tenant") or "common"

            def tell(problem: PlutonRcloneError) -> None:
                warn(f"{section.get('description') or name}: {problem} {problem.advice}")

            endpoint = TokenEndpoint(app, tenant, give, longest, tell)
            options = stack.enter_context(endpoint).options()
            return {**options, TOKEN: json.dumps(token)} if token else options

        yield stack.enter_context(
            conf.private(names, others, lambda why: notice(f"{str(why).rstrip('.')}. {lost}"))
        )


def _giver(
    conf: Conf,
    name: str,
    section: Mapping[str, str],
    version: Version,
    refused: Collection[str],
) -> Callable[[], Token] | None:
    """Returns access tokens for one run's rclone; None if rclone can and must renew them itself."""
    storage = conf.storage_of(name)
    if section.get("pluton_certificate") and not section.get("client_secret"):
        from .registration import app_token  # rclone cannot read a certificate

        return lambda: app_token(conf.whole_section(storage))
    if not Feature.TOKEN_ADDRESS.known_to(version):
        return None
    is_whole = "refresh_token" in token_fields(section.get(TOKEN))
    if not is_whole or not is_ours_to_renew(section) or section.get("tenant_url"):
        return None
    if not conf.is_variable(storage) and not _can_be_kept(conf, section):
        return None
    return _Broker(conf, storage, section, refused)


class _Broker:
    """Gives one run's rclone the access token that all processes share. A token that rclone has
    already may be refused meanwhile; as rclone does not report that, Graph is asked."""

    def __init__(
        self, conf: Conf, name: str, section: Mapping[str, str], refused: Collection[str]
    ) -> None:
        self._conf, self._name, self._section, self._refused = conf, name, section, refused
        self._last = ""

    def __call__(self) -> Token:
        name = name_now(self._conf, self._name, self._section)
        token = good_token(self._conf, name, refused=self._refused)
        digest = token_digest(token.access_token)
        if digest == (self._last or _digest(self._section)) and is_refused(token, self._section):
            token = good_token(self._conf, name, refused={digest})
        self._last = token_digest(token.access_token)
        return token


def _can_be_kept(conf: Conf, section: Mapping[str, str]) -> bool:
    """Whether a renewed token can be written to rclone.conf. Tries it if one is needed now;
    otherwise checks the permissions, which takes no time but does not notice a full disk."""
    end = expires_at(token_fields(section.get(TOKEN)))
    if end is not None and end > datetime.now(timezone.utc) + timedelta(seconds=10):
        folder = os.access(conf.path.parent, os.W_OK)
        return folder and (os.access(conf.path, os.W_OK) or not conf.path.exists())
    with suppress(ConfigError):
        conf.check_writable()
        return True
    return False


def _digest(section: Mapping[str, str]) -> str:
    return token_digest(str(token_fields(section.get(TOKEN)).get("access_token", "")))


def _refuses(line: bytes) -> bool:
    """Whether a line of rclone's log says that Microsoft refused an access token."""
    if b"uthenticat" not in line and b"401" not in line:
        return False
    from pluton_rclone.rclone import events

    event = events.parse(line)
    told = event.level not in ("debug", "info") and not isinstance(event, events.Progress)
    return told and is_refusal(event.text)  # in a progress line, 401 is a number


def is_refusal(text: str) -> bool:
    """Whether a message of rclone says that Microsoft refused an access token. A refresh token that
    cannot be renewed does not count."""
    from pluton_rclone.rclone import faults

    found = None if "fetch token" in text else faults.meaning(text)
    return found is not None and found.kind is TokenExpired


class Lent(Around):
    """Gives each run a private copy of these remotes, which exists as long as the process."""

    def __init__(self, inner: Runner, conf: Conf, names: Sequence[str]) -> None:
        super().__init__(inner)
        self._conf = conf
        self._names = tuple(names)
        self._refused: set[str] = set()
        self.refusals = 0
        """How often Microsoft refused a run's token that had not expired."""
        self.throttled = 0
        """How often Microsoft asked a run to slow down, if rclone logs it."""

    def refuse(self) -> None:
        """Make the next run renew the current tokens."""
        self._refused |= {_digest(self._conf.whole_section(name)) for name in self._names}

    def start(self, order: Order) -> Child:
        """AccessDenied if it would write to a storage that was connected for reading only."""
        self._refuse_to_write(order.command)
        held = ExitStack()
        notice, version = order.on.notice, self.binary.version
        lists = order.command.words[0] == "lsjson"
        loan = held.enter_context(
            lend(self._conf, self._names, version, self._refused, notice, for_list=lists)
        )
        given = [self._conf.whole_section(name) for name in self._names]

        def hear(line: bytes) -> None:
            if _refuses(line):
                self._refused.update(map(_digest, given))
                self.refusals += 1
            if slow_down(line) is not None:
                self.throttled += 1
            order.on.stderr(line)

        def end() -> None:
            """Merge the token back before waiting callers continue."""
            try:
                held.close()
            finally:
                order.on.end()

        lent = order._replace(config=loan.path).plus(loan.environment)
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
            known = ("pluton_granted_scopes", "access_scopes")
            if reads_only(*(section.get(key, "").split() for key in known)):
                title = section.get("description") or each
                raise AccessDenied(
                    f"{title!r} was connected for reading only.",
                    why="its permissions do not include writing",
                    who=Who.YOU,
                    advice="To write to it, connect it again with permission to write.",
                    next_step=NextStep.CONNECT_ANEW,
                    storage=title,
                )


def slow_down(line: bytes) -> events.Throttled | None:
    """The event, if a line of rclone's log says that Microsoft asked it to slow down."""
    if b"oo many" not in line:
        return None
    from pluton_rclone.rclone import events

    event = events.parse(line)
    return event if isinstance(event, events.Throttled) and event.by_microsoft else None
