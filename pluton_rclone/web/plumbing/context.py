"""What a handler works with: the application's parts, the session, the storage that is named."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import cast

from starlette.requests import Request
from starlette.responses import RedirectResponse

from pluton_rclone.microsoft.entra.app import AppRegistration
from pluton_rclone.storages.storage import Storage
from pluton_rclone.storages.storages import Storages

from .guard import Address, session_of
from .health import Healths
from .jobs import Jobs
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
    healths: Healths
    has_addresses: bool  # people are let in by one-time addresses, not by the application around the page


def page_of(request: Request) -> Page:
    return cast("Page", request.app.state.page)


def session(request: Request) -> Session:
    found = session_of(request)
    assert found is not None  # the guard let nobody else through
    return found


def storage_of(request: Request) -> Storage:
    """The storage that the address names, by its remote's name. StorageNotFound."""
    return page_of(request).storages[request.path_params["storage"]]


def see_other(request: Request, *parts: str) -> RedirectResponse:
    """After a form: look there."""
    return RedirectResponse(link(request, *parts), 303)
