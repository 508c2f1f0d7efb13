"""Renews a person's token: one process at a time, and stored before it is used."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Container, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from pluton_rclone import errors, process
from pluton_rclone.conf.conf import Conf
from pluton_rclone.process.system import held
from pluton_rclone.values.drive_ids import normal_drive_id
from pluton_rclone.values.token_text import SIGN_IN, TOKEN, token_digest

if TYPE_CHECKING:
    from pluton_rclone.microsoft.entra.token import Token
    from pluton_rclone.microsoft.http import Http

_PATIENCE = 60.0  # seconds; Microsoft answers within one


def is_ours_to_renew(section: Mapping[str, str]) -> bool:
    """Whether we can renew the token of a person's remote. Only rclone can renew tokens of its own
    registration or of another token address."""
    return bool(section.get("client_id")) and not section.get("token_url")


def stored_token(section: Mapping[str, str]) -> Token:
    """The token in a remote's section. TokenExpired if there is none; TokenInvalid."""
    from pluton_rclone.microsoft.entra.token import Token

    if not section.get(TOKEN):
        raise errors.TokenExpired("This storage has no token.", why="nobody has signed in")
    scopes = tuple(section.get("pluton_granted_scopes", "").split())
    return Token.from_rclone(section[TOKEN], scopes=scopes)


def good_token(conf: Conf, name: str, *, refused: Container[str] = ()) -> Token:
    """The stored token of a user's own registration, renewed first if it has expired or the digest
    of its access token is `refused`. Other callers wait meanwhile and get the same token.
    TokenExpired or InteractionRequired if the person has to sign in; ConfigError if a renewed token
    could not be stored: then none is requested.

    A separate process renews, and finishes even if this one is killed: if a refresh token is valid
    only once, the answer under way has the only valid one. If that process fails, this one tries,
    to report why, and does not wait again. It also tries if no other process can be started."""
    token = stored_token(conf.whole_section(name))
    if _is_good(token, refused):
        return token
    from pluton_rclone.microsoft.http import LONGEST_WAIT, Http

    patience = LONGEST_WAIT
    if not (conf.is_variable(name) or getattr(sys, "frozen", False)):
        with _turn(conf, name, "asked"):  # one such process for all callers
            token = stored_token(conf.whole_section(name))
            if not _is_good(token, refused):
                digest = token_digest(token.access_token)
                known = [digest] if digest in refused else []
                # Python itself ignores entries that are not strings, such as a Path
                where = [one for one in list[object](sys.path) if isinstance(one, str)]
                arguments = json.dumps([where, str(conf.path), name, known])
                argv = [sys.executable, "-I", "-c", _APART, arguments]
                with suppress(OSError):
                    process.to_the_end(argv, env={**os.environ, **conf.password_environment()})
                    patience = 0.0
    with Http(patience=patience) as http:
        return renewed_here(conf, name, refused, http)


_APART = """\
import json, sys
sys.path[:], path, name, refused = json.loads(sys.argv[1])
from pluton_rclone.saved.renewal import Conf, renewed_here
renewed_here(Conf(path), name, refused)"""


def renewed_here(conf: Conf, name: str, refused: Container[str], http: Http | None = None) -> Token:
    """As `good_token`, in this process."""
    token = stored_token(conf.whole_section(name))
    if _is_good(token, refused):
        return token
    from pluton_rclone.microsoft.entra.sign_in import refresh

    from .registration import own_registration

    with _turn(conf, name, "renewed"):
        keep, section = conf.keeper(name), conf.whole_section(name)
        token = stored_token(section)
        if _is_good(token, refused):
            return token
        if not conf.is_variable(name):
            conf.check_writable()
        try:
            # Like rclone, without naming scopes: the granted ones stay.
            renewed = refresh(own_registration(section), token, http=http)
        except (errors.TokenExpired, errors.InteractionRequired) as problem:
            now = stored_token(conf.whole_section(name))  # another rclone may have been faster
            if now.refresh_token != token.refresh_token and _is_good(now, refused):
                return now
            problem.advice = errors.TokenExpired.default_advice
            problem.next_step = errors.NextStep.REAUTHORIZE
            problem.details.setdefault("storage", section.get("description") or name)
            raise
        keep(renewed.to_rclone())
        return renewed


def _is_good(token: Token, refused: Container[str]) -> bool:
    return not token.expired() and token_digest(token.access_token) not in refused


def is_refused(token: Token, section: Mapping[str, str]) -> bool:
    """Whether Graph refuses an access token that has not expired. Sends one small request, which
    costs one resource unit; False if Graph does not answer."""
    from pluton_rclone.microsoft.clouds import cloud
    from pluton_rclone.microsoft.graph.faults import is_microsofts
    from pluton_rclone.microsoft.http import Http

    root = cloud(section.get("region") or "global").graph_root
    address = f"{root}/v1.0/drives/{section.get('drive_id')}?$select=id"
    headers = {"Authorization": f"Bearer {token.access_token}"}
    with Http() as http, suppress(errors.PlutonRcloneError):
        answer = http.once("GET", address, headers=headers)
        return answer.status == 401 and is_microsofts(answer)
    return False


@contextmanager
def _turn(conf: Conf, name: str, what: str) -> Iterator[None]:
    """Hold a lock beside rclone.conf, which containers share, too: one of sixteen, by name. Go on
    without it if it cannot be had: two renewals at once are only one request too many."""
    file, lock = f".{conf.path.name}.pluton-{what}-{token_digest(name)[0]}.lock", None
    with suppress(OSError):
        lock = held(conf.path.with_name(file), _PATIENCE)
    try:
        yield
    finally:
        if lock is not None:
            lock.release()


def name_now(conf: Conf, name: str, section: Mapping[str, str]) -> str:
    """The current name of the remote `name`, which had this section. StorageNotFound if it was
    removed, or another remote has taken its name."""
    sections, sign_in = conf.sections(), section.get(SIGN_IN)
    ids = (one.get("drive_id", "") for one in (section, sections.get(name, {})))
    if len(set(map(normal_drive_id, ids))) == 1:  # a repair may have changed its spelling
        return name
    for other, its in sections.items():
        if sign_in and its.get(SIGN_IN) == sign_in:
            return other
    raise errors.StorageNotFound(
        f"The storage {section.get('description') or name!r} no longer exists.",
        why="it was removed, or another storage now has its name",
    )
