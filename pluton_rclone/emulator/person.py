"""A simulated person at a browser: follows redirects, fills in the sign-in forms, presses buttons.

    python -m pluton_rclone.emulator.person ADDRESS     # as $BROWSER: "python -m … %s &"

The command finds the emulator through the environment (HTTPS_PROXY, SSL_CERT_FILE).
PLUTON_EMULATOR_PERSON names the person (default: anna@outlook.com), PLUTON_EMULATOR_ANSWER the
answer (accept or cancel; own: no simulation). Only sign-ins are answered; any other address, such
as a page of ours, opens in the user's own browser, with the variables that were set outside.
"""

from __future__ import annotations

import html
import json
import os
import re
import ssl
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from http.client import HTTPResponse
from http.cookiejar import CookieJar
from pathlib import Path
from typing import IO
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit

PERSON_VARIABLE = "PLUTON_EMULATOR_PERSON"
ANSWER_VARIABLE = "PLUTON_EMULATOR_ANSWER"
OUTSIDE_VARIABLE = "PLUTON_EMULATOR_OUTSIDE"  # JSON: values before the emulator; null: not set
DEFAULT_PERSON = "anna@outlook.com"

MAX_STEPS = 30  # pages and redirects of one visit
TIMEOUT = 60  # seconds for one answer
DEVICE_PAGE = "https://microsoft.com/devicelogin"


@dataclass
class Form:
    """One form of a page: its action, its fields, its buttons as (id, name, value)."""

    id: str
    action: str
    fields: dict[str, str] = field(default_factory=dict)
    buttons: list[tuple[str, str, str]] = field(default_factory=list)


class _Forms(HTMLParser):
    """Finds the forms, the title and the texts with an id."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self.title = ""
        self.texts: dict[str, str] = {}
        self.permissions: list[str] = []
        self._open: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        known = {key: value or "" for key, value in attributes}
        self._open.append(known.get("id", "") if tag != "title" else "title")
        if tag == "form":
            self.forms.append(Form(known.get("id", ""), known.get("action", "")))
        elif self.forms and tag == "input" and known.get("type") != "checkbox":
            self.forms[-1].fields[known.get("name", "")] = known.get("value", "")
        elif self.forms and tag == "button":
            self.forms[-1].buttons.append(
                (known.get("id", ""), known.get("name", ""), known.get("value", ""))
            )
        elif tag == "li" and "data-permission" in known:
            self.permissions.append(known["data-permission"])
        if tag in ("input", "meta", "br", "link"):
            self._open.pop()

    def handle_endtag(self, tag: str) -> None:
        if self._open:
            self._open.pop()

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1]:
            name = self._open[-1]
            self.texts[name] = self.texts.get(name, "") + data
            if name == "title":
                self.title += data


@dataclass(frozen=True)
class Visit:
    """How a visit ended.

    `address` is the last address: the app's redirect address, if the visit got there. `answer` has
    the parameters of the call to it (code, state, error, …), from the query, the fragment or the
    posted form. `error` is the text of Microsoft's error page, if the visit ended there.
    `permissions` are those that a consent page showed.
    """

    address: str
    status: int
    text: str
    answer: Mapping[str, str]
    error: str | None
    permissions: tuple[str, ...]


@dataclass(frozen=True)
class _Page:
    address: str
    status: int
    text: str
    location: str | None


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: object,
        newurl: str,
    ) -> None:
        return None


class Browser:
    """A browser with cookies, TLS and a proxy, but without scripts.

    Without arguments it follows the environment, as any other client of the emulator does.
    """

    def __init__(self, *, proxy_url: str | None = None, ca_file: str | None = None) -> None:
        proxies = {"https": proxy_url} if proxy_url else None
        self._opener = urllib.request.build_opener(
            urllib.request.ProxyHandler(proxies),
            urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=ca_file)),
            urllib.request.HTTPCookieProcessor(CookieJar()),
            _NoRedirects(),
        )
        self._opener.addheaders = [("User-Agent", "pluton-rclone-person/1 (a person, played)")]

    def open(self, address: str, form: Mapping[str, str] | None = None) -> _Page:
        """GET, or POST if a form is given. Refusals (4xx) are pages as well."""
        data = None if form is None else urlencode(form).encode()
        response: HTTPResponse | urllib.error.HTTPError
        try:
            response = self._opener.open(
                urllib.request.Request(address, data=data), timeout=TIMEOUT
            )
        except urllib.error.HTTPError as error:
            response = error
        with response:
            text = response.read().decode("utf-8", "replace")
            return _Page(address, response.status or 0, text, response.headers.get("Location"))


class PersonAtBrowser:
    """One person with one browser; it keeps its cookies, so a second sign-in may ask for less."""

    def __init__(self, username: str, browser: Browser) -> None:
        self.username = username
        self.browser = browser

    def visit(self, address: str, *, accept: bool = True, for_organisation: bool = False) -> Visit:
        """Open an address and answer the pages until there is nothing left to press.

        `accept=False` presses Cancel on the consent page. An app's redirect address is called only
        if it is on this machine; otherwise the visit ends with the parameters of that call.
        """
        return self._walk(self.browser.open(_led_to(address)), accept, for_organisation, "")

    def enter_device_code(
        self, user_code: str, address: str = DEVICE_PAGE, *, accept: bool = True
    ) -> Visit:
        """Type a device code at `address` (the answer's verification_uri) and sign in there."""
        return self._walk(self.browser.open(address), accept, False, user_code)

    def _walk(self, page: _Page, accept: bool, for_organisation: bool, user_code: str) -> Visit:
        permissions: list[str] = []
        answer: dict[str, str] = {}
        typed_code = False
        for _ in range(MAX_STEPS):
            if page.location is not None:
                address = urljoin(page.address, page.location)
                answer = _parameters(address)
                if not reachable(address):
                    return Visit(address, page.status, "", answer, None, tuple(permissions))
                page = self.browser.open(address)
                continue
            seen = _Forms()
            seen.feed(page.text)
            permissions += seen.permissions
            form = next((form for form in seen.forms if form.id != "accounts"), None)
            if form is None or (form.id == "devicecode" and typed_code):
                error = seen.texts.get("error") or seen.texts.get("wrong")
                return Visit(
                    page.address, page.status, page.text, answer, error, tuple(permissions)
                )
            typed_code = typed_code or form.id == "devicecode"
            fields = self._fill(form, accept, for_organisation, user_code)
            if form.id == "hiddenform":
                answer = dict(fields)
                if not reachable(form.action):
                    return Visit(form.action, page.status, "", answer, None, tuple(permissions))
            page = self.browser.open(urljoin(page.address, form.action), fields)
        raise RuntimeError(
            f"{self.username} gave up after {MAX_STEPS} pages, at {page.address.split('?')[0]}"
        )

    def _fill(
        self, form: Form, accept: bool, for_organisation: bool, user_code: str
    ) -> dict[str, str]:
        fields = dict(form.fields)
        press = {
            "signin": "next",
            "multifactor": "approve",
            "consent": "accept" if accept else "cancel",
            "confirm": "continue" if accept else "cancel",
            "devicecode": "next",
            "refused": "return",
        }.get(form.id)
        if "username" in fields:
            fields["username"] = self.username
        if "otc" in fields:
            fields["otc"] = user_code
        if form.id == "consent" and accept and for_organisation:
            fields["organisation"] = "yes"
        for identifier, name, value in form.buttons:
            if identifier == press and name:
                fields[name] = value
        return fields


def _parameters(address: str) -> dict[str, str]:
    parts = urlsplit(address)
    return dict(parse_qsl(parts.query)) | dict(parse_qsl(parts.fragment))


def _led_to(address: str) -> str:
    """The address that a page on disk redirects to; programs open such a page to keep the address
    out of the browser's arguments."""
    if not address.startswith("file:"):
        return address
    text = Path(urllib.request.url2pathname(urlsplit(address).path)).read_text(encoding="utf-8")
    found = re.search(r'http-equiv="refresh" content="0; url=([^"]+)"', text)
    return html.unescape(found[1]) if found else address


def reachable(address: str) -> bool:
    """Whether an address is on an emulated host or on this machine; no other is ever called."""
    from .hosts import place

    host = urlsplit(address).hostname or ""
    return host in ("localhost", "127.0.0.1", "::1") or place(host) is not None


def _is_sign_in(address: str) -> bool:
    """Whether it is Microsoft's, directly or through the door, or rclone's, which leads there."""
    from .hosts import place

    parts = urlsplit(address)
    names = (parts.hostname or "", parts.path.split("/")[1] if "/" in parts.path else "")
    return any(map(place, names)) or (parts.path == "/auth" and "state=" in parts.query)


def _hand_over(address: str) -> None:
    """Open the address in the user's own browser, if there is a display or they set $BROWSER: a
    browser that Python finds by itself could take over the terminal."""
    import webbrowser

    outside: dict[str, str | None] = json.loads(os.environ.get(OUTSIDE_VARIABLE) or "{}")
    for name, value in outside.items():
        os.environ.pop(name, None)
        if value is not None:
            os.environ[name] = value
    seen = sys.platform in ("darwin", "win32") or any(
        map(os.environ.get, ("DISPLAY", "WAYLAND_DISPLAY"))
    )
    if outside and (seen or outside.get("BROWSER")):
        webbrowser.open(address)


def main(arguments: list[str]) -> int:
    """The exit code: 0 after the last page, 1 after an error page, 2 for wrong arguments."""
    answer = os.environ.get(ANSWER_VARIABLE, "accept")
    try:
        found = [_led_to(argument) for argument in arguments]
    except FileNotFoundError:  # the program that opened us has ended and removed it
        return 1
    addresses = [each for each in found if each.startswith(("https://", "http://"))]
    if len(addresses) == len(arguments) == 1 and (answer == "own" or not _is_sign_in(addresses[0])):
        _hand_over(arguments[0])
        return 0
    typed = [each for each in arguments if re.fullmatch(r"[A-Za-z0-9-]{6,16}", each)]
    code = typed[0] if len(arguments) == len(typed) == 1 else ""
    if len(addresses) != 1 and not code:
        print("usage: python -m pluton_rclone.emulator.person ADDRESS|CODE", file=sys.stderr)
        return 2
    username = os.environ.get(PERSON_VARIABLE) or DEFAULT_PERSON
    accept = answer != "cancel"
    person = PersonAtBrowser(username, Browser())
    visit = (
        person.enter_device_code(code, accept=accept)
        if code
        else person.visit(addresses[0], accept=accept)
    )
    if visit.error:
        print(f"{username} was refused: {visit.error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
