"""What a handler works with: the application's parts, the session, the storage that is named."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import cast

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse

from pluton_rclone.errors import StorageNotFound
from pluton_rclone.microsoft.entra.app import AppRegistration
from pluton_rclone.storages.storage import Storage
from pluton_rclone.storages.storages import Storages

from .guard import Address, session_of
from .health import Healths
from .jobs import Jobs
from .people import Action, Authorize, owner, permits
from .sessions import Session, Sessions
from .view import link


@dataclass
class Page:
    """The parts of one application. `redirect_uri` is where Microsoft sends people back to."""

    storages: Storages
    address: Address
    redirect_uri: str
    sessions: Sessions
    jobs: Jobs
    registration: AppRegistration | None
    local_folders: tuple[Path, ...]
    private: tuple[Path, ...]  # never read or written, wherever it lies
    healths: Healths
    has_addresses: bool  # one-time addresses let people in, not the application around the page
    authorize: Authorize | None = None


def page_of(request: Request) -> Page:
    return cast("Page", request.app.state.page)


def session(request: Request) -> Session:
    found = session_of(request)
    assert found is not None  # the guard let nobody else through
    return found


def may(request: Request, action: Action, storage: Storage | None = None) -> bool:
    """Whether the person may do that. Without `authorize`: with their own storages, everything."""
    page, person = page_of(request), session(request).person
    if page.has_addresses:
        return True  # the page of one user of this machine, and of the browsers that they let in
    if person is None:
        return False
    if page.authorize is not None:
        return permits(page.authorize, person, action, storage)
    return storage is None or owner(storage) == person


def demand(request: Request, action: Action, storage: Storage | None = None) -> None:
    """HTTPException for somebody who may not do that."""
    if not may(request, action, storage):
        raise HTTPException(403, "You may not do that here.")


def storage_of(request: Request, action: Action = "see", name: str | None = None) -> Storage:
    """The storage that the address names, for that action. StorageNotFound, also for one that the
    person may not see; HTTPException if they may only see it.
    """
    try:
        found = page_of(request).storages[name or request.path_params["storage"]]
    except StorageNotFound:
        found = None
    if found is None or not may(request, "see", found):
        raise StorageNotFound(
            "There is no such storage here.",
            advice="The page Storages lists those that you may see.",
        )
    if action != "see":
        demand(request, action, found)
    return found


def see_other(request: Request, *parts: str) -> RedirectResponse:
    """After a form: look there."""
    return RedirectResponse(link(request, *parts), 303)
