"""Steps 1, 2, 4, 6 and 7 of the walk: name, drive type, options, test, save."""

from __future__ import annotations

from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from pluton_rclone.errors import OptionInvalid, PlutonRcloneError
from pluton_rclone.microsoft.clouds import CLOUDS
from pluton_rclone.microsoft.entra.app import AppRegistration
from pluton_rclone.setup.connect import StorageSetup
from pluton_rclone.setup.state import DRIVE_TYPES

from ..plumbing.context import demand, page_of, see_other, session, storage_of
from ..plumbing.guard import form_of
from ..plumbing.jobs import Steps, Work
from ..plumbing.people import OWNER
from ..plumbing.view import Caught, draw, link, steps_view
from . import fields
from .draft import Draft, draft_of, draw_step

MAX_NAME = 100


# ---- 1 and 2: add storage, name ----


def add(request: Request) -> Response:
    """GET: the provider list. POST: OneDrive was chosen."""
    if request.method == "GET":
        return draw_step(request, None, "add")
    demand(request, "add")
    page, mine = page_of(request), session(request)
    draft = Draft(StorageSetup(page.registration))
    with page.sessions.changing(mine):
        mine.add(draft)
    return see_other(request, "setups", draft.id, "name")


def name(request: Request) -> Response:
    """The friendly name; one that is taken is told now, not after the sign-in."""
    draft, page = draft_of(request), page_of(request)
    typed, fault = draft.setup.name or "", ""
    if request.method == "POST":
        typed = " ".join(form_of(request).get("name", "").split())
        fault = name_fault(request, typed)
        if not fault:
            with page.sessions.changing(session(request), draft):
                draft.setup.name = typed
            return see_other(request, "setups", draft.id, draft.next_step())
    return draw_step(request, draft, "name", name=typed, fault=fault, status=422 if fault else 200)


def name_fault(request: Request, typed: str) -> str:
    """Why a storage cannot be called that; empty when it can."""
    if not typed:
        return "Give the storage a name."
    if len(typed) > MAX_NAME:
        return f"Use at most {MAX_NAME} characters."
    try:
        StorageSetup().name = typed
        page_of(request).storages.free_name(typed)
    except PlutonRcloneError as error:
        return f"{error.what} {error.advice}"
    return ""


def give_up(request: Request) -> Response:
    """POST: the draft is thrown away, token and all."""
    page, mine, draft = page_of(request), session(request), draft_of(request)
    with page.sessions.changing(mine):
        mine.drafts.pop(draft.id, None)
    for job in (draft.job, draft.waiting):
        page.jobs.cancel(page.jobs.find(Work, job, mine.owner))
    return see_other(request, "")


# ---- 4: drive type ----


def drive_type(request: Request) -> Response:
    """The three types, each explained."""
    draft, page = draft_of(request), page_of(request)
    if not draft.may_see("type"):
        return see_other(request, "setups", draft.id, draft.next_step())
    setup = draft.setup
    caught = Caught()
    if request.method == "POST":
        kind = form_of(request).get("kind", "")
        if kind not in DRIVE_TYPES:
            raise HTTPException(400, "There is no such drive type.")
        with caught, page.sessions.changing(session(request), draft):
            draft.failure = None
            draft.forget_drive()
            setup.choose_type(next(known for known in DRIVE_TYPES if known == kind))
            if kind == "personal":
                setup.choose_own_drive()
        if caught.error is None:
            return see_other(request, "setups", draft.id, draft.next_step())
    suggested, status = setup.drive_type or setup.suggested_type(), 422 if caught.error else 200
    return draw_step(request, draft, "type", suggested=suggested, error=caught.error, status=status)


# ---- 6: options ----


def options(request: Request) -> Response:
    """Region, chunk size, hard delete, base folder, and folded the other options of the backend."""
    draft, page = draft_of(request), page_of(request)
    drive = draft.setup.chosen_drive
    if drive is None or not draft.may_see("options"):
        return see_other(request, "setups", draft.id, draft.next_step())
    given, faults = {**draft.options, "base_folder": draft.setup.folder}, dict[str, str]()
    if request.method == "POST":
        form = form_of(request)
        if form.get("region", "") in CLOUDS and form["region"] != _region(draft):
            return _other_region(request, draft, form["region"])
        given = fields.read(form, draft.options)
        try:
            with page.sessions.changing(session(request), draft):
                _take_options(draft, given)
            return see_other(request, "setups", draft.id, "save")
        except PlutonRcloneError as error:
            faults = fields.faults_of(error)
    first, rest = fields.fields(given, faults)
    shown: dict[str, Any] = {
        "region": _region(draft),
        "clouds": list(CLOUDS.values()),
        "faults": faults,
    }
    shown |= {"first": first, "rest": rest, "check": link(request, "setups", draft.id, "check")}
    return draw_step(request, draft, "options", status=422 if faults else 200, **shown)


def _take_options(draft: Draft, given: dict[str, Any]) -> None:
    """All of the form; options that it lacks are reset. OptionInvalid, UsageError: no change."""
    draft.setup.set_options(**{**dict.fromkeys(fields.names()), **fields.as_options(given)})
    if given != draft.options:
        draft.job = None
    draft.options, draft.options_seen = given, True


def _region(draft: Draft) -> str:
    return draft.setup.app.region if draft.setup.has_app else "global"


def _other_region(request: Request, draft: Draft, region: str) -> Response:
    """Another cloud has other accounts and another registration, so it needs another sign-in."""
    page = page_of(request)
    cloud = CLOUDS[region]
    with page.sessions.changing(session(request), draft):
        draft.forget_drive()
        try:
            before = draft.setup.app
            fresh = StorageSetup(AppRegistration(before.client_id, before.tenant, region))
            fresh.name = draft.setup.name or ""
            draft.setup = fresh
            draft.failure = OptionInvalid(
                f"The region is {cloud.name} now.",
                why=cloud.warning or "its accounts and its app registrations are its own",
                advice="Sign in there, with a registration made there; then choose drive type and "
                "location again.",
            ).record()
        except PlutonRcloneError as error:
            draft.failure = error.record()
    return see_other(request, "setups", draft.id, "authorize")


def check(request: Request) -> Response:
    """POST: one field, as the person leaves it: {"fault": text, empty if valid}. No secrets."""
    draft, form = draft_of(request), form_of(request)
    drive, option = draft.setup.chosen_drive, form.get("field", "")
    if drive is None or option not in fields.names():
        raise HTTPException(400, "There is no such option.")
    setup = StorageSetup.from_record(draft.setup.record_with_secrets())
    fault = fields.fault_of(option, form, lambda **given: setup.remote(drive, **given))
    return JSONResponse({"fault": fault})


# ---- 7: test and save ----


def save(request: Request) -> Response:
    """GET: what will be saved, the test as it happens. POST: save."""
    draft, page, mine = draft_of(request), page_of(request), session(request)
    # A saving that ends meanwhile says first that it saved: whether it did is asked last.
    in_turn, standing = draft.may_see("save"), _standing(request, draft)
    if draft.saved:
        ready = see_other(request, "storages", draft.saved)
        ready.headers["location"] += "?new=yes"
        return ready
    if not in_turn:
        return see_other(request, "setups", draft.id, draft.next_step())
    if request.method == "POST":
        work = page.jobs.find(Steps, draft.job, mine.owner)
        if work is None or not work.ok:
            what = "Test the connection first: only what passed the test is saved."
            raise HTTPException(409, what)
        return _start(request, draft, "save")
    return draw_step(request, draft, "save", **standing)


def test(request: Request) -> Response:
    """POST: the connection test begins."""
    draft = draft_of(request)
    if not draft.may_see("save"):
        return see_other(request, "setups", draft.id, draft.next_step())
    return _start(request, draft, "test")


def progress(request: Request) -> HTMLResponse:
    """GET: the part of step 7 that changes."""
    draft = draft_of(request)
    return draw(request, "part_steps.html", draft=draft, **_standing(request, draft))


def _standing(request: Request, draft: Draft) -> dict[str, Any]:
    first, rest = fields.fields(draft.options)
    return {
        **steps_view(page_of(request).jobs.find(Steps, draft.job, session(request).owner)),
        "cloud": CLOUDS[_region(draft)].name,
        "chosen": [field for field in (*first, *rest) if field.name in draft.options],
        "next": link(request, "storages", draft.saved) + "?new=yes" if draft.saved else "",
        "part": link(request, "setups", draft.id, "progress"),
    }


def _start(request: Request, draft: Draft, kind: str) -> Response:
    """Begin the test, or the saving; one at a time."""
    page, mine = page_of(request), session(request)
    known = storage_of(request, "change", draft.storage) if draft.storage is not None else None
    if known is None:
        demand(request, "add")
    with page.sessions.changing(mine, draft):
        running = page.jobs.find(Steps, draft.job, mine.owner)
        if running is not None and not running.over:
            return see_other(request, "setups", draft.id, "save")

        def run(work: Steps) -> None:
            setup, step = draft.setup, work.steps.append
            if known is not None:
                storage = known
                storage.reauthorize(setup, step)
                page.healths.forget(storage.remote_name)
            elif kind == "test":
                work.ok = setup.test(page.storages, on_step=step).ok
                return
            else:
                storage = setup.save(page.storages, on_step=step)
                if mine.person is not None:
                    page.storages.conf.update(storage.remote_name, {OWNER: mine.person})
            with page.sessions.changing(mine, draft):
                draft.saved, draft.options, work.ok = storage.remote_name, {}, True
                setup.sign_out()  # the token is in rclone.conf now, and only there

        work = page.jobs.start(Steps(kind, draft.setup.name or "", owner=mine.owner), run)
        draft.job = work.id
    return see_other(request, "setups", draft.id, "save")
