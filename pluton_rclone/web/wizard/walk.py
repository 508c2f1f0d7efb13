"""The steps except the sign-in: name, drive type, location, options, test, save; and the forms of a
saved storage."""

from __future__ import annotations

from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from pluton_rclone.errors import OptionInvalid, PlutonRcloneError, UsageError
from pluton_rclone.microsoft.clouds import CLOUDS
from pluton_rclone.microsoft.entra.app import AppRegistration
from pluton_rclone.microsoft.graph.drives import Site
from pluton_rclone.setup.connect import StorageSetup
from pluton_rclone.setup.state import DRIVE_TYPES

from ..plumbing.context import demand, kept, page_of, see_other, session, storage_of, work_of
from ..plumbing.guard import OWNER, form_of
from ..plumbing.jobs import Steps, Work
from ..plumbing.view import Caught, draw, steps_view
from . import fields
from .draft import Draft, draft_of, draw_step, onward, storage_signed_in_to

MAX_NAME = 100
SHOWN_SITES = 50


def add(request: Request) -> Response:
    """Step 1. GET: the provider list. POST: OneDrive was chosen."""
    demand(request, "add")
    if request.method == "GET":
        return draw_step(request, None, "add")
    draft = Draft(StorageSetup(page_of(request).registration))
    session(request).add(draft)
    return onward(request, draft, "name")


def name(request: Request) -> Response:
    """Step 2, the friendly name; a name that is taken is refused now, not after the sign-in."""
    draft = draft_of(request)
    typed, fault = draft.setup.name or "", ""
    if request.method == "POST":
        typed = " ".join(form_of(request).get("name", "").split())
        fault = name_fault(request, typed)
        if not fault:
            work = work_of(request, Steps, draft.job)
            with session(request).lock:
                draft.setup.name = typed
                if work is not None and work.over and not work.ok:  # perhaps for the previous name
                    draft.job = None
            return onward(request, draft)
    return draw_step(request, draft, "name", name=typed, fault=fault, status=422 if fault else 200)


def name_fault(request: Request, typed: str) -> str:
    """Why a storage cannot have that name; empty if it can."""
    if not typed or len(typed) > MAX_NAME:
        return f"Use at most {MAX_NAME} characters." if typed else "Give the storage a name."
    try:
        StorageSetup().name = typed
        page_of(request).storages.free_name(typed)
    except PlutonRcloneError as error:
        return f"{error.what} {error.advice}"
    return ""


def give_up(request: Request) -> Response:
    """POST: discard the draft, with its token."""
    draft = draft_of(request)
    session(request).drafts.pop(draft.id, None)
    for job in (draft.job, draft.waiting):
        page_of(request).jobs.cancel(work_of(request, Work, job))
    return see_other(request, "")


def drive_type(request: Request) -> Response:
    """Step 4, the drive type: the three types, each explained."""
    draft, caught = draft_of(request, "type"), Caught()
    setup = draft.setup
    if request.method == "POST":
        kind = form_of(request).get("kind", "")
        if kind not in DRIVE_TYPES:
            raise HTTPException(400, "There is no such drive type.")
        with caught, session(request).lock:
            draft.failure = None
            draft.forget_drive()
            setup.choose_type(next(known for known in DRIVE_TYPES if known == kind))
            if kind == "personal":
                setup.choose_own_drive()
        if caught.error is None:
            return onward(request, draft)
    suggested, status = setup.drive_type or setup.suggested_type(), 422 if caught.error else 200
    return draw_step(request, draft, "type", suggested=suggested, error=caught.error, status=status)


def location(request: Request) -> Response:
    """Step 5. GET: the drives, or the sites and one site's libraries. POST: one that was listed."""
    draft, query = draft_of(request, "location"), request.query_params
    if request.method == "POST":
        with session(request).lock:
            chosen = draft.drives.get(form_of(request).get("drive", ""))
            if chosen is None:
                raise HTTPException(400, "Choose one of the drives listed.")
            draft.setup.choose_drive(chosen)
            draft.site_name, draft.job = draft.site_listed, None
        return onward(request, draft)
    shown: dict[str, Any] = {}
    found: list[Site] = []
    with session(request).lock, Caught() as caught:
        draft.drives, draft.site_listed = {}, ""
        if draft.setup.drive_type != "sharepoint":
            drives = draft.setup.drives_of(draft.setup.drive_type or "business")
            draft.drives = {drive.id: drive for drive in drives}
        elif query.get("site"):
            site = draft.sites.get(query["site"])
            if site is None:
                raise HTTPException(400, "Choose one of the sites listed.")
            shown["site"] = site
            libraries = draft.setup.libraries(site)
            draft.drives, shown["notes"] = {one.id: one for one in libraries}, libraries.notes
            draft.site_listed = site.name
        else:
            found = draft.setup.sites(query.get("term", ""))
            draft.sites.update((site.id, site) for site in found[:SHOWN_SITES])
    return _locations(request, draft, found, error=caught.error, **shown)


def _locations(request: Request, draft: Draft, found: list[Site], **shown: Any) -> Response:
    none = {"site": None, "notes": (), "address": "", "address_error": None}
    listed = {"sites": found[:SHOWN_SITES], "more": max(0, len(found) - SHOWN_SITES)}
    shown = {**none, **listed, "term": request.query_params.get("term", ""), **shown}
    status = 422 if shown["address_error"] else 200
    return draw_step(request, draft, "location", status=status, **shown)


def address(request: Request) -> Response:
    """POST: a pasted address of a site, a library, a folder or a sharing link."""
    draft, typed = draft_of(request, "location"), form_of(request).get("address", "").strip()
    try:
        if not typed:
            advice = "Copy it from the browser's address bar."
            raise OptionInvalid("No address was pasted.", advice=advice)
        with session(request).lock:
            found = draft.setup.choose_address(typed)
            draft.site_name, draft.job = found.site.name if found.site else "", None
        return onward(request, draft)
    except PlutonRcloneError as error:
        sites = list(draft.sites.values())
        return _locations(request, draft, sites, address=typed, address_error=error)


def options(request: Request) -> Response:
    """Step 6: region, chunk size, hard delete, base folder; folded, the backend's other options."""
    draft = draft_of(request, "options")
    given, faults = {**draft.options, "base_folder": draft.setup.folder}, dict[str, str]()
    if request.method == "POST":
        form = form_of(request)
        given = fields.read(form, draft.options)
        try:
            with session(request).lock:
                # Options missing from the form are reset. After an error nothing is changed.
                draft.setup.set_options(**fields.as_options(given))
                draft.job = draft.job if given == draft.options else None
                draft.options, draft.options_seen = given, True
            if form.get("region", "") in CLOUDS and form["region"] != _region(draft):
                return _other_region(request, draft, form["region"])
            return onward(request, draft, "save")
        except PlutonRcloneError as error:
            faults = fields.faults_of(error)
    drive = draft.setup.chosen_drive
    shown = fields.drawn(given, draft.options, faults, drive.type if drive else "business")
    shown |= {"clouds": CLOUDS.values(), "region": _region(draft)}
    return draw_step(request, draft, "options", status=422 if faults else 200, **shown)


def _region(draft: Draft) -> str:
    return draft.setup.app.region if draft.setup.has_app else "global"


def _other_region(request: Request, draft: Draft, region: str) -> Response:
    """Another cloud has other accounts and registrations, so it requires another sign-in."""
    cloud = CLOUDS[region]
    with session(request).lock:
        draft.forget_drive()
        try:
            before = draft.setup.app
            draft.setup.use_app(AppRegistration(before.client_id, before.tenant, region))
            why = cloud.warning or "it has its own accounts and app registrations"
            advice = "Sign in with a registration made there; then choose type and location again."
            what = f"The region is now {cloud.name}."
            draft.failure = OptionInvalid(what, why=why, advice=advice)
        except PlutonRcloneError as error:
            draft.failure = error
    return onward(request, draft, "authorize")


def save(request: Request) -> Response:
    """Step 7. GET: what will be saved, and the test's progress. POST: save."""
    draft = draft_of(request)
    # Saving may end meanwhile and sets `draft.saved` first, so that is read last.
    in_turn, standing = draft.may_see("save"), steps_view(work_of(request, Steps, draft.job))
    if draft.saved or not in_turn:
        return onward(request, draft)
    if request.method == "POST":
        work = work_of(request, Steps, draft.job)
        if work is None or (work.over and not work.ok):  # a running one is not started again
            what = "Test the connection first: a storage is saved only after it passed."
            raise HTTPException(409, what)
        return _start(request, draft, "save")
    chosen = [field for field in fields.fields(draft.options) if field.option.name in draft.options]
    shown = {**standing, "cloud": CLOUDS[_region(draft)].name, "chosen": chosen}
    return draw_step(request, draft, "save", **shown)


def test(request: Request) -> Response:
    """POST: start the connection test."""
    return _start(request, draft_of(request, "save"), "test")


def _start(request: Request, draft: Draft, kind: str) -> Response:
    """Start the test, or saving; one at a time."""
    page, mine = page_of(request), session(request)
    known = storage_signed_in_to(request, draft)
    again = kept(request, "change", known) if known is not None else None
    if again is None:
        demand(request, "add")

    def run(work: Steps) -> None:
        setup, step = draft.setup, work.hear
        if again is not None:
            storage = again()
            storage.reauthorize(setup, step)
            page.healths.forget(storage.remote_name)
        elif kind == "test":
            work.ok = setup.test(page.storages, on_step=step).ok
            return
        else:
            owner = {} if mine.person is None else {OWNER: mine.person}
            storage = setup.save(page.storages, on_step=step, more=owner)
        with session(request).lock:
            draft.saved, draft.options, work.ok = storage.remote_name, {}, True
            draft.flows.clear()  # begun in another tab, and perhaps for another account
            setup.sign_out()  # the token is now in rclone.conf, and only there
        page.jobs.cancel(work_of(request, Work, draft.waiting))

    with session(request).lock:
        running = work_of(request, Steps, draft.job)
        if running is None or running.over:
            work = Steps(kind, draft.setup.name or "", owner=mine.owner)
            draft.job = page.jobs.start(work, run).id
    return onward(request, draft, "save")


def edit(request: Request) -> Response:
    """GET: name and options. POST: change them; if the test fails, nothing is changed."""
    found = storage_of(request, "change")
    before, title = fields.of_section(found.remote.to_section()), found.name
    given, name, faults = before, title, dict[str, str]()
    drawn, form = fields.fingerprint(title, found.remote.drive_id, before), form_of(request)
    error: PlutonRcloneError | None = None
    if form.get("drawn", drawn) != drawn:
        why = "the name or options have changed since this form was opened"
        advice = "The form below has the current values: change those."
        error = UsageError("Nothing was saved: the storage was changed.", why=why, advice=advice)
    elif request.method == "POST":
        given, name = fields.read(form, before), " ".join(form.get("name", "").split())
        fault = name_fault(request, name) if name != title else ""
        if fault:
            faults["name"] = fault
        else:
            try:
                changes = fields.changes(given, before)
                changes |= {"description": name} if name != title else {}
                found.update(**changes)  # all of it, or nothing
                page_of(request).healths.forget(found.remote_name)
                return see_other(request, "storages", found.remote_name)
            except PlutonRcloneError as refusal:
                faults = fields.faults_of(refusal)
                faults = {option: faults[option] for option in fields.names() if option in faults}
                error = None if faults else refusal
    shown = {"storage": found, "name": name, "error": error, "drawn": drawn}
    shown |= fields.drawn(given, before, faults, found.remote.drive_type)
    return draw(request, "edit.html", status=422 if faults or error else 200, **shown)


def reauthorize(request: Request) -> Response:
    """POST: sign in again for the same drive and options; an application does that by itself."""
    found, caught = storage_of(request, "change"), Caught()
    draft = Draft(StorageSetup.for_storage(found), storage=found.remote_name)
    session(request).add(draft)
    if found.remote_to_sign_in().client_credentials:
        with caught:
            draft.setup.sign_in_as_app()
        draft.failure = caught.error
    return onward(request, draft, "" if draft.setup.signed_in else "authorize")
