"""Who may come in: one-time addresses, further people, leaving."""

from __future__ import annotations

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from .context import Page, page_of, see_other, session
from .guard import session_cookie, session_of
from .view import draw, refusal


def address(page: Page, root: str = "") -> str:
    """A new one-time address."""
    return f"{page.address.origin}{root}/open/{page.sessions.new_secret()}"


def enter(request: Request) -> Response:
    """GET: the one-time address. Its secret works once and leaves the address bar at once."""
    page = page_of(request)
    cookie = page.sessions.redeem(request.path_params["secret"]) if page.has_addresses else None
    response = see_other(request, "")
    if cookie is not None:
        response.headers.append("set-cookie", session_cookie(page.address, cookie, request.scope))
    elif session_of(request) is None:
        what = "This address was used already, or is too old."
        advice = (
            "It lets one browser in, once. Start `pluton-rclone web` again for a new one, or make "
            "one for a further browser on the page itself, where it is open."
        )
        return refusal(request, 403, what, advice)
    return response


def invite(request: Request) -> Response:
    """POST: an address for a further browser or person."""
    page = page_of(request)
    if not page.has_addresses:
        raise HTTPException(404, "The application around this page lets people in.")
    return draw(request, "invite.html", address=address(page, request.scope.get("root_path") or ""))


def leave(request: Request) -> Response:
    """POST: this session ends, with everything that was not saved."""
    page_of(request).sessions.end(session(request))
    request.scope["pluton.session"] = None
    advice = (
        "What was saved stays; what was not is gone. To come back, start `pluton-rclone web` "
        "again: it shows a new address."
    )
    return refusal(request, 200, "You have left.", advice)
