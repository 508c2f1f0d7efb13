"""Checks every request (host, origin, session, anti-forgery token), adds headers to every answer,
and gets a request's person and permissions from the surrounding application.

Any site that the user visits can send requests to a page on this machine (DNS rebinding, cross-site
forms), so the address alone proves nothing."""

from __future__ import annotations

import inspect
import logging
import re
from asyncio import CancelledError
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import parse_qsl, urlsplit

from anyio import from_thread, sleep
from anyio.lowlevel import EventLoopToken, current_token
from starlette.datastructures import MutableHeaders
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pluton_rclone.errors import UsageError
from pluton_rclone.storages.storage import Storage

from .jobs import UNEXPECTED
from .sessions import Session, Sessions

log = logging.getLogger(__name__)

MAX_BODY = 64 * 1024  # bytes: forms only, no uploads
MAX_FIELDS = 200
AT_ONCE = 12  # requests of one owner: browsers use six; each may hold a thread and an rclone
AGREED = (  # or not: it changes nothing here, and forged links may claim either
    "Microsoft has your answer as an administrator.",
    "If you agreed, the sender of the address can sign in now. You can close this page.",
)
PAGES = 8  # of one host that one browser can access at once
PAUSE = 1.0  # seconds: the least delay of an owner's excess requests, which spares others
_ADDRESS = re.compile(
    r"(?P<scheme>https?)://(?P<host>[a-z\d._-]+|\[[a-f\d:.]+\])(:(?P<port>\d{1,5}))?(/[^\s?#]*)?"
)
TOKEN_FIELD = "anti_forgery"
TOKEN_HEADER = "x-anti-forgery"
FORM = "application/x-www-form-urlencoded"

# No inline scripts or styles, nothing from other sites, no framing.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    # "no-referrer" would make browsers send `Origin: null` with our own forms.
    "referrer-policy": "same-origin",
    # The sign-in window is ours to open; a page that opened ours gets no handle on it.
    "cross-origin-opener-policy": "same-origin-allow-popups",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "cache-control": "no-store",
}

OWNER = "pluton_owner"
"""The key in a storage's section for the person who added it, on a page with several people."""

Action = Literal["see", "read", "write", "change", "remove", "add"]
"""see: list, health, space. read: browse, download, restore. write: copy to it, test. change: name,
options, sign-in, repair. remove: from rclone.conf. add: a new storage (`storage` is None then).
"""

Identify = Callable[[Request], str | Awaitable[str | None] | None]
Authorize = Callable[[str, Action, Storage | None], bool | Awaitable[bool]]
Refuse = Callable[[Request, int, str, str], Response]
"""Returns the page of a refusal: (request, status, what, advice)."""


@dataclass(frozen=True)
class Address:
    """The page's address in the person's browser: scheme, host and port (`origin`), and the path
    below which it is mounted, such as "/onedrive"."""

    origin: str
    path: str

    @classmethod
    def of(cls, public_url: str) -> Address:
        """UsageError for an address that differs from the form that browsers show."""
        found = _ADDRESS.fullmatch(public_url.lower())
        if found is None or int(found["port"] or 0) > 65535:
            advice = "Write it as browsers show it: https://pluton.example or https://host:8443."
            raise UsageError(f"{public_url!r} is not the address of a page.", advice=advice)
        default = {"http": "80", "https": "443"}[found["scheme"]]  # which browsers omit
        port = "" if found["port"] in (None, default) else f":{found['port']}"
        path = urlsplit(public_url).path.rstrip("/")
        return cls(f"{found['scheme']}://{found['host']}{port}", path)

    @property
    def host(self) -> str:
        return self.origin.partition("://")[2]

    @property
    def secure(self) -> bool:
        return self.origin.startswith("https:")

    @property
    def cookie(self) -> str:
        """The session cookie's name. It includes the port, as all ports of a machine share cookies.
        No other host of the domain can set `__Host-`, which requires HTTPS."""
        port = urlsplit(self.origin).port
        return ("__Host-" if self.secure else "") + "pluton_onedrive" + (f"_{port}" if port else "")


@dataclass
class Guard:
    """Middleware. Stores the session and the form in the scope (`session_of`, `form_of`)."""

    app: ASGIApp
    address: Address
    sessions: Sessions
    refuse: Refuse
    identify: Identify | None
    _busy: Counter[str] = field(default_factory=Counter, init=False)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
        if scope["type"] != "http":
            return
        scope["pluton.loop"] = current_token()
        request, begun = Request(scope, receive), False
        try:
            refused = await self._refusal(request)
        except ClientDisconnect:  # in the middle of its form
            return
        mine = session_of(request)
        owner = mine.owner if mine is not None else ""
        pause = 0.0
        if self._busy[owner] >= AT_ONCE:  # all strangers are one owner, ""
            pause = PAUSE
            if owner:
                owner += " waits"  # counted separately: the more there are, the longer each waits
                pause *= 1 + self._busy[owner] // AT_ONCE
                refused = self.refuse(request, 429, "Too many requests.", "Try again in a moment.")
        answer: ASGIApp = refused or self.app
        new_cookie = scope.get("pluton.new_cookie")

        async def with_headers(message: Message) -> None:
            nonlocal begun
            begun = True
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                if new_cookie:
                    cookie = session_cookie(self.address, self.sessions, new_cookie, scope)
                    headers.append("set-cookie", cookie)
            await send(message)

        self._busy[owner] += 1
        try:
            if pause:
                await sleep(pause)
            await answer(scope, _empty if "pluton.form" in scope else receive, with_headers)
        except Exception:
            if begun:
                raise
            log.exception("%s %s failed", request.method, _path(request))
            advice = "Nothing was saved by this step. See the server's log, and please report it."
            await self.refuse(request, 500, UNEXPECTED, advice)(scope, receive, with_headers)
        finally:
            self._busy -= Counter([owner])  # removes an owner without requests

    async def _refusal(self, request: Request) -> Response | None:
        if list(map(str.lower, request.headers.getlist("host"))) != [self.address.host]:
            what = "This page is not available under that name."
            there = f"{self.address.origin}{self.address.path}"
            return self.refuse(request, 421, what, f"Open it at {there}.")
        changes = request.method not in ("GET", "HEAD")
        fault = await self._forgery(request) if changes else None
        if fault:
            again = "Open the page again, and try again from there."
            return self.refuse(request, 403, fault, again)
        session = await self._find_session(request)
        if session is None and not _path(request).startswith(("/static/", "/open/")):
            return self._no_session(request)
        if session is not None and changes:
            token = form_of(request).get(TOKEN_FIELD) or request.headers.get(TOKEN_HEADER, "")
            if not session.allows(token):
                again = "Open the page again, and try again from there; nothing was changed."
                return self.refuse(request, 403, "This form is not from your session.", again)
        return None

    async def _forgery(self, request: Request) -> str | None:
        """Why a change does not come from our own page, or None; then reads the form."""
        site = request.headers.get("sec-fetch-site", "same-origin")
        if request.headers.getlist("origin") != [self.address.origin] or site != "same-origin":
            return "This change was requested by another site."
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != FORM:
            return "This form is not from this page."
        body = b""
        async for block in request.stream():
            body += block
            if len(body) > MAX_BODY:
                return "The form is too large."
        try:
            fields = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=MAX_FIELDS)
        except ValueError:
            return "The form cannot be read."
        request.scope["pluton.form"] = dict(fields)
        return None

    async def _find_session(self, request: Request) -> Session | None:
        # A session is valid only for its person; without `identify` there are no persons.
        person = None if self.identify is None else await identified(self.identify, request)
        held = filter(None, map(self.sessions.find, _held(self.address, request.scope)))
        session = next((one for one in held if one.person == person), None)
        if session is None and person is not None:
            cookie = self.sessions.create(person)
            request.scope["pluton.new_cookie"] = cookie
            session = self.sessions.find(cookie)
        request.scope["pluton.session"] = session
        return session

    def _no_session(self, request: Request) -> Response:
        what = "This browser has not been let in."
        advice = "Open the one-time address that pluton-rclone web printed in its terminal."
        if "admin_consent" in request.query_params:
            return self.refuse(request, 200, *AGREED)
        if self.identify is not None:
            what, advice = "You are not signed in to Pluton.", "Sign in there first."
        elif request.cookies.get(self.address.cookie):
            what = "Your session here has ended."
            advice = (
                "The page was restarted, or was not used for twelve hours. What you had not saved "
                "is lost; saved storages are not affected. Open the address that pluton-rclone web "
                "prints now."
            )
        return self.refuse(request, 403, what, advice)


def session_of(request: Request) -> Session | None:
    """The session of a request that passed the guard; None only if none is required."""
    session = request.scope.get("pluton.session")
    return session if isinstance(session, Session) else None


def form_of(request: Request) -> dict[str, str]:
    """The posted fields; of a repeated field, the last."""
    form = request.scope.get("pluton.form")
    return form if isinstance(form, dict) else {}


def _held(address: Address, scope: Scope) -> list[str]:
    """The secrets in the session cookie, of which one may be ours: pages at other paths of this
    host store theirs there, too, because `__Host-` cookies have no path."""
    secrets = Request(scope).cookies.get(address.cookie, "").split(".")
    return [*filter(None, secrets)][-PAGES:]


def session_cookie(address: Address, sessions: Sessions, secret: str, scope: Scope) -> str:
    """The header's value, with a new secret. Lax, not Strict, because Microsoft's answer is a GET
    from another site."""
    others = [one for one in _held(address, scope) if sessions.find(one) is None]
    value = ".".join([*others, secret])
    path = "/" if address.secure else scope.get("root_path") or "/"  # __Host- requires "/"
    secure = "; Secure" if address.secure else ""
    return f"{address.cookie}={value}; Path={path}; HttpOnly; SameSite=Lax{secure}"


def _path(request: Request) -> str:
    path, root = request.scope["path"], request.scope.get("root_path") or ""
    return str(path.removeprefix(root))


async def _empty() -> Message:
    return {"type": "http.request", "body": b"", "more_body": False}


async def identified(identify: Identify, request: Request) -> str | None:
    """The person; None if `identify` fails or returns anything but a non-empty string."""
    try:
        answer = await _settled(identify(request))
    except Exception:
        log.exception("identify failed: the request is refused")
        return None
    if isinstance(answer, str) and answer.strip():
        return answer
    level, kind = logging.INFO if answer is None else logging.WARNING, type(answer).__name__
    log.log(level, "identify gave %s, not a person's name: the request is refused", kind)
    return None


def permits(
    authorize: Authorize,
    person: str,
    action: Action,
    storage: Storage | None,
    loop: EventLoopToken,
) -> bool:
    """Whether `authorize`, called in a handler's or a job's thread, returned True; an awaitable is
    awaited in `loop`, the requests' loop. A failure forbids."""
    try:
        answer: Any = authorize(person, action, storage)
        if inspect.isawaitable(answer):
            answer = from_thread.run(_settled, answer, token=loop)
    except (Exception, CancelledError):  # a loop that ends cancels what it still awaits
        log.exception("authorize failed: %s is refused", action)
        return False
    if not isinstance(answer, bool):
        log.warning("authorize gave %s, not a bool: %s is refused", type(answer).__name__, action)
    return answer is True


async def _settled(answer: Any) -> Any:
    return await answer if inspect.isawaitable(answer) else answer


def owner(storage: Storage) -> str | None:
    """The person who added it; None if it was added otherwise, such as by the command line."""
    return storage.storages.conf.whole_section(storage.remote_name).get(OWNER)
