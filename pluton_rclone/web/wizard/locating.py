"""Step 5: the drives, the SharePoint sites and their libraries, or an address that was pasted."""

from __future__ import annotations

from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from pluton_rclone.errors import OptionInvalid, PlutonRcloneError
from pluton_rclone.microsoft.graph.drives import Site

from ..plumbing.guard import form_of
from ..plumbing.view import Caught, draw
from .draft import Draft, changing, draft_of, draw_step, onward

SHOWN_SITES = 50


def location(request: Request) -> Response:
    """GET: the drives, or the sites and one site's libraries. POST: one that was listed."""
    draft, query = draft_of(request, "location"), request.query_params
    if request.method == "POST":
        chosen = draft.drives.get(form_of(request).get("drive", ""))
        if chosen is None:
            raise HTTPException(400, "Choose one of the drives that are listed.")
        with changing(request, draft):
            draft.setup.choose_drive(chosen)
            draft.job = None
        return onward(request, draft)
    shown: dict[str, Any] = {}
    found: list[Site] = []
    with changing(request, draft), Caught() as caught:
        draft.drives = {}
        if draft.setup.drive_type != "sharepoint":
            drives = draft.setup.drives_of(draft.setup.drive_type or "business")
            draft.drives = {drive.id: drive for drive in drives}
        elif query.get("site"):
            site = draft.sites.get(query["site"])
            if site is None:
                raise HTTPException(400, "Choose one of the sites that are listed.")
            shown["site"] = site
            libraries = draft.setup.libraries(site)
            draft.drives, shown["notes"] = {one.id: one for one in libraries}, libraries.notes
            draft.site_name = site.name
        else:
            found = _search(request, draft)
    return _locations(request, draft, found, error=caught.error, **shown)


def _locations(request: Request, draft: Draft, found: list[Site], **shown: Any) -> Response:
    none = {"site": None, "notes": (), "address": "", "address_error": None}
    shown = {**none, **_listed(found), "term": request.query_params.get("term", ""), **shown}
    status = 422 if shown["address_error"] else 200
    return draw_step(request, draft, "location", status=status, **shown)


def sites(request: Request) -> HTMLResponse:
    """GET: the sites that match, as the person types."""
    draft = draft_of(request)
    found: list[Site] = []
    with changing(request, draft), Caught() as caught:
        found = _search(request, draft)
    return draw(request, "part_sites.html", draft=draft, error=caught.error, **_listed(found))


def _listed(found: list[Site]) -> dict[str, Any]:
    return {"sites": found[:SHOWN_SITES], "more": max(0, len(found) - SHOWN_SITES)}


def _search(request: Request, draft: Draft) -> list[Site]:
    found = draft.setup.sites(request.query_params.get("term", "").strip() or "*")
    draft.sites.update((site.id, site) for site in found[:SHOWN_SITES])
    return found


def address(request: Request) -> Response:
    """POST: a pasted address of a site, a library, a folder or a sharing link."""
    draft, typed = draft_of(request, "location"), form_of(request).get("address", "").strip()
    try:
        if not typed:
            advice = "Copy it from the browser's address bar."
            raise OptionInvalid("No address was pasted.", advice=advice)
        with changing(request, draft):
            found = draft.setup.choose_address(typed)
            draft.site_name, draft.job = found.site.name if found.site else "", None
        return onward(request, draft)
    except PlutonRcloneError as error:
        sites = list(draft.sites.values())
        return _locations(request, draft, sites, address=typed, address_error=error)
