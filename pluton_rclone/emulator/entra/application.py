"""The addresses of the sign-in service, as one ASGI application."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from pluton_rclone.emulator.hosts import CLOUDS, place
from pluton_rclone.emulator.routes import routed

from . import adminconsent, device, discovery, pages, token
from .aadsts import EntraError, Trace
from .endpoint import Endpoint, find_endpoint
from .interactive import Interaction, Page

if TYPE_CHECKING:
    from pluton_rclone.emulator.dispatch import App
    from pluton_rclone.emulator.world import World

Handler = Callable[[Request], Awaitable[Response]]

COOKIE = "ESTSAUTHPERSISTENT"
MAX_FORM = 1 << 20

# microsoft.com/…: the short addresses of the device page, each leading to a cloud's own.
_DEVICE_PAGES = {
    "devicelogin": "global",
    "link": "global",
    "deviceloginus": "us",
    "deviceloginchina": "cn",
}


class Entra:
    """The handlers; each reads a request, calls the responsible module, writes the answer."""

    def __init__(self, world: World) -> None:
        self.world = world

    def routes(self) -> list[Route]:
        def api(path: str, handler: Handler, method: str) -> Route:
            return Route(path, self._as_json(handler), methods=[method])

        def site(path: str, handler: Handler) -> Route:
            return Route(path, self._as_page(handler), methods=["GET", "POST"])

        return [
            api(
                "/{tenant}/v2.0/.well-known/openid-configuration", self.openid_configuration, "GET"
            ),
            api("/{tenant}/.well-known/openid-configuration", self.openid_configuration, "GET"),
            api("/{tenant}/discovery/instance", self.instance_discovery, "GET"),
            api("/{tenant}/discovery/v2.0/keys", self.keys, "GET"),
            api("/{tenant}/oauth2/v2.0/token", self.token, "POST"),
            api("/{tenant}/oauth2/v2.0/token", self.wrong_verb, "GET"),
            api("/{tenant}/oauth2/v2.0/devicecode", self.devicecode, "POST"),
            site("/{tenant}/oauth2/v2.0/authorize", self.authorize),
            site("/{tenant}/oauth2/deviceauth", self.deviceauth),
            site("/{tenant}/v2.0/adminconsent", self.adminconsent),
            site("/{tenant}/adminconsent", self.adminconsent),
            site("/{tenant}/oauth2/v2.0/logout", self.logout),
            site("/{tenant}/login", self.login),
            site("/{page}", self.device_page),
        ]

    # ---- for programs ----------------------------------------------------------------------------

    async def openid_configuration(self, request: Request) -> Response:
        try:
            found = discovery.openid_configuration(self._endpoint(request))
            for name in ("authorization_endpoint", "end_session_endpoint"):
                found[name] = self.world.shown(found[name])
            return _json(found)
        except (
            EntraError
        ) as error:  # this document has an error value of its own (entra-errors.json, 90002)
            error.error = "invalid_tenant" if error.code == 90002 else error.error
            raise

    async def instance_discovery(self, request: Request) -> Response:
        query = request.query_params
        asked = query.get("authorization_endpoint", "")
        return _json(discovery.instance_discovery(asked, query.get("api-version", "1.0")))

    async def keys(self, request: Request) -> Response:
        return _json(discovery.keys(self._endpoint(request)))

    async def token(self, request: Request) -> Response:
        form = await _form(request)
        return _json(token.answer(self.world, self._endpoint(request), form, request.headers))

    async def devicecode(self, request: Request) -> Response:
        form = await _form(request)
        return _json(device.issue(self.world, self._endpoint(request), form, request.headers))

    async def wrong_verb(self, request: Request) -> Response:
        raise EntraError(900561)

    # ---- for people ------------------------------------------------------------------------------

    async def authorize(self, request: Request) -> Response:
        query = dict(request.query_params) | (
            await _form(request) if request.method == "POST" else {}
        )
        return self._shown(self._interaction(request).authorize(self._endpoint(request), query))

    async def login(self, request: Request) -> Response:
        return self._shown(self._interaction(request).press(await _form(request)))

    async def deviceauth(self, request: Request) -> Response:
        typed = (
            (await _form(request)).get("otc")
            if request.method == "POST"
            else request.query_params.get("otc")
        )
        return self._shown(device.enter(self._interaction(request), _host(request), typed))

    async def adminconsent(self, request: Request) -> Response:
        endpoint = self._endpoint(request)
        return self._shown(
            adminconsent.begin(self._interaction(request), endpoint, dict(request.query_params))
        )

    async def logout(self, request: Request) -> Response:
        answer = HTMLResponse(
            pages.done("You signed out of your account", "It's a good idea to close all windows.")
        )
        answer.delete_cookie(COOKIE)
        return answer

    async def device_page(self, request: Request) -> Response:
        cloud = _DEVICE_PAGES.get(request.path_params["page"].lower())
        if cloud is None:
            return HTMLResponse(
                pages.done("Not here", "The emulator has no such page."), status_code=404
            )
        return RedirectResponse(
            f"https://{CLOUDS[cloud].login}/common/oauth2/deviceauth", status_code=302
        )

    # ---- shared ----------------------------------------------------------------------------------

    def _endpoint(self, request: Request) -> Endpoint:
        host = _host(request)
        placed = place(host)
        assert placed is not None  # the dispatcher sends only known hosts here
        return find_endpoint(self.world, placed[0], host, request.path_params["tenant"])

    def _interaction(self, request: Request) -> Interaction:
        return Interaction(self.world, self._trace(request), request.cookies.get(COOKIE))

    def _trace(self, request: Request) -> Trace:
        correlation = request.headers.get("client-request-id") or request.query_params.get(
            "client-request-id"
        )
        return Trace.of(self.world.now(), correlation)

    def _shown(self, page: Page) -> Response:
        answer: Response
        if page.location is not None:
            answer = RedirectResponse(page.location, status_code=302)
        else:
            answer = HTMLResponse(page.html, status_code=page.status)
        if page.cookie is not None:
            answer.set_cookie(COOKIE, page.cookie, secure=True, httponly=True, samesite="none")
        answer.headers["Cache-Control"] = "no-store, no-cache"
        return answer

    def _as_json(self, handler: Handler) -> Handler:
        async def answered(request: Request) -> Response:
            trace = self._trace(request)
            try:
                answer = await handler(request)
            except EntraError as error:
                host = CLOUDS[(place(_host(request)) or ("global",))[0]].login
                answer = _json(error.body(trace, host), error.status)
                answer.headers.update(error.headers)
            answer.headers["Cache-Control"] = "no-store, no-cache"
            answer.headers["x-ms-request-id"] = trace.trace_id
            answer.headers["client-request-id"] = trace.correlation_id
            return answer

        return answered

    def _as_page(self, handler: Handler) -> Handler:
        async def answered(request: Request) -> Response:
            try:
                return await handler(request)
            except EntraError as error:
                return HTMLResponse(
                    pages.refusal(error.description(self._trace(request)), None), status_code=400
                )

        return answered


def entra_app(world: World) -> App:
    """The sign-in service of every cloud of this world; the Host header selects the cloud."""
    return routed(Entra(world).routes())


def _json(answer: dict[str, Any], status: int = 200) -> Response:
    return Response(token.body_of(answer), status, media_type="application/json; charset=utf-8")


def _host(request: Request) -> str:
    return request.headers.get("host", "").lower().removesuffix(":443")


async def _form(request: Request) -> dict[str, str]:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_FORM:
            raise EntraError(9002313, error="invalid_request")
    try:
        return dict(parse_qsl(body.decode(), keep_blank_values=True))
    except UnicodeDecodeError:
        raise EntraError(9002313, error="invalid_request") from None
