"""What handlers use: the application's parts, the session, the storage and its health."""

from __future__ import annotations

import threading
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar, cast

from anyio import CapacityLimiter, to_thread
from anyio.lowlevel import RunVar
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from pluton_rclone.errors import PlutonRcloneError, StorageNotFound, UsageError
from pluton_rclone.microsoft.entra.app import AppRegistration
from pluton_rclone.microsoft.graph.drives import Quota, Shortcut
from pluton_rclone.saved.renewal import name_now
from pluton_rclone.storages.storage import Storage, Storages
from pluton_rclone.values.drive_ids import normal_drive_id

from .guard import Action, Address, Authorize, form_of, owner, permits, session_of
from .jobs import AnyWork, Jobs
from .sessions import Session, Sessions
from .view import link

if TYPE_CHECKING:
    from typing_extensions import TypeVarTuple, Unpack

    Given = TypeVarTuple("Given")

Result = TypeVar("Result")
AT_MICROSOFT = 40  # threads that may wait for Microsoft or an rclone at the same time
REMEMBERED = 60.0  # seconds; each health check renews a token and starts an rclone


@dataclass(frozen=True)
class Seen:
    """The result of a storage's health check."""

    error: PlutonRcloneError | None = None
    warnings: tuple[str, ...] = ()
    quota: Quota = Quota("unknown")  # noqa: RUF009 - frozen
    shortcuts: tuple[Shortcut, ...] = ()


class Healths:
    """The last health check of every storage, valid while its section of rclone.conf is unchanged.
    Two simultaneous requests cause only one check."""

    def __init__(self) -> None:
        self._seen: dict[str, tuple[float, dict[str, str], Seen]] = {}
        self._locks: dict[str, threading.Lock] = {}

    def of(self, storage: Storage) -> Seen:
        name, section = storage.remote_name, storage.masked_section()
        with self._locks.setdefault(name, threading.Lock()):
            until, looked_at, seen = self._seen.get(name, (0.0, section, Seen()))
            if time.monotonic() >= until or section != looked_at:
                seen = _look(storage)
                self._seen[name] = time.monotonic() + REMEMBERED, section, seen
            return seen

    def forget(self, name: str) -> None:
        """Check again next time, because something was changed."""
        self._seen.pop(name, None)


def _look(storage: Storage) -> Seen:
    try:
        report = storage.check_health()
        failed = next((step.error for step in report.steps if step.status == "failed"), None)
        if failed is not None:
            return Seen(failed)
        warnings = tuple(step.text for step in report.warnings)
        return Seen(None, warnings, storage.drive().quota, report.shortcuts)
    except PlutonRcloneError as error:
        return Seen(error)


@dataclass
class Page:
    """The parts of one application. Microsoft sends people back to `redirect_uri`."""

    storages: Storages
    address: Address
    redirect_uri: str
    sessions: Sessions
    jobs: Jobs
    registration: AppRegistration | None
    local_folders: tuple[Path, ...]
    private: tuple[Path, ...]  # never read or written, wherever they are
    healths: Healths
    has_addresses: bool  # access by one-time address, not by a surrounding application
    authorize: Authorize | None = None

    def one_time_address(self) -> str:
        """A one-time address, which gives one browser access."""
        return f"{self.address.origin}{self.address.path}/open/{self.sessions.new_secret()}"


def page_of(request: Request) -> Page:
    return cast("Page", request.app.state.page)


def session(request: Request) -> Session:
    found = session_of(request)
    assert found is not None  # the guard requires one
    return found


def work_of(request: Request, kind: type[AnyWork], id: str | None) -> AnyWork | None:
    """The work of a kind with that id, if this session may see it."""
    return page_of(request).jobs.find(kind, id, session(request).owner)


def may(request: Request, action: Action, storage: Storage | None = None) -> bool:
    """Whether the person may do that; without `authorize`, everything with their own storages."""
    page, person = page_of(request), session(request).person
    if page.has_addresses:
        return True  # the page of one user of this machine, and of browsers that they let in
    if person is None:
        return False
    if page.authorize is not None:
        return permits(page.authorize, person, action, storage, request.scope["pluton.loop"])
    return storage is None or owner(storage) == person


def permitted(request: Request, storage: Storage, *actions: Action) -> set[Action]:
    """The actions that the person may do, so that no page offers any other."""
    return {action for action in actions if may(request, action, storage)}


def demand(request: Request, action: Action, storage: Storage | None = None) -> None:
    """HTTPException if the person may not do that."""
    if not may(request, action, storage):
        raise HTTPException(403, "You may not do that here.")


def storage_of(request: Request, action: Action = "see", name: str | None = None) -> Storage:
    """The storage named in the address, for that action. StorageNotFound, also if the person may
    not see it, or it is not on the drive that the form was for; HTTPException if the action is not
    permitted."""
    found: Storage | None = None
    with suppress(StorageNotFound):
        found = page_of(request).storages[name or request.path_params["storage"]]
    if found is None or not may(request, "see", found):
        advice = "The Storages page lists those that you may see."
        raise StorageNotFound("There is no such storage here.", advice=advice)
    if action != "see":
        demand(request, action, found)
    meant = form_of(request).get("of_drive")
    ids = () if meant is None else (meant, found.record()["drive_id"] or "")
    if len(set(map(normal_drive_id, ids))) > 1:  # a repair may have changed its spelling
        what = "Nothing was done: the storage of this name is now on another drive."
        advice = "Open it again before you retry."
        raise StorageNotFound(what, advice=advice)
    return found


def kept(request: Request, action: Action, storage: Storage) -> Callable[[], Storage]:
    """A function that returns the same storage, under its current name, when a job's turn comes. It
    raises StorageNotFound if the storage is gone or its name was taken, UsageError if the action is
    no longer permitted."""
    page, section = page_of(request), storage.masked_section()

    def again() -> Storage:
        found = page.storages[name_now(page.storages.conf, storage.remote_name, section)]
        if permitted(request, found, "see", action) != {"see", action}:
            what = "This is no longer permitted."
            raise UsageError(what, advice="Ask an administrator of this application.")
        return found

    return again


def see_other(request: Request, *parts: str, more: str = "") -> RedirectResponse:
    """Redirect to another page after a form; `more` ends its address, such as "?new=yes"."""
    return RedirectResponse(link(request, *parts) + more, 303)


_waiting: RunVar[CapacityLimiter] = RunVar("threads that wait for Microsoft")


async def apart(call: Callable[[Unpack[Given]], Result], *given: Unpack[Given]) -> Result:
    """The result of a call that waits for Microsoft or an rclone, in a thread for such calls: in
    Starlette's 40 threads, shared by all handlers, a few waiting calls would delay everyone."""
    try:
        limiter = _waiting.get()
    except LookupError:
        _waiting.set(limiter := CapacityLimiter(AT_MICROSOFT))
    return await to_thread.run_sync(call, *given, limiter=limiter)


def slow(handler: Callable[[Request], Response]) -> Callable[[Request], Awaitable[Response]]:
    """The handler, called with `apart`."""

    async def waited(request: Request) -> Response:
        return await apart(handler, request)

    return waited
