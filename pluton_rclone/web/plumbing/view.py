"""Renders pages: Jinja, always with escaping; formats sizes, times, addresses and errors."""

from __future__ import annotations

import re
from datetime import datetime, timezone
from functools import partial
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from pluton_rclone.errors import ConnectionTestFailed, PlutonRcloneError
from pluton_rclone.values.units import human_bytes, human_seconds

from .guard import TOKEN_FIELD, session_of
from .jobs import Steps

_how: dict[str, Any] = {"undefined": StrictUndefined, "trim_blocks": True, "lstrip_blocks": True}
_how["auto_reload"] = False  # otherwise each page would check its templates for changes
_environment = Environment(loader=PackageLoader("pluton_rclone.web"), autoescape=True, **_how)


def link(request: Request, *parts: str) -> str:
    """An address in this application, wherever it is mounted: link(request, "storages", name)."""
    root = request.scope.get("root_path") or ""
    return root + "/" + "/".join(quote(part, safe="") for part in parts)


def draw(request: Request, template: str, *, status: int = 200, **values: Any) -> HTMLResponse:
    """A page. Templates get our errors as their records; `alone` is true if the browser got access
    by a one-time address, not by a surrounding application."""
    session = session_of(request)
    given: dict[str, Any] = {"error": None, "here": "storages", **values}
    for name, value in given.items():
        given[name] = value.record() if isinstance(value, PlutonRcloneError) else value
    given |= {"to": partial(link, request), "token_field": TOKEN_FIELD}
    given["token"] = session.token if session else ""
    given["alone"] = session is not None and session.person is None
    return HTMLResponse(_environment.get_template(template).render(given), status)


def refusal(request: Request, status: int, what: str, advice: str) -> Response:
    """A page with a refusal, in one sentence, and advice."""
    return draw(request, "refused.html", status=status, what=what, advice=advice)


class Caught:
    """`with Caught() as caught:` keeps an error of ours, for the page to show."""

    error: PlutonRcloneError | None = None

    def __enter__(self) -> Caught:
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        self.error = error if isinstance(error, PlutonRcloneError) else None
        return self.error is not None


def steps_view(work: Steps | None) -> dict[str, Any]:
    """The values for a connection test's part of a page."""
    over = work is not None and work.over  # read once, before everything that depends on it
    steps, error = (work.steps, work.error) if work else ([], None)
    return {
        "work": work,
        "over": over,
        "running": work is not None and not over,
        "step_errors": {step.name: step.error.record() for step in steps if step.error},
        "error": error if error and error.code != ConnectionTestFailed.code else None,
    }


_RCLONE_SIZE = re.compile(r"(?<![\w.])(\d+(?:\.\d+)?)([KMGTPE]i)(?!\w)")
_BYTES = re.compile(r"(?<![\w.])(\d{4,}) bytes\b")
_UNIT = re.compile(r"(?<=\d) (?=(?:B|[KMGTPE]iB|[KMGTPE]B|bytes|s|min|h|%)(?!\w))")


def size(count: float | None) -> str:
    """1536 -> "1.5 KiB", 5 * 2**30 -> "5 GiB", None -> "unknown"; on one line."""
    return together(human_bytes(count).replace(".0 ", " "))


def sizes(text: str) -> str:
    """Text with rclone's sizes written out: "at most 7.500Mi" -> "at most 7.5 MiB"."""

    def written(match: re.Match[str]) -> str:
        number, unit = match.groups()
        return f"{number.rstrip('0').rstrip('.') if '.' in number else number} {unit}B"

    text = _RCLONE_SIZE.sub(written, text)
    return _BYTES.sub(lambda match: human_bytes(int(match[1])).replace(".0 ", " "), text)


def rclone_size(typed: str) -> str:
    """A size as rclone writes it: "10 MiB" -> "10Mi"."""
    return re.sub(r"(?<=[KMGTPE]i)B$", "", "".join(typed.split()))


def together(text: str) -> str:
    """The text without line breaks between a number and its unit."""
    return _UNIT.sub("\u00a0", text)


def words(value: str) -> Markup:
    """Text in which `backticks` mark input to type; everything else is escaped."""
    return Markup(re.sub("`([^`]+)`", r"<code>\1</code>", str(escape(value))))


def place(address: str) -> Markup:
    """An address for display, breakable after each part: contoso.sharepoint.com/sites/Team A."""
    parts = urlsplit(address)
    shown = unquote(parts.netloc + parts.path.rstrip("/"))
    readable = shown if parts.netloc and shown.isprintable() else address
    return Markup("/<wbr>").join(readable.split("/"))


def moment(when: datetime | None) -> Markup:
    """2026-10-01 14:03 UTC; the page's script converts it to the browser's time zone."""
    if when is None:
        return Markup("")
    there = when.astimezone(timezone.utc)
    return Markup('<time datetime="{}">{}</time>').format(
        there.isoformat(timespec="seconds"), f"{there:%Y-%m-%d %H:%M} UTC"
    )


for _filter in (size, sizes, together, words, place, moment, human_seconds):
    _environment.filters[_filter.__name__] = _filter
