"""Connections with a limit for time and size of an answer. Imported late, with requests."""

from __future__ import annotations

import ssl
import time
import zlib
from typing import Any

import requests
import truststore
import urllib3
from requests.adapters import HTTPAdapter

from pluton_rclone.values.program import USER_AGENT

TOTAL_TIME = 300.0  # seconds of one answer; the longest pages of a feed take a tenth
LARGEST = 64 * 1024 * 1024  # bytes of a body, unpacked; a page of a feed has a few million


class Overrun(requests.RequestException):
    """An answer beyond a limit, which is its text."""


def late(seconds: float) -> Overrun:
    """For an answer that takes longer than that."""
    return Overrun(f"its answer did not end within {seconds:g} s")


class Session(requests.Session):
    """Sends our name, never a password from .netrc, and follows no redirect."""

    def __init__(self) -> None:
        super().__init__()
        # requests reads .netrc if there is no `auth`; trust_env = False would also ignore proxies.
        self.auth = lambda request: request
        self.headers.update({"Accept-Encoding": "gzip", "User-Agent": USER_AGENT})
        for scheme in ("http://", "https://"):
            self.mount(scheme, _Adapter(pool_maxsize=16))

    def get_redirect_target(self, resp: Any) -> None:
        """None: for one that is not followed, requests would read the whole body, too."""


def body(response: requests.Response, began: float, seconds: float) -> bytes:
    """The whole body, unpacked. `Overrun` if it is larger than `LARGEST`, or still arrives so many
    seconds after it `began`, by time.monotonic()."""
    packed = response.headers.get("Content-Encoding", "").lower() in ("gzip", "deflate")
    unpack = zlib.decompressobj(32 + zlib.MAX_WBITS).decompress if packed else None
    blocks: list[bytes] = []
    room = LARGEST
    try:
        while block := response.raw.read1(64 * 1024, decode_content=False):
            if time.monotonic() > began + seconds:
                raise late(seconds)
            blocks.append(unpack(block, room + 1) if unpack else block)
            room -= len(blocks[-1])
            if room < 0:
                raise Overrun(f"its answer is larger than {LARGEST:,} bytes")
    except (urllib3.exceptions.HTTPError, zlib.error) as problem:
        raise requests.ConnectionError(problem) from None
    return b"".join(blocks)


class _Adapter(HTTPAdapter):
    """Trusts what rclone trusts: the system's certificates, or SSL_CERT_FILE and SSL_CERT_DIR."""

    def init_poolmanager(self, *given: Any, **more: Any) -> None:
        super().init_poolmanager(*given, ssl_context=_trusting(), **more)

    def proxy_manager_for(self, proxy: Any, **more: Any) -> Any:
        return super().proxy_manager_for(proxy, ssl_context=_trusting(), **more)


def _trusting() -> ssl.SSLContext:
    return truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
