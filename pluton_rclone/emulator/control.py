"""The control page of the emulated Microsoft: accounts, failures to switch on, device codes.

The door serves it at `http://127.0.0.1:PORT/`. Its plain forms work without scripts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from urllib.parse import parse_qsl, urlsplit

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from .directory import Consent
from .dispatch import App
from .drives.drive import Drive
from .drives.files import Files
from .entra.pages import page
from .graph import Faults
from .hosts import CLOUDS, place
from .quirks import Quirks
from .routes import routed
from .world import World

LOGIN = CLOUDS["global"].login
WORK = "bert@contoso.onmicrosoft.com"
SHOWN = 15  # the most recent requests
MAX_FORM = 4096

_STYLE = """
main{max-width:48rem}h2{font-size:1.1rem;margin:1.6rem 0 .4rem}
table{border-collapse:collapse;width:100%}td{padding:.35rem .5rem .35rem 0;vertical-align:top}
tr+tr td{border-top:1px solid #ddd}td:last-child{text-align:right;white-space:nowrap}
td small{display:block}td form{margin:0}button[aria-pressed=true]{background:#a80000;color:#fff}
ol{font:.8rem/1.5 monospace;padding-left:2.5rem;overflow-wrap:anywhere}
"""

Undo = Callable[[], object]


@dataclass(frozen=True)
class Failure:
    """A switch on the page: `on` makes Microsoft fail this way and returns how to undo it."""

    label: str
    meaning: str
    on: Callable[[World], Undo]


def _consent_refused(world: World) -> Undo:
    fault = world.refuse_sign_in("AADSTS65004", at="authorize", times=-1)
    return lambda: world.sign_in_faults.remove(fault)


def _consent_of(rule: Consent) -> Callable[[World], Undo]:
    def on(world: World) -> Undo:
        policies = world.person(WORK).tenant.policies
        policies.user_consent = rule

        def allow() -> None:
            policies.user_consent = Consent.ALLOWED

        return allow

    return on


def _withheld(world: World) -> Undo:
    def withhold(names: frozenset[str]) -> None:
        for tenant in world.tenants.values():
            tenant.policies.withheld = names

    withhold(frozenset({"Sites.Read.All"}))
    return lambda: withhold(frozenset())


def _full(world: World) -> Undo:
    before: list[tuple[Drive, int]] = []
    files = world.part(Files)
    for person in list(world.people.values()):
        files.drive_of(person)
    for drive in files:
        before.append((drive, drive.quota.total))
        drive.quota.total = drive.used

    def empty() -> None:
        for drive, total in before:
            drive.quota.total = total

    return empty


def _no_licence(world: World) -> Undo:
    person = world.person(WORK)
    person.licensed = False

    def licensed() -> None:
        person.licensed = True

    return licensed


def _throttled(world: World) -> Undo:
    faults = world.part(Faults)
    rule = faults.throttle("1", times=20, where=r"^graph\.")
    return lambda: faults.disarm(rule)


FAILURES = {
    "consent": Failure(
        "Consent is refused", "Every sign-in ends with AADSTS65004.", _consent_refused
    ),
    "administrator": Failure(
        "Only the administrator agrees",
        "Contoso lets nobody else consent to an app: AADSTS90094.",
        _consent_of(Consent.FORBIDDEN),
    ),
    "sites-administrator": Failure(
        "Sites.Read.All needs the administrator",
        "Contoso's people consent to the rest themselves; choosing a SharePoint library ends "
        "with AADSTS90094.",
        _consent_of(Consent.MANAGED),
    ),
    "sites": Failure(
        "Sites.Read.All is missing",
        "Tokens lack this permission, even after consent.",
        _withheld,
    ),
    "full": Failure("The drives are full", "Every upload is answered with 507.", _full),
    "licence": Failure(
        "Bert has no OneDrive licence", "His account exists, but has no drive.", _no_licence
    ),
    "throttled": Failure(
        "Microsoft asks to wait", "The next 20 requests to Graph get 429 (wait 1 s).", _throttled
    ),
    "down": Failure(
        "Graph is down",
        "Graph answers every request with 503.",
        lambda world: world.part(Quirks).bare_answer(503, times=None).off,
    ),
}
"""The failures by the name that the page's form sends."""


class Control:
    """The page of one world, and the failures that are on."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._on: dict[str, Undo] = {}

    def routes(self) -> list[Route]:
        return [
            Route("/", self.show),
            Route("/switch", self.switch, methods=["POST"]),
            Route("/expire", self.expire, methods=["POST"]),
            Route("/address", self.address, methods=["POST"]),
        ]

    async def show(self, request: Request) -> Response:
        """GET: the page."""
        return HTMLResponse(page("Emulated Microsoft", self._content()))

    async def switch(self, request: Request) -> Response:
        """POST: switch a failure on or off."""
        name = (await self._form(request)).get("failure", "")
        undo = self._on.pop(name, None)
        if undo is not None:
            undo()
        elif name in FAILURES:
            self._on[name] = FAILURES[name].on(self.world)
        return _back()

    async def expire(self, request: Request) -> Response:
        """POST: revoke every token of an account."""
        person = self.world.people.get((await self._form(request)).get("account", ""))
        if person is not None:
            self.world.revoke_tokens(person)
        return _back()

    async def address(self, request: Request) -> Response:
        """POST: open an address of Microsoft's here, such as the one for an administrator."""
        parts = urlsplit((await self._form(request)).get("address", "").strip())
        if place(parts.hostname or "") is None:
            return _back()
        query = f"?{parts.query}" if parts.query else ""
        return RedirectResponse(f"/{parts.hostname}{parts.path}{query}", 303)

    async def _form(self, request: Request) -> dict[str, str]:
        """The form sent from this page; empty if another site sent it or it is too long."""
        if request.headers.get("origin", self.world.door) != self.world.door:
            return {}
        body = b""
        async for block in request.stream():
            body += block
            if len(body) > MAX_FORM:
                return {}
        return dict(parse_qsl(body.decode("utf-8", "replace")))

    def _content(self) -> str:
        failures = people = ""
        for name, failure in FAILURES.items():
            on = name in self._on
            button = _button("switch", "failure", name, "On" if on else "Off", pressed=on)
            failures += _row(failure.label, failure.meaning, button)
        for one in self.world.people.values():
            if one.tenant.cloud == "global":
                button = _button("expire", "account", one.username, "Let the sign-in expire")
                people += _row(one.name, one.username, button)
        requests = "".join(
            f"<li>{escape(f'{one.status} {one.method} {one.host}{one.path}')}</li>"
            for one in reversed(self.world.requests[-SHOWN:])
        )
        return (
            f"<style>{_STYLE}</style>"
            "<p>Nothing leaves this machine, and no password is asked for. A failure "
            "takes effect as soon as it is switched on here.</p>"
            f"<h2>Failures</h2><table>{failures}</table>"
            f"<h2>People</h2><table>{people}</table>"
            "<h2>A device code</h2>"
            f'<form id="code" action="/{LOGIN}/common/oauth2/deviceauth"><label for="otc">Code '
            '</label><input type="text" id="otc" name="otc" autocomplete="off"> '
            '<button class="main">Type it</button></form>'
            "<h2>An address of Microsoft</h2><p>For example, the one for an administrator: in "
            "your browser it leads to the real Microsoft, here to the emulated one.</p>"
            '<form id="elsewhere" method="post" action="/address"><label for="address">Address '
            '</label><input type="text" id="address" name="address" autocomplete="off"> '
            "<button>Open it here</button></form>"
            f'<h2>Latest requests</h2><ol id="asked" reversed>{requests}</ol>'
        )


def _row(title: str, note: str, button: str) -> str:
    words = f"<b>{escape(title)}</b><small>{escape(note)}</small>"
    return f"<tr><td>{words}</td><td>{button}</td></tr>"


def _button(action: str, name: str, value: str, label: str, *, pressed: bool | None = None) -> str:
    state = "" if pressed is None else f' aria-pressed="{str(pressed).lower()}"'
    return (
        f'<form method="post" action="/{action}"><button id="{action}-{escape(value)}"{state} '
        f'name="{name}" value="{escape(value)}">{label}</button></form>'
    )


def _back() -> Response:
    return RedirectResponse("/", 303)


def control_app(world: World) -> App:
    """The control page of this world."""
    return routed(Control(world).routes())
