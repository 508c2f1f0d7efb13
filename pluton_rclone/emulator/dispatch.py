"""One ASGI application for all hosts: picks the service by host name and keeps the request log."""

from __future__ import annotations

import re
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from .faults import ConnectionCut
from .foreign import ForeignServer
from .hosts import Service, place
from .world import Request, World

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

RESET = "pluton.reset"  # the ASGI extension that resets the connection

# Query parameters that grant access by themselves: pre-authenticated downloads, codes, tokens.
_SECRET = re.compile(
    r"(?i)\b(tempauth|access_token|id_token|refresh_token|code|device_code|client_secret)=[^&]*"
)


class Dispatch:
    """Handles every request once; kept as thin as the log allows."""

    def __init__(self, world: World, entra: App, graph: App) -> None:
        self._world = world
        self._services = {
            Service.LOGIN: entra,
            Service.DEVICE_PAGE: entra,
            Service.GRAPH: graph,
            Service.SHAREPOINT: graph,
            Service.CONTENT: graph,
        }
        self.foreign: list[ForeignServer] = []
        self.crashes: list[BaseException] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = time.monotonic()
        host = agent = prefer = ""
        for name, value in scope["headers"]:
            if name == b"host":
                host = value.decode("latin-1").lower().removesuffix(":443")
            elif name == b"user-agent":
                agent = value.decode("latin-1")
            elif name == b"prefer":
                prefer = value.decode("latin-1")
        query = scope["query_string"].decode("latin-1")
        if "=" in query:
            query = _SECRET.sub(r"\1=…", query)
        log = self._world.requests
        answered = False

        def note(status: int) -> None:
            # Before the first byte leaves, so that a client with an answer finds its request here.
            nonlocal answered
            answered = True
            seconds = time.monotonic() - started
            log.append(
                Request(
                    scope["method"],
                    host,
                    scope["path"],
                    query,
                    status,
                    agent,
                    started,
                    seconds,
                    prefer,
                )
            )

        def noted(message: MutableMapping[str, Any]) -> Awaitable[None]:
            if not answered and message["type"] == "http.response.start":
                note(message["status"])
            return send(message)

        try:
            await self._app(host, scope)(scope, receive, noted)
        except ConnectionCut:
            note(0)
            await _cut(scope, receive)
        except Exception as error:
            self.crashes.append(error)
            if not answered:
                note(500)
            raise
        if not answered:
            note(0)

    def _app(self, host: str, scope: Scope) -> App:
        for foreign in self.foreign:
            if foreign.takes(host, scope["path"]):
                return foreign
        placed = place(host)
        if placed is None:  # a Host header that is not the tunnel's
            return _misdirected
        return self._services[placed[1]]


async def _cut(scope: Scope, receive: Receive) -> None:
    scope["extensions"][RESET]()
    while (await receive())["type"] != "http.disconnect":
        pass


async def _misdirected(scope: Scope, receive: Receive, send: Send) -> None:
    await send(
        {"type": "http.response.start", "status": 421, "headers": [(b"content-length", b"0")]}
    )
    await send({"type": "http.response.body", "body": b""})
