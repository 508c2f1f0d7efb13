"""The walk's forms for a saved storage: another name, other options, another sign-in."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from pluton_rclone.errors import PlutonRcloneError
from pluton_rclone.setup.connect import StorageSetup
from pluton_rclone.storages.storage import Storage

from ..plumbing.context import page_of, see_other, session, storage_of
from ..plumbing.guard import form_of
from ..plumbing.view import draw, link
from . import fields
from .draft import Draft
from .walk import name_fault


def edit(request: Request) -> Response:
    """GET: name and options. POST: change them; a failed test changes nothing."""
    found, page = storage_of(request, "change"), page_of(request)
    before = _given(found.remote.to_section())
    given, name, faults = before, found.name, dict[str, str]()
    error: PlutonRcloneError | None = None
    if request.method == "POST":
        form = form_of(request)
        given, name = fields.read(form, before), " ".join(form.get("name", "").split())
        fault = name_fault(request, name) if name != found.name else ""
        if fault:
            faults["name"] = fault
        else:
            try:
                _change(found, name, given)
                page.healths.forget(found.remote_name)
                return see_other(request, "storages", found.remote_name)
            except PlutonRcloneError as refusal:
                found_out = fields.faults_of(refusal).items()
                faults = {option: text for option, text in found_out if option in fields.names()}
                error = None if faults else refusal
    first, rest = fields.fields(given, faults)
    shown: dict[str, Any] = {
        "name": name,
        "first": first,
        "rest": rest,
        "faults": faults,
        "error": error,
    }
    shown |= {"storage": found, "check": link(request, "storages", found.remote_name, "check")}
    return draw(request, "edit.html", status=422 if faults or error else 200, **shown)


def _given(section: dict[str, str]) -> dict[str, Any]:
    """The options of a saved remote as the form has them."""
    own = {key.removeprefix("pluton_"): value for key, value in section.items()}
    return {
        option: value == "true" if value in ("true", "false") else value
        for option, value in own.items()
        if option in fields.names()
    }


def _change(found: Storage, name: str, given: dict[str, Any]) -> None:
    found.update(**{**dict.fromkeys(fields.names()), **fields.as_options(given)})
    if name != found.name:
        found.rename(name)


def check(request: Request) -> Response:
    """POST: one field of the form, as the person leaves it."""
    found, form = storage_of(request, "change"), form_of(request)
    fault = fields.fault_of(form.get("field", ""), form, found.remote.replace)
    return JSONResponse({"fault": fault})


def reauthorize(request: Request) -> Response:
    """POST: sign in again for the same drive and options."""
    found, page, mine = storage_of(request, "change"), page_of(request), session(request)
    draft = Draft(StorageSetup.for_storage(found), storage=found.remote_name)
    with page.sessions.changing(mine):
        mine.add(draft)
    return see_other(request, "setups", draft.id, "authorize")
