"""HTTP connections that limit the time and size of a response. Imported late, with requests."""

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

TOTAL_TIME = 300.0  # seconds per response; the largest pages of a feed take a tenth of that
LARGEST = 64 * 1024 * 1024  # bytes of a decompressed body; a page of a feed has a few million


class Overrun(requests.RequestException):
    """A response exceeded a limit; the exception's text names the limit."""


def late(seconds: float) -> Overrun:
    """The exception for a response that takes longer than `seconds`."""
    return Overrun(f"its answer took longer than {seconds:g} s")


class Session(requests.Session):
    """Sends our User-Agent, never sends a password from .netrc, and follows no redirects."""

    def __init__(self) -> None:
        super().__init__()
        # Without `auth`, requests reads .netrc; trust_env = False would also ignore proxies.
        self.auth = lambda request: request
        self.headers.update({"Accept-Encoding": "gzip", "User-Agent": USER_AGENT})
        for scheme in ("http://", "https://"):
            self.mount(scheme, _Adapter(pool_maxsize=16))

    def get_redirect_target(self, resp: Any) -> None:
        """None: requests would read a redirect's whole body even without following it."""


def body(response: requests.Response, began: float, seconds: float) -> bytes:
    """The whole body, decompressed. Raises `Overrun` if it is larger than `LARGEST`, or is still
    arriving `seconds` after `began` (time.monotonic())."""
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
    """Trusts the CAs that rclone trusts: the system's, or SSL_CERT_FILE and SSL_CERT_DIR."""

    def init_poolmanager(self, *given: Any, **more: Any) -> None:
        super().init_poolmanager(*given, ssl_context=_trusting(), **more)

    def proxy_manager_for(self, proxy: Any, **more: Any) -> Any:
        return super().proxy_manager_for(proxy, ssl_context=_trusting(), **more)


def _trusting() -> ssl.SSLContext:
    return truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
