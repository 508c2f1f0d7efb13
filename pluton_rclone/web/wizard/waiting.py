"""Step 3 without Microsoft's window: a device code, or rclone's own sign-in."""

from __future__ import annotations

from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from pluton_rclone.errors import PlutonRcloneError
from pluton_rclone.microsoft.entra.device_code import DeviceCode

from ..plumbing.context import page_of, see_other, session
from ..plumbing.guard import form_of
from ..plumbing.jobs import Waiting
from ..plumbing.view import draw, link
from .draft import Draft, draft_of, draw_step
from .signing_in import arrived, prepare

FIRST_WORD = 20.0  # seconds for Microsoft's code, or rclone's address, to come


def begin_code(request: Request) -> Response:
    """POST: a new device code; waiting for it begins."""

    def sign_in(draft: Draft, work: Waiting) -> object:
        def show(code: DeviceCode) -> None:
            work.code = code
            work.shown.set()

        return draft.setup.sign_in_with_device_code(show=show, cancel=work.stop)

    return _begin(request, "code", sign_in)


def begin_rclone(request: Request) -> Response:
    """POST: rclone's own registration and server; the browser has to be on this machine."""

    def sign_in(draft: Draft, work: Waiting) -> object:
        def show(address: str) -> None:
            work.address = address
            work.shown.set()

        return draft.setup.sign_in_with_rclone(show_address=show, cancel=work.stop)

    return _begin(request, "rclone", sign_in)


def _begin(request: Request, kind: str, sign_in: Callable[[Draft, Waiting], object]) -> Response:
    draft, page, mine = draft_of(request), page_of(request), session(request)
    work = Waiting(kind, draft.setup.name or "", owner=mine.owner)

    def wait(work: Waiting) -> None:
        try:
            sign_in(draft, work)
        finally:
            work.shown.set()
        with page.sessions.changing(mine, draft):
            arrived(draft)

    page.jobs.cancel(page.jobs.find(Waiting, draft.waiting, mine.owner))
    with page.sessions.changing(mine, draft):
        draft.failure, draft.blocked_window = None, False
        try:
            prepare(draft, page, form_of(request))
        except PlutonRcloneError as error:
            draft.failure = error.record()
            return see_other(request, "setups", draft.id, "authorize")
        draft.waiting = work.id
    page.jobs.start(work, wait)
    work.shown.wait(FIRST_WORD)
    return see_other(request, "setups", draft.id, "waiting", work.id)


def waiting(request: Request) -> Response:
    """GET: the code to type, and whether somebody has."""
    draft, work = draft_of(request), _work(request)
    if work is None:
        return see_other(request, "setups", draft.id, "authorize")
    over = work.over  # asked once, before everything that it decides
    if over and work.error is None:
        return see_other(request, "setups", draft.id, draft.next_step())
    part = link(request, "setups", draft.id, "waiting", work.id, "progress")
    error = work.error if over else None
    shown = {"work": work, "over": over, "part": part, "next": "", "error": error}
    return draw_step(request, draft, "authorize", "waiting.html", **shown)


def progress(request: Request) -> HTMLResponse:
    """GET: the part of that page that changes."""
    draft, work = draft_of(request), _work(request)
    done = work is None or (work.over and work.error is None)
    onward = link(request, "setups", draft.id, draft.next_step()) if done else ""
    error = work.error if work else None
    return draw(request, "part_waiting.html", draft=draft, work=work, next=onward, error=error)


def _work(request: Request) -> Waiting | None:
    return page_of(request).jobs.find(Waiting, request.path_params["job"], session(request).owner)
