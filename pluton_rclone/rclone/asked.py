"""How many requests an rclone has made: its counters of HTTP responses, which it serves in
Prometheus' format on a socket (`--metrics-addr`, `Feature.METRICS`), in 1 ms (measured, 1.75.2)."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import NamedTuple

from pluton_rclone.values import costs

VARIABLE = "RCLONE_METRICS_ADDR"
_LONGEST = 100  # bytes of a socket's path; the kernel allows 107
_ANSWERS = re.compile(
    rb'^rclone_http_status_code\{code="(\d+)",host="([^"]*)",method="([A-Z]*)"\} (\S+)$',
    re.MULTILINE,
)
_BUDGETED = re.compile(rb"(?:microsoft)?graph\.|[\w-]{1,63}\.sharepoint[.-]")
"""Hosts of work and school accounts; all others belong to the sign-in or to other remotes."""
_ANSWER_LIMIT = 1.0  # seconds


class Asked(NamedTuple):
    """HTTP responses of Graph and SharePoint since rclone started: all of them, the refusals (429,
    503) among them, and the resource units that they cost at most."""

    answers: int = 0
    refusals: int = 0
    units: int = 0


def address(path: Path) -> str | None:
    """The value of VARIABLE for a socket at `path`; None if `path` is too long, and on Windows."""
    return f"unix://{path}" if len(bytes(path)) <= _LONGEST and sys.platform != "win32" else None


def read(path: Path) -> Asked | None:
    """The counts from the socket at `path`; None if rclone is starting, suspended or gone."""
    if sys.platform == "win32":
        return None
    import socket  # late: by then rclone is already running

    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(_ANSWER_LIMIT)
            connection.connect(str(path))
            connection.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
            text = b""
            while block := connection.recv(65536):
                text += block
    except OSError:
        return None
    return parsed(text)


def parsed(text: bytes) -> Asked:
    """The counts in the text of the metrics."""
    answers = refusals = units = 0
    for code, host, method, number in _ANSWERS.findall(text):
        if not _BUDGETED.match(host):
            continue
        count = int(float(number))
        answers += count
        refusals += count if code in (b"429", b"503") else 0
        units += count * (costs.DOWNLOAD if _costs_one(method, code, host) else costs.LIST)
    return Asked(answers, refusals, units)


def _costs_one(method: bytes, code: bytes, host: bytes) -> bool:
    """A download (Graph redirects it to another host) and a missing item cost one unit. So does an
    existing item, but its response looks like that of a folder's list, which costs two."""
    return method == b"GET" and (
        code in (b"302", b"404") or not host.startswith((b"graph.", b"microsoftgraph."))
    )
