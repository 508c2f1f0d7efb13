"""Step 3: to Microsoft and back, in a window or this tab; a device code; rclone's own sign-in."""

from __future__ import annotations

import os
import shlex
from dataclasses import replace
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from pluton_rclone.errors import (
    Cancelled,
    CodeUsedTwice,
    ForeignAnswer,
    PlutonRcloneError,
    RegistrationError,
    SecretExpired,
)
from pluton_rclone.microsoft.clouds import CLOUDS, cloud, refuse_rclone_registration
from pluton_rclone.microsoft.entra.app import REGION, TENANT, AppRegistration
from pluton_rclone.microsoft.entra.device_code import DeviceCode
from pluton_rclone.microsoft.entra.scopes import least

from ..plumbing.context import page_of, see_other, session, work_of
from ..plumbing.guard import AGREED, form_of
from ..plumbing.jobs import Waiting
from ..plumbing.view import draw, link
from .draft import Begun, Draft, draft_of, draw_step, onward, storage_signed_in_to

MAX_FLOWS = 5  # unanswered sign-ins of one draft
FIRST_WORD = 20.0  # seconds to wait for Microsoft's code, or rclone's address


def authorize(request: Request) -> Response:
    """GET: the button, the permissions and why, the device code, another cloud or registration."""
    draft = draft_of(request, "authorize")
    setup, expected, lacking = draft.setup, None, draft.setup.missing_permissions()
    itself, renewal = False, ""
    if storage := storage_signed_in_to(request, draft):
        expected = storage.record()["account"]
        itself = storage.remote_to_sign_in().client_credentials
        if isinstance(draft.failure, RegistrationError if itself else SecretExpired):
            name = shlex.quote(storage.remote_name)
            renewal = f"pluton-rclone set {name} --secret client_secret"
            if setup.has_app and setup.app.certificate:
                renewal = f"pluton-rclone reauthorize {name} --certificate FILE"
    app = setup.app if setup.has_app else None
    region = app.region if app else os.environ.get(REGION) or "global"
    shown: dict[str, Any] = {
        "lacking": bool(lacking),
        "permissions": (*least(setup.place, access=setup.access), "offline_access"),
        "app": app,
        "region": cloud(region).region,
        "tenant": app.tenant if app else os.environ.get(TENANT) or "common",
        "expected": expected,
        "itself": itself,  # no person has to sign in
        "renewal": renewal,
        "clouds": CLOUDS.values(),
        "error": draft.failure,
    }
    return draw_step(request, draft, "authorize", **shown)


def begin(request: Request) -> Response:
    """POST: start a sign-in; the answer redirects the browser to Microsoft."""
    draft, window = draft_of(request), form_of(request).get("window") == "yes"
    with session(request).lock:
        if not _prepared(request, draft):
            return _back(request, draft, window)
        try:
            flow = draft.setup.begin_sign_in(page_of(request).redirect_uri)
        except PlutonRcloneError as error:
            draft.failure = error
            return _back(request, draft, window)
        draft.flows[flow.state] = Begun(flow, window)
        while len(draft.flows) > MAX_FLOWS:
            draft.flows.pop(next(iter(draft.flows)))
    return in_window(see_other(request, "setups", draft.id, "go", more=f"?state={flow.state}"))


def in_window(response: Response) -> Response:
    """A page of the sign-in window, which can close itself only if it keeps its opener."""
    response.headers["cross-origin-opener-policy"] = "unsafe-none"
    return response


def _prepared(request: Request, draft: Draft) -> bool:
    """Cancel earlier waiting, and take another account, cloud, tenant or registration from the
    form. False if that is refused: the draft has the error."""
    page, form = page_of(request), form_of(request)
    page.jobs.cancel(work_of(request, Waiting, draft.waiting))
    draft.begun += 1
    draft.failure, draft.blocked_window = None, form.get("blocked") == "yes"
    if form.get("again") == "yes":
        draft.setup.sign_out()
        draft.forget_drive()
    if "region" not in form or draft.setup.signed_in or draft.storage is not None:
        return True
    try:
        app = registration(page.registration, form)
        if app != (draft.setup.app if draft.setup.has_app else None):
            draft.setup.use_app(app)
    except PlutonRcloneError as error:
        draft.failure = error
    return draft.failure is None


def registration(default: AppRegistration | None, form: dict[str, str]) -> AppRegistration | None:
    """The form's registration. The default's secret is used only with its id, tenant and cloud."""
    client_id = form.get("client_id", "").strip() or (default.client_id if default else "")
    region = form.get("region", "").strip() or "global"
    tenant = form.get("tenant", "").strip() or "common"
    if not client_id:
        refuse_rclone_registration(cloud(region), tenant)
        return None
    named = AppRegistration(client_id, tenant, region)
    bare = replace(default, client_secret=None, certificate=None) if default else None
    return default if bare == named else named


def go(request: Request) -> Response:
    """GET: on to Microsoft. A page, because a form's redirects must stay here (form-action)."""
    draft = draft_of(request)
    found = draft.flows.get(request.query_params.get("state", ""))
    if found is None:
        return onward(request, draft, "authorize")
    return in_window(draw(request, "go.html", url=found.flow.url))


def callback(request: Request) -> Response:
    """GET: Microsoft's answer, accepted once, and only in the session that began the sign-in."""
    mine, query = session(request), request.query_params
    state = query.get("state", "")
    taken = mine.take_flow(state)
    if taken is None:
        if "admin_consent" in query:  # from the address for an administrator, which has no state
            return draw(request, "refused.html", what=AGREED[0], advice=AGREED[1])
        if state in mine.answered:
            raise CodeUsedTwice("This answer from Microsoft was already used.")
        what = "This answer belongs to a sign-in that was not started in this browser, or is over."
        raise ForeignAnswer(what)
    draft, found = taken
    assert isinstance(draft, Draft)
    answer: dict[str, Any] = {name: query.getlist(name) for name in query}
    with session(request).lock:
        try:
            draft.setup.finish_sign_in(found.flow, answer)
            _arrived(draft)
        except PlutonRcloneError as error:
            draft.failure = error
    return _back(request, draft, found.window)


def _arrived(draft: Draft) -> None:
    """After a successful sign-in: discard what the previous one listed."""
    draft.failure = None
    draft.flows.clear()
    draft.forget_drive()


def status(request: Request) -> Response:
    """GET: for the waiting page: {"state": "waiting" | "done" | "failed", "next": address}. Also
    "waiting" if no sign-in has started after those that the page has seen (`after`)."""
    draft = draft_of(request)
    signed_in = draft.setup.signed_in and not draft.setup.missing_permissions()
    state = "failed" if draft.failure else "done" if signed_in else "waiting"
    if request.query_params.get("after") == str(draft.begun):
        state = "waiting"
    step = draft.next_step() if state == "done" else "authorize"
    return JSONResponse({"state": state, "next": link(request, "setups", draft.id, step)})


def _back(request: Request, draft: Draft, window: bool) -> Response:
    """Continue in this tab, or in the page that opened this window and polls `status`."""
    on = onward(request, draft, "authorize" if draft.failure else "")
    if not window:
        return on
    next_, failed = on.headers["location"], bool(draft.failure)
    return in_window(draw(request, "back.html", next=next_, failed=failed))


def begin_elsewhere(request: Request, kind: str) -> Response:
    """POST: start waiting: for a new device code ("code"), or for rclone's own registration and
    server ("rclone": the browser has to be on this machine)."""
    draft = draft_of(request)
    work = Waiting(kind, draft.setup.name or "", owner=session(request).owner)

    def show(told: DeviceCode | str) -> None:
        work.code, work.address = (None, told) if isinstance(told, str) else (told, None)
        work.shown.set()

    def wait(work: Waiting) -> None:
        try:
            if kind == "code":
                draft.setup.sign_in_with_device_code(show=show, cancel=work.stop)
            else:
                draft.setup.sign_in_with_rclone(show_address=show, cancel=work.stop)
        finally:
            work.shown.set()
        with session(request).lock:
            _arrived(draft)

    with session(request).lock:
        if not _prepared(request, draft):
            return onward(request, draft, "authorize")
        draft.waiting = work.id
    page_of(request).jobs.start(work, wait)
    work.shown.wait(FIRST_WORD)
    return see_other(request, "setups", draft.id, "waiting", work.id)


def waiting(request: Request) -> Response:
    """GET: the code to type, and whether it was used."""
    draft, work = draft_of(request), work_of(request, Waiting, request.path_params["job"])
    if work is None:
        return onward(request, draft, "authorize")
    over = work.over  # read once, before everything that depends on it
    elsewhere = isinstance(work.error, Cancelled) and draft.setup.signed_in
    if over and (work.error is None or elsewhere):
        return onward(request, draft)
    shown = {"work": work, "over": over, "error": work.error if over else None}
    return draw_step(request, draft, "authorize", "waiting.html", **shown)
