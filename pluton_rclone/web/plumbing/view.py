"""Draws pages: Jinja with escaping always on, and the words that templates need."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from pluton_rclone.errors import ConnectionTestFailed, PlutonRcloneError

from . import wording
from .guard import TOKEN_FIELD, session_of
from .jobs import Steps

KIND_WORDS = {
    "personal": "OneDrive Personal",
    "business": "OneDrive for Business",
    **dict.fromkeys(("sharepoint", "documentLibrary"), "SharePoint document library"),
}

_how: dict[str, Any] = {"undefined": StrictUndefined, "trim_blocks": True, "lstrip_blocks": True}
_environment = Environment(loader=PackageLoader("pluton_rclone.web"), autoescape=True, **_how)
for _filter in (wording.size, wording.words, wording.place, wording.moment, wording.duration):
    _environment.filters[_filter.__name__] = _filter


def link(request: Request, *parts: str) -> str:
    """An address in this application, wherever it is mounted: link(request, "storages", name)."""
    root = request.scope.get("root_path") or ""
    return root + "/" + "/".join(quote(part, safe="") for part in parts)


def draw(request: Request, template: str, *, status: int = 200, **values: Any) -> HTMLResponse:
    """A page, or a part of one if the template's name starts with "part_". Errors of ours become
    what `error_view` makes of them."""
    session = session_of(request)
    token = session.token if session else ""
    of_all = {"to": partial(link, request), "token_field": TOKEN_FIELD, "token": token}
    given: dict[str, Any] = {"error": None, "here": "storages", "kinds": KIND_WORDS, **values}
    for name, value in given.items():
        given[name] = error_view(value) if isinstance(value, PlutonRcloneError) else value
    return HTMLResponse(_environment.get_template(template).render(**of_all, **given), status)


def refusal(request: Request, status: int, what: str, advice: str) -> Response:
    """A page that says no, in one sentence and with the way out."""
    return draw(request, "refused.html", status=status, what=what, advice=advice)


class Caught:
    """`with Caught() as caught:` keeps an error of ours that goes up, for the page to show."""

    error: PlutonRcloneError | None = None

    def __enter__(self) -> Caught:
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        self.error = error if isinstance(error, PlutonRcloneError) else None
        return self.error is not None


def steps_view(work: Steps | None) -> dict[str, Any]:
    """A connection test as its part of a page shows it."""
    over = work is not None and work.over  # asked once, before everything that it decides
    steps, error = (work.steps, work.error) if work else ([], None)
    return {
        "work": work,
        "over": over,
        "running": work is not None and not over,
        "step_errors": {step.name: error_view(step.error) for step in steps if step.error},
        "error": error if error and error.code != ConnectionTestFailed.code else None,
    }


def error_view(error: PlutonRcloneError | Mapping[str, Any]) -> dict[str, Any]:
    """An error for the templates: what, why, who, the next step, details for an administrator."""
    record = error.record() if isinstance(error, PlutonRcloneError) else dict(error)
    details = record.get("details") or {}
    consent, code = details.get("admin_consent_url"), details.get("aadsts")
    code = code or details.get("graph_code")
    about = {"Correlation id": details.get("correlation_id"), "Microsoft’s code": code}
    about |= {"Request id": details.get("request_id")}
    return {
        **{name: record[name] for name in ("what", "who", "advice")},
        "code": record["error"],
        "why": (record.get("why") or "").removeprefix(f"{code}: "),  # it stands with the details
        "consent": consent,
        "link": record["link"] if record.get("link") != consent else None,
        "about": {name: value for name, value in about.items() if value},
    }
