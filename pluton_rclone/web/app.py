"""The ASGI application: its routes and entry points, and what wraps every handler."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Receive, Scope, Send

from pluton_rclone.errors import ForeignAnswer, PlutonRcloneError, StorageNotFound, UsageError
from pluton_rclone.microsoft.entra.app import AppRegistration
from pluton_rclone.process.folders import runtime_folder, runtime_folders
from pluton_rclone.storages.storage import Storages

from .plumbing.context import Healths, Page, apart, page_of, see_other, session, slow
from .plumbing.guard import Address, Authorize, Guard, Identify, session_cookie, session_of
from .plumbing.jobs import Jobs
from .plumbing.sessions import Sessions
from .plumbing.view import draw, refusal
from .storages import files, stored
from .wizard import fields, signing_in, walk

STATIC = Path(__file__).parent / "static"
_Handlers = dict[str, Callable[[Request], Any]]


def create_app(
    storages: Storages | None = None,
    *,
    public_url: str,
    app: AppRegistration | None = None,
    redirect_uri: str | None = None,
    identify: Identify | None = None,
    authorize: Authorize | None = None,
    local_folders: Sequence[Path] | None = None,
) -> Starlette:
    """The page as an ASGI application, to serve or to mount.

    `public_url` is its address in browsers ("https://pluton.example/onedrive"); it answers only
    under that host. `app` is the registration, by default that of the environment; `redirect_uri`
    must be registered there (default: `public_url` on http://localhost, else + "/callback").

    `identify(request)`, which may be a coroutine function, returns the person, for an application
    with its own sign-in; only a non-empty string grants access. Without it, browsers get access by
    a one-time address (`one_time_address`). A person sees only their own storages, drafts and
    transfers; if `authorize(person, action, storage)` is given (UsageError without `identify`), it
    decides about storages, and only True permits (`web.plumbing.guard.Action`). Work that waited
    for its turn is authorized again when it starts.

    Sessions with their drafts are in memory: a restart loses unsaved work. Copies read from and
    restores write to `local_folders` (by default ~/pluton-restores), except private files there
    (`web.storages.places`)."""
    if authorize is not None and identify is None:
        raise UsageError("authorize needs identify: without it the page does not know the person.")
    storages = Storages() if storages is None else storages
    url = public_url.rstrip("/")
    address = Address.of(url)
    local = not address.secure and not address.path
    sessions = Sessions()
    if local_folders is None:
        home = Path(os.path.expanduser("~"))
        local_folders = [home / "pluton-restores"] if home.is_absolute() else []
    page = Page(
        storages=storages,
        address=address,
        redirect_uri=redirect_uri or (address.origin if local else f"{url}/callback"),
        sessions=sessions,
        jobs=Jobs(),
        registration=app or AppRegistration.from_environment(),
        local_folders=tuple(folder.absolute() for folder in local_folders),
        private=(storages.conf.named, runtime_folder(), *runtime_folders()),
        healths=Healths(),
        has_addresses=identify is None,
        authorize=authorize,
    )

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        await run_in_threadpool(page.jobs.close)  # a job may still call `authorize` in this loop

    made = Starlette(
        routes=_routes(),
        middleware=[Middleware(Guard, address, sessions, refusal, identify)],
        exception_handlers={PlutonRcloneError: _error, HTTPException: _http_error},
        lifespan=lifespan,
    )
    made.state.page = page
    return made


def one_time_address(app: Starlette) -> str:
    """A one-time address, which gives one browser access if opened within half an hour."""
    page: Page = app.state.page
    return page.one_time_address()


def _routes() -> list[Route | Mount]:
    setup, storage, transfer = "/setups/{setup}", "/storages/{storage}", "/transfers/{job}"
    gets: _Handlers = {
        "/": _front,
        "/callback": slow(signing_in.callback),
        "/open/{secret}": _enter,
        f"{setup}/authorize": signing_in.authorize,
        f"{setup}/go": signing_in.go,
        f"{setup}/status": signing_in.status,
        f"{setup}/waiting/{{job}}": signing_in.waiting,
        storage: stored.storage,
        f"{storage}/health": slow(stored.health),
        f"{storage}/runs/{{run}}": stored.run,
        f"{storage}/files": slow(files.browse),
        f"{storage}/download": slow(files.download),
        "/transfers": files.transfers,
        transfer: files.transfer,
    }
    posts: _Handlers = {
        "/addresses": _invite,
        "/leave": _leave,
        f"{setup}/sign-in": slow(signing_in.begin),
        f"{setup}/code": slow(partial(signing_in.begin_elsewhere, kind="code")),
        f"{setup}/rclone": slow(partial(signing_in.begin_elsewhere, kind="rclone")),
        f"{setup}/address": slow(walk.address),
        "/check": fields.check,
        f"{setup}/test": walk.test,
        f"{setup}/give-up": walk.give_up,
        f"{storage}/test": partial(stored.begin, kind="test"),
        f"{storage}/repair": partial(stored.begin, kind="repair"),
        f"{storage}/reauthorize": slow(walk.reauthorize),
        f"{transfer}/cancel": files.cancel,
    }
    both: _Handlers = {
        "/add": walk.add,
        f"{setup}/name": walk.name,
        f"{setup}/type": slow(walk.drive_type),
        f"{setup}/location": slow(walk.location),
        f"{setup}/options": walk.options,
        f"{setup}/save": walk.save,
        f"{storage}/edit": slow(walk.edit),
        f"{storage}/remove": stored.remove,
        f"{storage}/copy": partial(files.begin, kind="copy"),
        f"{storage}/restore": partial(files.begin, kind="restore"),
    }
    routes: list[Route | Mount] = [Mount("/static", StaticFiles(directory=STATIC))]
    for table, methods in ((gets, ["GET"]), (posts, ["POST"]), (both, ["GET", "POST"])):
        routes += [_Route(path, handler, methods=methods) for path, handler in table.items()]
    return routes


class _Route(Route):
    """HEAD does not run the GET handler: some work only once, some start an rclone."""

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] == "HEAD" and "HEAD" in (self.methods or ()):
            await Response(status_code=204)(scope, receive, send)
        else:
            await super().handle(scope, receive, send)


async def _front(request: Request) -> Response:
    """The storages; or Microsoft's answer, if http://localhost is the registered address."""
    if "state" in request.query_params:
        return await apart(signing_in.callback, request)
    return await run_in_threadpool(stored.storages, request)


def _enter(request: Request) -> Response:
    """GET: the one-time address. Its secret works once and leaves the address bar at once."""
    page = page_of(request)
    cookie = page.sessions.redeem(request.path_params["secret"]) if page.has_addresses else None
    response = see_other(request, "")
    if cookie is not None:
        header = session_cookie(page.address, page.sessions, cookie, request.scope)
        response.headers.append("set-cookie", header)
    elif session_of(request) is None:
        what = "This address was already used, or has expired."
        advice = (
            "It lets one browser in, once. For a new one, start `pluton-rclone web` again or, in a "
            "browser where the page is open, choose Let another browser in."
        )
        return refusal(request, 403, what, advice)
    return response


def _invite(request: Request) -> Response:
    """POST: an address for another browser or person."""
    page = page_of(request)
    if not page.has_addresses:
        raise HTTPException(404, "Sign-ins are handled by the application around this page.")
    return draw(request, "invite.html", address=page.one_time_address())


def _leave(request: Request) -> Response:
    """POST: ends this session, with all unsaved work."""
    page_of(request).sessions.end(session(request))
    request.scope["pluton.session"] = None
    advice = "What was saved is kept; what was not saved is lost."
    if page_of(request).has_addresses:
        advice += " To come back, start `pluton-rclone web` again: it shows a new address."
    return refusal(request, 200, "You have left.", advice)


def _error(request: Request, error: Exception) -> Response:
    foreign, missing = isinstance(error, ForeignAnswer), isinstance(error, StorageNotFound)
    status = 403 if foreign else 404 if missing else 400
    return draw(request, "error.html", status=status, error=error)


_WORDS = {
    "Not Found": "There is no such page.",
    "Method Not Allowed": "This address only receives a form; there is nothing to see.",
}


def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == 303:
        return Response(status_code=303, headers=error.headers)
    what, advice = _WORDS.get(error.detail, error.detail), "Go back in your browser and try again."
    if error.status_code == 404:
        advice = "What was here may have been removed."
    return refusal(request, error.status_code, what, advice)
