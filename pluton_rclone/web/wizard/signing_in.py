"""Step 3: to Microsoft and back, in a window of its own or in this tab."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from pluton_rclone.errors import CodeUsedTwice, ForeignAnswer, PlutonRcloneError
from pluton_rclone.microsoft.clouds import CLOUDS, cloud, refuse_rclone_registration
from pluton_rclone.microsoft.entra.app import AppRegistration
from pluton_rclone.microsoft.entra.scopes import Place, least
from pluton_rclone.setup.connect import StorageSetup

from ..plumbing.context import Page, page_of, see_other, session, storage_of
from ..plumbing.guard import form_of
from ..plumbing.jobs import Waiting
from ..plumbing.view import draw, error_view, link
from .draft import Draft, draft_of, draw_step

MAX_FLOWS = 5  # sign-ins of one draft that wait for an answer

# What is asked for and why; the words of the guide first.
REASONS = {
    "Files.ReadWrite": (
        "Read and write access to your OneDrive files",
        "to store backups and to restore them",
    ),
    "Files.ReadWrite.All": (
        "Read and write access to all files that you can open",
        "a document library belongs to a site, not to you alone",
    ),
    "Sites.Read.All": (
        "Find and read SharePoint sites",
        "to list the sites and libraries to choose from",
    ),
    "offline_access": (
        "Offline access",
        "to maintain the connection while you are away: backups run at night",
    ),
}


def authorize(request: Request) -> Response:
    """GET: the button, the permissions and why, the device code, another cloud or registration."""
    draft = draft_of(request)
    if not draft.may_see("authorize"):
        return see_other(request, "setups", draft.id, draft.next_step())
    setup = draft.setup
    place: Place = "sharepoint" if setup.drive_type == "sharepoint" else "own"
    return draw_step(
        request,
        draft,
        "authorize",
        lacking=bool(setup.missing_permissions()),
        permissions=[REASONS[name] for name in (*least(place), "offline_access")],
        app=setup.app if setup.has_app else None,
        expected=storage_of(request, "change", draft.storage).record()["account"]
        if draft.storage
        else None,
        clouds=list(CLOUDS.values()),
        error=error_view(draft.failure) if draft.failure else None,
    )


def begin(request: Request) -> Response:
    """POST: a sign-in begins; the answer leads the browser to Microsoft."""
    draft, page, form = draft_of(request), page_of(request), form_of(request)
    window = form.get("window") == "yes"
    page.jobs.cancel(page.jobs.find(Waiting, draft.waiting, session(request).owner))
    with page.sessions.changing(session(request), draft):
        draft.failure, draft.blocked_window = None, form.get("blocked") == "yes"
        try:
            prepare(draft, page, form)
            flow = draft.setup.begin_sign_in(page.redirect_uri)
        except PlutonRcloneError as error:
            draft.failure = error.record()
            return _back(request, draft, window)
        url = flow.url
        if not draft.setup.signed_in and draft.storage is None:
            # Otherwise the account that is signed in at Microsoft would be taken without asking.
            url += "&prompt=select_account"
        draft.flows[flow.state] = {"flow": flow.record(), "window": window, "url": url}
        while len(draft.flows) > MAX_FLOWS:
            draft.flows.pop(next(iter(draft.flows)))
    return in_window(
        RedirectResponse(link(request, "setups", draft.id, "go") + f"?state={flow.state}", 303)
    )


def in_window(response: Response) -> Response:
    """A page of the sign-in window, which can only close itself if it keeps its opener."""
    response.headers["cross-origin-opener-policy"] = "unsafe-none"
    return response


def prepare(draft: Draft, page: Page, form: dict[str, str]) -> None:
    """Applies another account, cloud, tenant or registration of the form. OptionInvalid."""
    if form.get("again") == "yes":
        draft.setup.sign_out()
        draft.forget_drive()
    if "region" not in form or draft.setup.signed_in or draft.storage is not None:
        return
    app = registration(page.registration, form)
    before = draft.setup.app if draft.setup.has_app else None
    if app != before:
        fresh = StorageSetup(app)
        if draft.setup.name:
            fresh.name = draft.setup.name
        draft.setup = fresh


def registration(default: AppRegistration | None, form: dict[str, str]) -> AppRegistration | None:
    """The form's registration. The default's secret goes only with its id, tenant and cloud."""
    client_id = form.get("client_id", "").strip() or (default.client_id if default else "")
    region = form.get("region", "").strip() or "global"
    tenant = form.get("tenant", "").strip() or "common"
    if not client_id:
        refuse_rclone_registration(cloud(region), tenant)
        return None
    named = AppRegistration(client_id, tenant, region)
    alike = default is not None and all(
        getattr(default, part) == getattr(named, part) for part in ("client_id", "tenant", "region")
    )
    return default if alike else named


def go(request: Request) -> Response:
    """GET: on to Microsoft. A form's redirects must stay on this site (form-action), hence this page."""
    draft = draft_of(request)
    found = draft.flows.get(request.query_params.get("state", ""))
    if found is None:
        return see_other(request, "setups", draft.id, "authorize")
    return in_window(draw(request, "go.html", url=found["url"]))


def callback(request: Request) -> Response:
    """GET: Microsoft's answer. It counts once, and only in the session that began the sign-in."""
    page, mine = page_of(request), session(request)
    state = request.query_params.get("state", "")
    taken = mine.take_flow(state)
    if taken is None:
        if state in mine.answered:
            raise CodeUsedTwice("This answer of Microsoft was already used.")
        raise ForeignAnswer("This answer belongs to a sign-in that was not begun in this browser.")
    draft, found = taken
    assert isinstance(draft, Draft)
    query = request.query_params
    answer: dict[str, Any] = {name: query.getlist(name) for name in query}
    with page.sessions.changing(mine, draft):
        try:
            draft.setup.finish_sign_in(found["flow"], answer)
            arrived(draft)
        except PlutonRcloneError as error:
            draft.failure = error.record()
    return _back(request, draft, found["window"])


def arrived(draft: Draft) -> None:
    """After a sign-in that came to a good end: what the last one listed does not count any more."""
    draft.failure = None
    draft.flows.clear()
    draft.forget_drive()


def status(request: Request) -> Response:
    """GET: for the page that waits: {"state": "waiting" | "done" | "failed", "next": address}."""
    draft = draft_of(request)
    signed_in = draft.setup.signed_in and not draft.setup.missing_permissions()
    state = "failed" if draft.failure else "done" if signed_in else "waiting"
    step = draft.next_step() if state == "done" else "authorize"
    return JSONResponse({"state": state, "next": link(request, "setups", draft.id, step)})


def _back(request: Request, draft: Draft, window: bool) -> Response:
    """On with the walk: in this tab, or by telling the page that opened this window."""
    step = "authorize" if draft.failure else draft.next_step()
    if not window:
        return see_other(request, "setups", draft.id, step)
    next_ = link(request, "setups", draft.id, step)
    return in_window(
        draw(request, "back.html", draft=draft, next=next_, failed=bool(draft.failure))
    )
