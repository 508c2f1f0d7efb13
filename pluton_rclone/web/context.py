"""What a handler works with: the application's parts, the session, the draft that the address names."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import cast

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse

from pluton_rclone.microsoft.entra.app import AppRegistration
from pluton_rclone.storages.storage import Storage
from pluton_rclone.storages.storages import Storages

from .plumbing.guard import Address, session_of
from .plumbing.jobs import Jobs
from .plumbing.sessions import Session, Sessions
from .plumbing.view import link
from .storages.health import Healths
from .wizard.draft import Draft


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
    healths: Healths
    has_addresses: bool  # people are let in by one-time addresses, not by the application around the page


def page_of(request: Request) -> Page:
    return cast("Page", request.app.state.page)


def session(request: Request) -> Session:
    found = session_of(request)
    assert found is not None  # the guard let nobody else through
    return found


def draft_of(request: Request) -> Draft:
    """The draft that the address names, of this session: anybody else's is not there."""
    found = session(request).drafts.get(request.path_params["setup"])
    if found is None:
        raise HTTPException(
            404, "This storage is not being added here: it was saved, given up, or begun by somebody else."
        )
    return found


def storage_of(request: Request) -> Storage:
    """The storage that the address names, by its remote's name. StorageNotFound."""
    return page_of(request).storages[request.path_params["storage"]]


def see_other(request: Request, *parts: str) -> RedirectResponse:
    """After a form: look there."""
    return RedirectResponse(link(request, *parts), 303)
