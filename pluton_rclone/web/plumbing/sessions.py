"""Sessions with their drafts, in memory: a restart ends them."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
import time
from dataclasses import dataclass, field
from typing import Any, Protocol

LIFETIME = 12 * 3600.0  # seconds without a request
MAX_SESSIONS = 200  # of browsers with a one-time address
MAX_OF_PERSON = 20  # sessions of one person; the oldest without a draft is dropped
MAX_ADDRESSES = 100
MAX_DRAFTS = 20  # per session; the oldest is dropped
KEPT_STATES = 50
ADDRESS_LIFETIME = 1800.0  # seconds in which a one-time address can be used


class Draft(Protocol):
    """A storage that is not saved yet: the wizard's draft. `flows` are sign-ins by state."""

    id: str
    storage: str | None
    flows: dict[str, Any]
    saved: str | None
    changed: float


@dataclass
class Session:
    """One browser with access. `token` is the anti-forgery token, `key` the cookie's digest."""

    key: str
    token: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)
    person: str | None = None
    seen: float = field(default_factory=time.time)
    drafts: dict[str, Draft] = field(default_factory=dict)
    answered: list[str] = field(default_factory=list, repr=False)  # states already answered
    lock: threading.RLock = field(default_factory=threading.RLock, repr=False, compare=False)

    @property
    def owner(self) -> str:
        """The owner of the work that it starts: the person, or this session."""
        return self.person or self.key

    def allows(self, token: str) -> bool:
        """Whether this is the session's anti-forgery token."""
        return hmac.compare_digest(token.encode(), self.token.encode())

    def take_flow(self, state: str) -> tuple[Draft, Any] | None:
        """The sign-in that this session began with this state, once: a second answer finds none."""
        with self.lock:
            draft = next((one for one in self.drafts.values() if state in one.flows), None)
            if draft is None:
                return None
            self.answered = [*self.answered, state][-KEPT_STATES:]
            return draft, draft.flows.pop(state)

    def add(self, draft: Draft) -> None:
        with self.lock:
            while len(self.drafts) >= MAX_DRAFTS:
                self.drafts.pop(min(self.drafts, key=lambda name: self.drafts[name].changed))
            self.drafts[draft.id] = draft


class Sessions:
    """All sessions, and the one-time addresses."""

    def __init__(self) -> None:
        self._sessions: dict[str, Session] = {}
        self._addresses: dict[str, float] = {}
        self._lock = threading.RLock()

    def new_secret(self) -> str:
        """The secret of a one-time address."""
        secret = secrets.token_urlsafe(32)
        with self._lock:
            self._addresses[_digest(secret)] = time.time() + ADDRESS_LIFETIME
            for old in list(self._addresses)[:-MAX_ADDRESSES]:
                del self._addresses[old]
        return secret

    def redeem(self, secret: str) -> str | None:
        """The cookie of a new session, for an unused secret."""
        with self._lock:
            expires = self._addresses.pop(_digest(secret), 0.0)
        return self.create() if time.time() < expires else None

    def create(self, person: str | None = None) -> str:
        """The cookie of a new session."""
        cookie = secrets.token_urlsafe(32)
        session = Session(_digest(cookie), person=person)
        with self._lock:
            self._forget_old()
            alike = [one for one in self._sessions.values() if one.person == person]
            if len(alike) >= (MAX_SESSIONS if person is None else MAX_OF_PERSON):
                self.end(min(alike, key=lambda one: (bool(one.drafts), one.seen)))
            self._sessions[session.key] = session
        return cookie

    def find(self, cookie: str) -> Session | None:
        """The session of a cookie; None if unknown or expired."""
        with self._lock:
            self._forget_old()
            session = self._sessions.get(_digest(cookie))
            if session is not None:
                session.seen = time.time()
            return session

    def end(self, session: Session) -> None:
        with self._lock:
            self._sessions.pop(session.key, None)

    def _forget_old(self) -> None:
        now = time.time()
        for session in [one for one in self._sessions.values() if now - one.seen > LIFETIME]:
            self.end(session)
        self._addresses = {key: end for key, end in self._addresses.items() if end > now}


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
