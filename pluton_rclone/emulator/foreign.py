"""A route to another local server, which then answers for one of Microsoft's host names.

It is made for a third-party OpenID provider: the product's sign-in meets an independent
implementation of OAuth.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import httptools

# Headers that belong to one connection, not to the message (RFC 9110, 7.6.1).
_HOP = {
    b"connection",
    b"keep-alive",
    b"transfer-encoding",
    b"te",
    b"trailer",
    b"upgrade",
    b"proxy-authorization",
}


class _Answer:
    """Collects what httptools reads from the foreign server."""

    def __init__(self) -> None:
        self.headers: list[tuple[bytes, bytes]] = []
        self.body = bytearray()
        self.complete = False

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), value))

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        self.complete = True


class ForeignServer:
    """Answers for `host` below `path` with the responses of a plain HTTP server on this machine."""

    def __init__(self, host: str, path: str, address: tuple[str, int]) -> None:
        self.host = host.lower()
        self.path = path.rstrip("/")
        self.address = address

    def takes(self, host: str, path: str) -> bool:
        return host == self.host and (path == self.path or path.startswith(f"{self.path}/"))

    async def __call__(
        self,
        scope: MutableMapping[str, Any],
        receive: Callable[[], Awaitable[MutableMapping[str, Any]]],
        send: Callable[[MutableMapping[str, Any]], Awaitable[None]],
    ) -> None:
        body = bytearray()
        more = True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":  # drop an incomplete request
                return
            body += message.get("body", b"")
            more = message.get("more_body", False)
        answer, status = await self._ask(scope, bytes(body))
        headers = [(name, value) for name, value in answer.headers if name not in _HOP]
        headers = [(name, value) for name, value in headers if name != b"content-length"]
        headers.append((b"content-length", str(len(answer.body)).encode()))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": bytes(answer.body)})

    async def _ask(self, scope: MutableMapping[str, Any], body: bytes) -> tuple[_Answer, int]:
        target = scope["raw_path"] + (
            b"?" + scope["query_string"] if scope["query_string"] else b""
        )
        lines = [scope["method"].encode() + b" " + target + b" HTTP/1.1"]
        lines += [
            name + b": " + value
            for name, value in scope["headers"]
            if name not in _HOP | {b"content-length"}
        ]
        lines += [
            b"x-forwarded-proto: https",
            b"x-forwarded-host: " + self.host.encode(),
            b"content-length: " + str(len(body)).encode(),
            b"connection: close",
        ]
        reader, writer = await asyncio.open_connection(*self.address)
        try:
            writer.write(b"\r\n".join(lines) + b"\r\n\r\n" + body)
            answer = _Answer()
            parser = httptools.HttpResponseParser(answer)
            while not answer.complete and (data := await reader.read(65536)):
                parser.feed_data(data)
            return answer, parser.get_status_code()
        finally:
            writer.close()
            await writer.wait_closed()
