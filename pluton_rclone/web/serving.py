"""Serves the page on this machine: on loopback only, with a one-time address, and with limits on
the time to send and to read for each connection, and on the number of connections."""

from __future__ import annotations

import asyncio
import errno
import socket
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType
from urllib.parse import urlsplit

import uvicorn
from starlette.applications import Starlette
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from pluton_rclone.errors import UsageError
from pluton_rclone.microsoft.entra.app import AppRegistration
from pluton_rclone.storages.storage import Storages

from .app import create_app, one_time_address

REQUEST = 20.0  # seconds for a whole request to arrive
SWITCH = 0.0005  # seconds until Python switches threads; its default 5 ms delay each system call
READER = 60.0  # seconds for a client to read some of the pending data
MOST = 250  # connections: one file descriptor each
HEADERS = 32 * 1024  # bytes of one request's headers
if sys.platform != "win32":
    import resource

    MOST = min(MOST, resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 2)  # macOS allows 256 files


class Bounded(H11Protocol):
    """uvicorn limits only idle connections; one byte per second would get around that."""

    since = 0.0
    _request: asyncio.TimerHandle | None = None
    _reader: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._wait_for_request()
        if len(self.connections) > MOST:
            alive = [one for one in self.connections if not one.transport.is_closing()]
            bounded = (one for one in alive if isinstance(one, Bounded) and one.waits)
            if len(alive) > MOST:  # at least this one is waiting
                min(bounded, key=lambda one: one.since).transport.abort()

    @property
    def waits(self) -> bool:
        """Whether the server is waiting for the client to send."""
        cycle: RequestResponseCycle | None = self.cycle
        return cycle is None or cycle.response_complete or cycle.more_body

    def _wait_for_request(self) -> None:
        if self._request is not None:
            self._request.cancel()
        self.since = self.loop.time()
        self._request = self.loop.call_later(REQUEST, self._late)

    def _late(self) -> None:
        if self.waits:
            self.transport.abort()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._wait_for_request()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._reader = self.loop.call_later(READER, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._reader is not None:
            self._reader.cancel()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        for timer in (self._request, self._reader):
            if timer is not None:
                timer.cancel()


def serve(
    storages: Storages | None = None,
    *,
    port: int = 0,
    host: str | None = None,
    public_url: str | None = None,
    app: AppRegistration | None = None,
    local_folders: Sequence[Path] | None = None,
    on_ready: Callable[[str], None] = lambda address: None,
) -> None:
    """Serve until Ctrl-C or SIGTERM; then end all work, and let the signal's previous handler run.

    `on_ready` gets the one-time address once browsers can connect. Port 0 takes a free one. Binds
    to loopback; `host` binds elsewhere and requires `public_url`, the address of the HTTPS proxy in
    front. UsageError."""
    if host is not None and not (public_url or "").startswith("https://"):
        advice = "Put a proxy with a certificate in front; its address is the public URL."
        raise UsageError("A page that is open to other machines needs HTTPS.", advice=advice)
    sockets = listen(host, port)
    before = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH)
    try:
        url = public_url or f"http://localhost:{sockets[0].getsockname()[1]}"
        made = create_app(storages, public_url=url, app=app, local_folders=local_folders)
        if urlsplit(url).path.strip("/"):
            advice = "Give it its own host name: https://pluton.example."
            raise UsageError(f"The page cannot be served below a path: {url!r}.", advice=advice)
        on_ready(one_time_address(made))  # earlier clients wait in the socket's queue
        server(made).run(sockets=sockets)
    finally:
        sys.setswitchinterval(before)
        for one in sockets:
            one.close()


class Server(uvicorn.Server):
    """Ignores a second Ctrl-C, which would abandon lifespan and running work, with a traceback."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if not self.should_exit:
            super().handle_exit(sig, frame)


def server(made: Starlette) -> uvicorn.Server:
    """The HTTP server of the application."""
    config = uvicorn.Config(
        made,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=2,
        http=Bounded,
        h11_max_incomplete_event_size=HEADERS,
        lifespan="on",
        ws="none",
    )
    return Server(config)


def listen(host: str | None, port: int) -> list[socket.socket]:
    """Listening sockets. Browsers resolve localhost to ::1 and 127.0.0.1; without IPv6, IPv4
    suffices. If another program holds ::1, it would get our requests. UsageError."""
    loopback = [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")]
    family = socket.AF_INET6 if ":" in (host or "") else socket.AF_INET
    wanted = [(family, host)] if host else loopback
    sockets: list[socket.socket] = []
    for family, name in wanted:
        address = (name, sockets[0].getsockname()[1] if sockets else port)
        try:
            sockets.append(socket.create_server(address, family=family, backlog=128))
        except (OSError, UnicodeError) as error:  # UnicodeError: not a host name
            if sockets and getattr(error, "errno", None) != errno.EADDRINUSE:
                continue
            for one in sockets:
                one.close()
            if sockets and not port:
                return listen(host, port)
            what = f"The page cannot listen on {name}, port {address[1]}."
            why = getattr(error, "strerror", None) or str(error)
            advice = "Choose another port." if host is None else "Choose another port or address."
            raise UsageError(what, why=why, advice=advice) from None
    return sockets
