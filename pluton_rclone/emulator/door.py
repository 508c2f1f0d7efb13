"""A door for an ordinary browser, which has neither the proxy nor the CA: plain HTTP on loopback.

`http://127.0.0.1:PORT/HOST/path` is `https://HOST/path` for every emulated host; links and
redirects to these hosts are rewritten to lead through the door again. `/` is the control page.
With a door, the discovery document and device codes name addresses that go through it.
"""

from __future__ import annotations

import re
from typing import Any

from .control import control_app
from .dispatch import App, Receive, Scope, Send
from .hosts import place
from .world import World

_LEADS = re.compile(r'(?P<to>\b(?:action|href)="|^)https://(?P<host>[a-z0-9.-]+)(?=[/"?]|$)')


class Door:
    """An ASGI application in front of the one for all hosts."""

    def __init__(self, world: World, app: App) -> None:
        self._world = world
        self._app = app
        self._control: App = control_app(world)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = dict(scope["headers"])
        if headers.get(b"host", b"").decode("latin-1") != self._world.door.removeprefix("http://"):
            await _misdirected(send)  # another site's name for this machine (DNS rebinding)
            return
        host, _, rest = scope["path"].removeprefix("/").partition("/")
        if place(host) is None:
            await self._control(scope, receive, send)
            return
        headers[b"host"] = host.encode()
        inner = {
            **scope,
            "path": f"/{rest}",
            "raw_path": scope["raw_path"][1 + len(host) :],
            "headers": list(headers.items()),
        }
        await self._app(inner, receive, _Rewritten(send))


class _Rewritten:
    """Rewrites an answer's links to Microsoft's hosts; buffers whole pages, which are short."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._start: dict[str, Any] | None = None
        self._page = b""

    async def __call__(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            headers = [(name, _changed(name, value)) for name, value in message["headers"]]
            message = {**message, "headers": headers}
            if dict(headers).get(b"content-type", b"").startswith(b"text/html"):
                self._start = message
                return
        elif self._start is not None:
            self._page += message.get("body", b"")
            if message.get("more_body"):
                return
            page = _through(self._page.decode()).encode()
            headers = [pair for pair in self._start["headers"] if pair[0] != b"content-length"]
            headers.append((b"content-length", str(len(page)).encode()))
            await self._send({**self._start, "headers": headers})
            message = {"type": "http.response.body", "body": page}
        await self._send(message)


def _changed(name: bytes, value: bytes) -> bytes:
    if name == b"location":
        return _through(value.decode("latin-1")).encode("latin-1")
    if name == b"set-cookie":  # some browsers drop a Secure cookie over plain HTTP
        return re.sub(rb"(?i); *(secure|samesite=none)", b"", value)
    return value


def _through(text: str) -> str:
    def led(match: re.Match[str]) -> str:
        return f"{match['to']}/{match['host']}" if place(match["host"]) else match[0]

    return _LEADS.sub(led, text)


async def _misdirected(send: Send) -> None:
    start = {"type": "http.response.start", "status": 421, "headers": [(b"content-length", b"0")]}
    await send(start)
    await send({"type": "http.response.body", "body": b""})
