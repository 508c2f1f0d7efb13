"""Step 5: the drives, the SharePoint sites and their libraries, or an address that was pasted."""

from __future__ import annotations

from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from pluton_rclone.errors import OptionInvalid, PlutonRcloneError
from pluton_rclone.microsoft.graph.drives import Site

from ..plumbing.context import page_of, see_other, session
from ..plumbing.guard import form_of
from ..plumbing.view import Caught, draw
from .draft import Draft, draft_of, draw_step

SHOWN_SITES = 50


def location(request: Request) -> Response:
    """GET: the drives, or the sites and one site's libraries. POST: one that was listed."""
    draft, page, mine = draft_of(request), page_of(request), session(request)
    if not draft.may_see("location"):
        return see_other(request, "setups", draft.id, draft.next_step())
    if request.method == "POST":
        chosen = draft.drives.get(form_of(request).get("drive", ""))
        if chosen is None:
            raise HTTPException(400, "Choose one of the drives that are listed.")
        with page.sessions.changing(mine, draft):
            draft.setup.choose_drive(chosen)
            draft.job = None
        return see_other(request, "setups", draft.id, draft.next_step())
    site: Site | None = None
    found: list[Site] = []
    notes: tuple[str, ...] = ()
    with page.sessions.changing(mine, draft), Caught() as caught:
        draft.drives = {}
        if draft.setup.drive_type != "sharepoint":
            drives = draft.setup.drives_of(draft.setup.drive_type or "business")
            draft.drives = {drive.id: drive for drive in drives}
        elif request.query_params.get("site"):
            site = _listed_site(draft, request.query_params["site"])
            libraries = draft.setup.libraries(site)
            draft.drives, notes = {drive.id: drive for drive in libraries}, libraries.notes
            draft.site_name = site.name
        else:
            found = _search(draft, request.query_params.get("term", ""))
    return _locations(request, draft, site=site, found=found, notes=notes, error=caught.error)


def _locations(
    request: Request,
    draft: Draft,
    *,
    site: Site | None = None,
    found: list[Site],
    notes: tuple[str, ...] = (),
    error: PlutonRcloneError | None = None,
    address: str = "",
    address_error: PlutonRcloneError | None = None,
) -> Response:
    drive = draft.setup.chosen_drive
    shown: dict[str, Any] = {
        "drives": list(draft.drives.values()),
        "chosen": drive.id if drive else "",
        "site": site,
    }
    shown |= {"term": request.query_params.get("term", ""), "notes": notes, "error": error}
    shown |= {"address": address, "address_error": address_error, **_shown(found)}
    return draw_step(request, draft, "location", status=422 if address_error else 200, **shown)


def sites(request: Request) -> HTMLResponse:
    """GET: the sites that match, as the person types."""
    draft, page = draft_of(request), page_of(request)
    found: list[Site] = []
    with page.sessions.changing(session(request), draft), Caught() as caught:
        found = _search(draft, request.query_params.get("term", ""))
    return draw(request, "part_sites.html", draft=draft, error=caught.error, **_shown(found))


def _shown(found: list[Site]) -> dict[str, Any]:
    return {"sites": found[:SHOWN_SITES], "more": max(0, len(found) - SHOWN_SITES)}


def _search(draft: Draft, term: str) -> list[Site]:
    found = draft.setup.sites(term.strip() or "*")
    draft.sites.update((site.id, site) for site in found[:SHOWN_SITES])
    return found


def _listed_site(draft: Draft, id: str) -> Site:
    if id not in draft.sites:
        raise HTTPException(400, "Choose one of the sites that are listed.")
    return draft.sites[id]


def address(request: Request) -> Response:
    """POST: a pasted address of a site, a library, a folder or a sharing link."""
    draft, page = draft_of(request), page_of(request)
    if not draft.may_see("location"):
        return see_other(request, "setups", draft.id, draft.next_step())
    typed = form_of(request).get("address", "").strip()
    try:
        if not typed:
            raise OptionInvalid(
                "No address was pasted.", advice="Copy it from the browser's address bar."
            )
        with page.sessions.changing(session(request), draft):
            found = draft.setup.choose_address(typed)
            draft.site_name, draft.job = found.site.name if found.site else "", None
        return see_other(request, "setups", draft.id, draft.next_step())
    except PlutonRcloneError as error:
        return _locations(
            request, draft, found=list(draft.sites.values()), address=typed, address_error=error
        )
