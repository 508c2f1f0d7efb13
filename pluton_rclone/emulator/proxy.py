"""The local CONNECT proxy: the only way to the emulated hosts; every other host is refused.

It relays nothing: once the tunnel is established, TLS and the HTTP server take over the same
socket, so each byte passes through this process once.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import Callable

from .hosts import place

logger = logging.getLogger(__name__)

MAX_HEAD = 16 * 1024

AGREED = b"HTTP/1.1 200 Connection established\r\n\r\n"


def _refused(status: str, text: str) -> bytes:
    body = text.encode()
    head = (
        f"HTTP/1.1 {status}\r\nContent-Type: text/plain; charset=utf-8\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + body


class ProxyConnection(asyncio.Protocol):
    """One connection of a client: reads its CONNECT, then steps aside."""

    def __init__(
        self,
        context: ssl.SSLContext,
        make_server: Callable[[], asyncio.Protocol],
        connections: set[ProxyConnection],
        refused: list[str],
    ) -> None:
        self._context = context
        self._make_server = make_server
        self._connections = connections
        self._refused = refused
        self._head = b""
        self._handshake: asyncio.Task[None] | None = None
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self._connections.add(self)
        # asyncio does this by itself only for sockets created with `proto=IPPROTO_TCP`.
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def connection_lost(self, error: Exception | None) -> None:
        self._connections.discard(self)

    def data_received(self, data: bytes) -> None:
        self._head += data
        if b"\r\n\r\n" not in self._head:
            if len(self._head) > MAX_HEAD:
                self._refuse("431 Request Header Fields Too Large", "request head too long")
            return
        words = self._head.split(b"\r\n", 1)[0].decode("latin-1").split(" ")
        if len(words) != 3 or words[0] != "CONNECT":
            self._refuse(
                "405 Method Not Allowed",
                "the emulator's proxy takes CONNECT only: set HTTPS_PROXY, not HTTP_PROXY",
            )
            return
        host, _, port = words[1].rpartition(":")
        if port != "443" or place(host) is None:
            self._refused.append(words[1])
            self._refuse(
                "403 Forbidden",
                f"{words[1]} is not a host of the emulated Microsoft; no other host can be "
                "reached from here",
            )
            return
        assert self.transport is not None
        self.transport.pause_reading()
        self.transport.write(AGREED)
        if self.transport.is_closing():  # the client is gone; asyncio's TLS would wait for it
            return
        self._handshake = asyncio.get_running_loop().create_task(self._hand_over(self.transport))

    def _refuse(self, status: str, text: str) -> None:
        assert self.transport is not None
        self.transport.write(_refused(status, text))
        self.transport.close()

    async def _hand_over(self, transport: asyncio.Transport) -> None:
        loop = asyncio.get_running_loop()
        server = self._make_server()
        try:
            secure = await loop.start_tls(transport, server, self._context, server_side=True)
        except (OSError, ssl.SSLError) as error:  # the client does not trust the CA, or went away
            logger.debug("TLS handshake failed: %s", error)
            transport.abort()
            return
        finally:
            self._connections.discard(self)
        if secure is None:
            transport.abort()
            return
        server.connection_made(secure)
