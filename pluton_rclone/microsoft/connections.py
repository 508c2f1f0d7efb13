"""Connections with a limit for time and size of an answer. Imported late, with requests."""

from __future__ import annotations

import socket
import ssl
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import requests
import truststore
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

TOTAL_TIME = 300.0  # seconds of one answer; the longest pages of a feed take a tenth
LARGEST = 64 * 1024 * 1024  # bytes of a body, unpacked; a page of a feed has a few million
_CUT_AGAIN = 0.5

_using = threading.local()  # what this thread's request waits for: `connection`, `socket`


class Overrun(requests.RequestException):
    """An answer beyond a limit, which is its text."""


class Session(requests.Session):
    """Sends the given headers, never a password from .netrc, and follows no redirect."""

    def __init__(self) -> None:
        super().__init__()
        # requests reads .netrc if there is no `auth`; trust_env = False would also ignore proxies.
        self.auth = lambda request: request
        self.headers["Accept-Encoding"] = "gzip"
        for scheme in ("http://", "https://"):
            self.mount(scheme, _Adapter(pool_maxsize=16))

    def get_redirect_target(self, resp: Any) -> None:
        """None: for one that is not followed, requests would read the whole body, too."""


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Cuts this thread's connection after `seconds`; a socket's limit restarts at every byte."""
    done, late = threading.Event(), threading.Event()
    using = _using.__dict__
    using.clear()

    def watch() -> None:
        pause = seconds
        while not done.wait(pause):
            late.set()
            using["late"], pause = True, _CUT_AGAIN
            _cut(using)

    threading.Thread(target=watch, name="pluton-rclone http limit", daemon=True).start()
    try:
        yield
    except OSError:  # of requests, too
        if not late.is_set():
            raise
    finally:
        done.set()
    if late.is_set():
        raise Overrun(f"its answer did not end within {seconds:g} s")


def body(response: requests.Response) -> bytes:
    """The whole body, unpacked. `Overrun` if it is larger than `LARGEST`."""
    packed = response.headers.get("Content-Encoding", "").lower() in ("gzip", "deflate")
    unpack = zlib.decompressobj(32 + zlib.MAX_WBITS).decompress if packed else None
    blocks: list[bytes] = []
    room = LARGEST
    try:
        for block in response.raw.stream(64 * 1024, decode_content=False):
            blocks.append(unpack(block, room + 1) if unpack else block)
            room -= len(blocks[-1])
            if room < 0:
                raise Overrun(f"its answer is larger than {LARGEST:,} bytes")
    except (urllib3.exceptions.HTTPError, zlib.error) as problem:
        raise requests.ConnectionError(problem) from None
    return b"".join(blocks)


def _cut(using: dict[str, Any]) -> None:
    """Ends both directions below TLS, which another thread is in the middle of."""
    found = using.get("connection")
    for one in (using.get("socket"), getattr(found, "sock", None)):
        below: Any = getattr(one, "socket", one)
        with suppress(OSError, TypeError):
            socket.socket.shutdown(below, socket.SHUT_RDWR)


class _Told(HTTPConnection):
    def connect(self) -> None:
        _using.connection = self
        super().connect()

    def getresponse(self) -> Any:
        _using.socket = self.sock  # without keep-alive the connection forgets it
        return super().getresponse()


class _ToldTls(_Told, HTTPSConnection):
    def _tunnel(self) -> None:
        super()._tunnel()  # for it, headers may end with the connection
        if getattr(_using, "late", False):
            raise OSError("cut off")


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Told


class _PoolTls(HTTPSConnectionPool):
    ConnectionCls = _ToldTls


class _Adapter(HTTPAdapter):
    """Trusts what rclone trusts: the system's certificates, or SSL_CERT_FILE and SSL_CERT_DIR."""

    def init_poolmanager(self, *given: Any, **more: Any) -> None:
        context = truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        super().init_poolmanager(*given, ssl_context=context, **more)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _PoolTls}

    def proxy_manager_for(self, proxy: Any, **more: Any) -> Any:
        context = truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        manager = super().proxy_manager_for(proxy, ssl_context=context, **more)
        manager.pool_classes_by_scheme = self.poolmanager.pool_classes_by_scheme
        return manager
