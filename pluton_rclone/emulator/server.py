"""The emulator as one object: its own thread, its own event loop, one port on the loopback
interface."""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
import tempfile
import threading
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, cast

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from . import inhabitants, tls
from .dispatch import RESET, App, Dispatch
from .door import Door
from .drives.drive import Drive
from .drives.files import Files
from .drives.uploads import OpenUpload
from .entra import entra_app, sign_in
from .foreign import ForeignServer
from .graph import Budgets, Faults, graph_app
from .proxy import ProxyConnection
from .quirks import Quirks
from .trouble import SignInTrouble, troubled
from .world import Request, World

if TYPE_CHECKING:
    from .person import PersonAtBrowser

# seconds; if this were shorter than a client's own limit, connections would break in use
KEEP_ALIVE = 120

# Rounds of the event loop until a connection accepted at the last moment is registered and ended;
# if its server were closed first, asyncio would leave it open.
_ROUNDS = 5

_QUICKACK: int | None = getattr(socket, "TCP_QUICKACK", None)


class _HttpProtocol(HttpToolsProtocol):
    """uvicorn's HTTP/1.1 on the socket of a tunnel: data may arrive before `connection_made`."""

    _early: list[bytes] | None = None

    def __init__(self, config: Config, state: ServerState) -> None:
        super().__init__(config=config, server_state=state, app_state={})
        self.access_log = False
        self._early = []

    def data_received(self, data: bytes) -> None:
        if self._early is not None:
            self._early.append(data)
            return
        super().data_received(data)
        cycle: RequestResponseCycle | None = self.cycle
        if _QUICKACK is not None and cycle is not None and cycle.more_body:
            # urllib3 leaves Nagle's algorithm on behind a proxy: the rest of the request waits for
            # this ACK, which Linux would delay by 40 ms.
            self.transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, _QUICKACK, 1)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        cast("dict[str, Any]", self.scope)["extensions"] = {RESET: self._reset}

    def _reset(self) -> None:
        """End the connection with a TCP reset instead of an orderly close."""
        if not self.transport.is_closing():  # by the client
            linger = struct.pack("ii", 1, 0)
            self.transport.get_extra_info("socket").setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, linger
            )
        self.transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if self._early is None:  # already lost
            cast("asyncio.Transport", transport).abort()
            return
        super().connection_made(cast("asyncio.Transport", transport))
        early, self._early = self._early, None
        for data in early:
            super().data_received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._early is not None:
            self._early = None
            return
        super().connection_lost(exc)
        self.transport.close()  # uvicorn leaves a reset one open; Python 3.10 warns


class Emulator:
    """Microsoft on this machine. A context manager; `start` and `close` do the same by hand.

    Clients need only `environment`. `world` is the state, which tests may inspect and change while
    it serves; `requests` is the request log. `content_folder` keeps file contents on disk instead
    of in memory. `door` lets ordinary browsers in, at `world.door` (door.py).
    """

    def __init__(self, *, content_folder: Path | None = None, door: bool = False) -> None:
        self.world = World(content_folder=content_folder)
        self._has_door = door
        self.refused_hosts: list[str] = []  # outside hosts that clients asked for, as host:port
        entra = troubled(entra_app(self.world), self.world.part(SignInTrouble))
        self._dispatch = Dispatch(self.world, entra, graph_app(self.world))
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._port = 0

    # ---- for clients -----------------------------------------------------------------------------

    @property
    def environment(self) -> dict[str, str]:
        """The three variables that lead a program to this Microsoft instead of the real one."""
        return {
            "HTTPS_PROXY": self.proxy_url,
            "SSL_CERT_FILE": str(self.ca_file),
            "REQUESTS_CA_BUNDLE": str(self.ca_file),
        }

    @property
    def proxy_url(self) -> str:
        """Where the CONNECT proxy listens, `http://127.0.0.1:PORT`."""
        if self._thread is None:
            raise RuntimeError(
                "the emulator is not running: use it with `with Emulator() as cloud:`"
            )
        return f"http://127.0.0.1:{self._port}"

    @property
    def ca_file(self) -> Path:
        """The certificate of the private CA, PEM."""
        if self._folder is None:
            raise RuntimeError(
                "the emulator is not running: use it with `with Emulator() as cloud:`"
            )
        return Path(self._folder.name) / "ca.pem"

    @property
    def requests(self) -> list[Request]:
        """The requests so far, oldest first; each is listed before its answer leaves."""
        return self.world.requests

    @property
    def crashes(self) -> list[BaseException]:
        """Exceptions of the emulator itself, each one a bug; complete once it is closed."""
        return self._dispatch.crashes

    @property
    def files(self) -> Files:
        """The drives and sites: `files.drive_of("anna@outlook.com").write("a/b.txt", b"…")`."""
        return self.world.part(Files)

    @property
    def faults(self) -> Faults:
        """Faults to arm in one line: `faults.throttle(times=3)`, `faults.latency = 0.06`."""
        return self.world.part(Faults)

    @property
    def quirks(self) -> Quirks:
        """What Microsoft really does, by name: `quirks.no_license(username)`; see quirks.py."""
        return self.world.part(Quirks)

    def open_upload_sessions(self, drive: Drive | None = None) -> list[OpenUpload]:
        """The open upload sessions (not finished, cancelled, lost or expired) of `drive` or all."""
        return self.files.open_uploads(drive)

    @property
    def budgets(self) -> Budgets:
        """Microsoft's throttling budgets, off until `budgets.enable()`."""
        return self.world.part(Budgets)

    def person(self, username: str) -> PersonAtBrowser:
        """A simulated person who answers the sign-in pages; KeyError if the account is unknown."""
        from .person import Browser, PersonAtBrowser

        account = self.world.person(username)
        return PersonAtBrowser(
            account.username, Browser(proxy_url=self.proxy_url, ca_file=str(self.ca_file))
        )

    def sign_in(
        self, username: str, *scopes: str, client_id: str = inhabitants.PUBLIC_CLIENT_ID
    ) -> dict[str, Any]:
        """The token answer for a person who signed in and consented, without the sign-in pages.

        Without scopes: `Files.ReadWrite offline_access`, the minimum for a backup.
        """
        asked = " ".join(scopes) or "Files.ReadWrite offline_access"
        return sign_in(self.world, username, asked, client_id)

    def route(self, host: str, port: int, *, path: str = "/") -> None:
        """Let a plain HTTP server on this machine's `port` answer for `host` below `path`."""
        self._dispatch.foreign.insert(0, ForeignServer(host, path, ("127.0.0.1", port)))

    # ---- running ---------------------------------------------------------------------------------

    def start(self) -> Emulator:
        """Serve in a separate thread; return once the port is open."""
        if self._thread is not None:
            raise RuntimeError("the emulator is running already")
        self._folder = tempfile.TemporaryDirectory(prefix="pluton-emulator-")
        self.ca_file.write_bytes(tls.ca_certificate())
        listener, *doors = (
            socket.create_server(("127.0.0.1", 0), backlog=512) for _ in range(1 + self._has_door)
        )
        self._port = listener.getsockname()[1]
        for door in doors:
            self.world.door = f"http://127.0.0.1:{door.getsockname()[1]}"
        context = tls.server_context()
        ready = threading.Event()
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._serve(listener, doors, context, ready)),
            name="pluton-emulator",
            daemon=True,
        )
        self._thread.start()
        ready.wait()
        return self

    def close(self) -> None:
        """Stop serving, end every connection, remove the CA file. A second call does nothing."""
        thread, self._thread = self._thread, None
        if thread is not None:
            assert self._loop is not None
            assert self._stop is not None
            self._loop.call_soon_threadsafe(self._stop.set)
            thread.join()
        folder, self._folder = self._folder, None
        if folder is not None:
            folder.cleanup()

    def __enter__(self) -> Emulator:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    async def _serve(
        self,
        listener: socket.socket,
        doors: list[socket.socket],
        context: ssl.SSLContext,
        ready: threading.Event,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        config = _config(self._dispatch)
        state = ServerState()
        tunnels: set[ProxyConnection] = set()
        server = await self._loop.create_server(
            lambda: ProxyConnection(
                context, lambda: _HttpProtocol(config, state), tunnels, self.refused_hosts
            ),
            sock=listener,
            backlog=512,
        )
        servers = [server]
        for door in doors:
            plain = _config(Door(self.world, self._dispatch))
            servers.append(
                await self._loop.create_server(partial(_HttpProtocol, plain, state), sock=door)
            )
        ready.set()
        await self._stop.wait()
        for server in servers:
            for listening in server.sockets:
                self._loop.remove_reader(listening.fileno())
        for _ in range(_ROUNDS):
            for connection in [*state.connections, *tunnels]:
                if connection.transport is not None:
                    connection.transport.abort()
            await asyncio.sleep(0)
        for server in servers:
            server.close()
        for task in list(state.tasks):
            task.cancel()
        await asyncio.gather(*state.tasks, return_exceptions=True)
        await asyncio.sleep(0)  # the transports' connection_lost


def _config(app: App) -> Config:
    config = Config(
        app=cast("Any", app),
        interface="asgi3",
        http="httptools",
        ws="none",
        lifespan="off",
        log_config=None,
        proxy_headers=False,
        server_header=False,
        date_header=False,
        timeout_keep_alive=KEEP_ALIVE,
    )
    config.load()
    return config
