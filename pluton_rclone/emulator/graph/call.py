"""One request to the emulated Graph and its answer: a thin layer over the ASGI scope."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterator, MutableMapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

import msgspec

from pluton_rclone.emulator.drives import refusals
from pluton_rclone.emulator.drives.quickxor import Buffer
from pluton_rclone.emulator.hosts import Service

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

MAX_JSON = 4 * 1024 * 1024  # bytes of a JSON body

encode = msgspec.json.Encoder().encode
_JSON = (
    b"content-type",
    b"application/json;odata.metadata=minimal;odata.streaming=true;charset=utf-8",
)


class Broken(Exception):
    """The client disconnected in the middle of its request."""


class Answer(NamedTuple):
    """Status, headers and body; for content, `stream` instead of `body`."""

    status: int
    body: bytes = b""
    headers: Sequence[tuple[bytes, bytes]] = ()
    stream: Iterator[Buffer] | None = None
    length: int | None = None  # of the stream


def json_answer(status: int, value: Any, headers: Headers | None = None) -> Answer:
    """An answer with a JSON body."""
    return Answer(status, encode(value), [_JSON, *headers] if headers else [_JSON])


NO_CONTENT = Answer(204)


class Call:
    """A request: its address, its headers, its body on demand."""

    __slots__ = (
        "_query",
        "_receive",
        "arrived",
        "cloud",
        "headers",
        "host",
        "method",
        "path",
        "query_string",
        "service",
    )

    def __init__(
        self, scope: Scope, receive: Receive, host: str, cloud: str, service: Service
    ) -> None:
        self.method: str = scope["method"]
        self.host = host
        self.cloud = cloud
        self.service = service
        raw: bytes = scope.get("raw_path") or scope["path"].encode()
        self.path = raw.partition(b"?")[0].decode(
            "latin-1"
        )  # percent-encoded: names may hold any character
        self.query_string: bytes = scope["query_string"]
        self.headers: Headers = scope["headers"]
        self._receive = receive
        self._query: dict[str, str] | None = None
        self.arrived = time.monotonic()  # updated once the body has been read

    @property
    def query(self) -> dict[str, str]:
        """The parameters, decoded; if a name is repeated, the first value counts."""
        if self._query is None:
            pairs = parse_qsl(self.query_string.decode("latin-1"), keep_blank_values=True)
            self._query = dict(reversed(pairs))
        return self._query

    def header(self, name: bytes) -> str | None:
        """A header by its lower-case name."""
        for key, value in self.headers:
            if key == name:
                return value.decode("latin-1")
        return None

    @property
    def content_length(self) -> int | None:
        value = self.header(b"content-length")
        return int(value) if value is not None and value.isdigit() else None

    async def chunks(self, take: Callable[[bytes], None]) -> None:
        """Pass each part of the body to `take` as it arrives. Raises `Broken` if the client
        disconnects."""
        more = True
        while more:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise Broken
            data = message.get("body", b"")
            if data:
                take(data)
            more = message.get("more_body", False)
        self.arrived = time.monotonic()

    async def body(self) -> bytes:
        """The whole body of a small request."""
        parts: list[bytes] = []
        size = 0

        def take(data: bytes) -> None:
            nonlocal size
            size += len(data)
            if size <= MAX_JSON:
                parts.append(data)

        await self.chunks(take)
        if size > MAX_JSON:
            raise refusals.request_too_large()
        return b"".join(parts)

    async def json(self) -> dict[str, Any]:
        """The body as a JSON object; an empty body is an empty object."""
        data = await self.body()
        if not data.strip():
            return {}
        try:
            value = msgspec.json.decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise refusals.invalid_request("Unable to read JSON request payload.") from None
        if not isinstance(value, dict):
            raise refusals.invalid_request("Unable to read JSON request payload.")
        return value
