"""A server on 127.0.0.1 that stops on request, even if clients keep connections open."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing_extensions import Self


class LoopbackServer:
    """Listens on a free port of 127.0.0.1 as soon as it is created. Each connection has its own
    thread, which calls `serve`."""

    def __init__(self) -> None:
        self.over = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._connections: set[socket.socket] = set()
        self._thread = threading.Thread(target=self._accept, name="loopback", daemon=True)
        self.port = int(self._listener.getsockname()[1])

    def serve(self, connection: socket.socket) -> None:
        """Answer one connection."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop answering, and close all sockets."""
        self.over.set()
        if self._thread.is_alive():  # not in a child of os.fork(), which has no such thread
            with suppress(OSError):  # wakes it on Linux, even if no descriptors are left
                self._listener.shutdown(socket.SHUT_RDWR)
            with suppress(OSError), socket.socket() as last:  # wakes it on every system
                last.connect(("127.0.0.1", self.port))
            self._thread.join()
            for connection in self._connections.copy():  # a browser opens spare ones
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while not self.over.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:  # the client has disconnected, or no descriptors are left
                self.over.wait(0.1)
                continue
            self._connections.add(connection)
            try:
                threading.Thread(target=self._served, args=(connection,), daemon=True).start()
            except RuntimeError:  # no more threads can be started; the client will retry
                self._connections.discard(connection)
                connection.close()

    def _served(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            if not self.over.is_set():
                self.serve(connection)
        self._connections.discard(connection)
