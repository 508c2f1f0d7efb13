"""rclone's own sign-in listens on one fixed port of the machine: tests that need it take turns.

The port lies among those that Linux hands out by itself (ip_local_port_range(7): 32768 to 60999),
so any connection of any program may have it. A socket that is bound to it, and does not listen,
keeps it from being handed out; rclone, which sets SO_REUSEADDR as Go does for every listener, may
listen beside it.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPException

from pluton_rclone.emulator import Emulator
from pluton_rclone.rclone.authorize import PORT

PATIENCE = 600.0
"""Seconds until whoever has the port is given up on: other workers and other checkouts take turns
as well."""


@contextmanager
def rclone_port() -> Iterator[None]:
    """The only one that runs `rclone authorize`, whichever worker, checkout or user asks.

    The turn is a name of a unix socket without a file: valid where the port is (in this network
    namespace), and given back by the kernel whatever happens to its owner.
    """
    with _had(_turn, "the turn"), _had(kept_free, f"port {PORT}"):
        yield


@contextmanager
def _had(get: Callable[[], socket.socket], what: str) -> Iterator[None]:
    until = time.monotonic() + PATIENCE
    while True:
        try:
            held = get()
            break
        except OSError as error:
            if time.monotonic() > until:
                raise TimeoutError(
                    f"somebody on this machine has {what} of rclone's sign-in"
                ) from error
            time.sleep(0.05)
    with held:
        yield


def _turn() -> socket.socket:
    turn = socket.socket(socket.AF_UNIX)
    try:
        turn.bind(f"\0pluton-rclone-{PORT}")
    except OSError:
        turn.close()
        raise
    return turn


def kept_free() -> socket.socket:
    """Holds the port for an rclone. OSError while somebody listens on it, or while a connection has
    it."""
    held = socket.socket()
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        held.bind(("127.0.0.1", PORT))
    except OSError:
        held.close()
        raise
    return held


def visit(cloud: Emulator, username: str, address: str, *, accept: bool = True) -> None:
    """A person opens the address that rclone shows. rclone may end before its last page is out: no
    matter."""
    with suppress(HTTPException, OSError):
        cloud.person(username).visit(address, accept=accept)
