"""rclone's own sign-in listens on one fixed port of the machine: tests that need it take turns.

The port is among those that Linux hands out by itself (ip_local_port_range(7): 32768 to 60999),
so any connection of any program may have it. A socket that is bound to it and does not listen
keeps it from being handed out; rclone can still listen there, because Go sets SO_REUSEADDR on every
listener.
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
"""Seconds to wait for the port: other workers and other checkouts take turns, too."""


@contextmanager
def rclone_port() -> Iterator[None]:
    """Hold the exclusive turn to run `rclone authorize`, across workers, checkouts and users.

    The turn is an abstract unix socket: valid where the port is (in this network namespace), and
    released by the kernel whatever happens to its owner.
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
    """Hold the port for an rclone. Raises OSError while another program listens on it or a
    connection uses it."""
    held = socket.socket()
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        held.bind(("127.0.0.1", PORT))
    except OSError:
        held.close()
        raise
    return held


def visit(cloud: Emulator, username: str, address: str, *, accept: bool = True) -> None:
    """Open the address that rclone shows, as a person does. rclone may end before its last page is
    sent, which does not matter."""
    with suppress(HTTPException, OSError):
        cloud.person(username).visit(address, accept=accept)
