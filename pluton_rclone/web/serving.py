"""Serves the page on this machine: loopback only, with a one-time address."""

from __future__ import annotations

import hashlib
import signal
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from pluton_rclone.errors import UsageError

if TYPE_CHECKING:
    import uvicorn
    from starlette.applications import Starlette

    from pluton_rclone.microsoft.entra.app import AppRegistration
    from pluton_rclone.storages.storages import Storages


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
    """Serve until Ctrl-C or SIGTERM; ends all work, then raises KeyboardInterrupt or SystemExit.

    `on_ready` gets the one-time address when the page answers. `port` 0 takes a free one; with a
    fixed port, drafts survive a restart. Binds to loopback; `host` binds elsewhere and needs
    `public_url`, the address of the HTTPS proxy in front. UsageError.
    """
    from pluton_rclone.process.folders import runtime_folder

    from .app import create_app, one_time_address

    if host is not None and not (public_url or "").startswith("https://"):
        advice = "Put a proxy with a certificate in front; its address is the public URL."
        raise UsageError("A page that is open to other machines needs HTTPS.", advice=advice)
    sockets = listen(host, port)
    try:
        url = public_url or f"http://localhost:{sockets[0].getsockname()[1]}"
        digest = hashlib.sha256(url.encode()).hexdigest()[:16]
        kept = runtime_folder() / f"web-{digest}" if port else None
        made = create_app(
            storages, public_url=url, app=app, state_folder=kept, local_folders=local_folders
        )
        address = one_time_address(made)
        with _terminated_gently():
            server(made, lambda: on_ready(address)).run(sockets=sockets)
    finally:
        for one in sockets:
            one.close()


@contextmanager
def _terminated_gently() -> Iterator[None]:
    """SIGTERM, which uvicorn raises again after its end, becomes an exception, so that cleaning up
    happens. Another handler stays.
    """

    def stop(number: int, frame: object) -> None:
        raise SystemExit(128 + number)

    in_main = threading.current_thread() is threading.main_thread()
    ours = in_main and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    if ours:
        signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        if ours:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)


def server(made: Starlette, on_ready: Callable[[], None]) -> uvicorn.Server:
    """What answers for the page, within the bounds of `plumbing.connections`."""
    import uvicorn

    from .plumbing.connections import HEADERS, Bounded

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            if self.started:
                on_ready()

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
    """Browsers try ::1 as well as 127.0.0.1 for localhost; without IPv6, IPv4 is enough."""
    loopback = [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")]
    wanted = [(socket.AF_INET, host)] if host else loopback
    sockets: list[socket.socket] = []
    for family, name in wanted:
        one = socket.socket(family, socket.SOCK_STREAM)
        try:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            one.bind((name, sockets[0].getsockname()[1] if sockets else port))
            one.listen(128)
        except OSError as error:
            one.close()
            if sockets:
                continue
            what, advice = f"The page cannot listen on {name}:{port}.", "Choose another port."
            raise UsageError(what, why=error.strerror, advice=advice) from None
        sockets.append(one)
    return sockets
