"""How much an rclone has asked: its own counters of HTTP answers, which it serves for Prometheus on
a socket (`--metrics-addr`, `Feature.METRICS`). To read them costs it 1 ms (measured, 1.75.2)."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import NamedTuple

from pluton_rclone.values import costs

VARIABLE = "RCLONE_METRICS_ADDR"
_LONGEST = 100  # bytes of a socket's path; the kernel takes 107
_ANSWERS = re.compile(
    rb'^rclone_http_status_code\{code="(\d+)",host="([^"]*)",method="([A-Z]*)"\} (\S+)$',
    re.MULTILINE,
)
_BUDGETED = re.compile(rb"(?:microsoft)?graph\.|[\w-]{1,63}\.sharepoint[.-]")
"""The hosts of work and school accounts; others are those of the sign-in, or of other remotes."""
_ANSWER_LIMIT = 1.0  # seconds


class Asked(NamedTuple):
    """HTTP answers of Graph and SharePoint since rclone started: all, refusals (429, 503) among
    them, and the resource units that they cost at most."""

    answers: int = 0
    refusals: int = 0
    units: int = 0


def address(path: Path) -> str | None:
    """The value of VARIABLE for a socket at this path; None if the path is too long for one, and on
    Windows."""
    return f"unix://{path}" if len(bytes(path)) <= _LONGEST and sys.platform != "win32" else None


def read(path: Path) -> Asked | None:
    """None while rclone does not answer: before it is up, while it is stopped, after its end."""
    if sys.platform == "win32":
        return None
    import socket  # late: it is read beside an rclone that is at work

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
    """From the metrics' text."""
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
    item that is there, but its answer cannot be told from a folder's list, which costs two."""
    return method == b"GET" and (
        code in (b"302", b"404") or not host.startswith((b"graph.", b"microsoftgraph."))
    )
