"""Calls to a running rclone (`rclone rcd`) over its unix socket: HTTP with JSON, connections kept
open.

A path that is no UTF-8 cannot stand in JSON; rclone also reads parameters from the address of a
call, so that is where such bytes travel, percent-encoded.
"""

from __future__ import annotations

import http.client
import os
import threading
import urllib.parse
from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from pluton_rclone.errors import PlutonRcloneError, RcloneError
from pluton_rclone.process.system import unix_socket

from . import faults

T = TypeVar("T")

Params = Mapping[str, Any]


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost")
        self._path = path

    def connect(self) -> None:
        self.sock = unix_socket()
        self.sock.connect(self._path)


class Lost(RcloneError):
    """The daemon does not answer: it has ended."""

    code = "rclone_lost"


class RcClient:
    """May be used from any number of threads: each call has a connection to itself, taken from
    those that idle."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._idle: list[_Connection] = []
        self._lock = threading.Lock()

    def call(self, method: str, params: Params) -> Any:
        """The answer as plain objects. Raises the mapped fault if rclone refuses, `Lost` if it is
        gone."""
        return self.call_typed(method, params, None)

    def call_typed(self, method: str, params: Params, kind: type[T] | None) -> T:
        """As `call`, decoded straight into `kind`; msgspec.ValidationError if it does not fit."""
        status, body = self._post(method, params)
        if status != 200:
            raise _refusal(method, status, body)
        if kind is None:
            return msgspec.json.decode(body)  # type: ignore[no-any-return]
        return msgspec.json.decode(body, type=kind)

    def alive(self) -> bool:
        """Whether somebody listens on the socket."""
        with unix_socket() as probe:
            return probe.connect_ex(self.path) == 0

    def close(self) -> None:
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def _post(self, method: str, params: Params) -> tuple[int, bytes]:
        target, body = _encode(method, params)
        with self._lock:
            connection = self._idle.pop() if self._idle else _Connection(self.path)
        try:
            connection.request("POST", target, body, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            status, text = answer.status, answer.read()
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise Lost(
                "The rclone of this session does not answer any more.", why=str(error)
            ) from error
        except BaseException:  # Ctrl-C: the answer would come to the next call
            connection.close()
            raise
        with self._lock:
            self._idle.append(connection)
        return status, text


def _encode(method: str, params: Params) -> tuple[str, bytes]:
    raw = {
        name: value
        for name, value in params.items()
        if isinstance(value, str) and not _is_text(value)
    }
    target = f"/{method}"
    if raw:
        target += "?" + "&".join(
            f"{name}={urllib.parse.quote(os.fsencode(value), safe='')}"
            for name, value in raw.items()
        )
    return target, msgspec.json.encode({n: v for n, v in params.items() if n not in raw})


def _is_text(value: str) -> bool:
    if value.isascii():
        return True
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _refusal(method: str, status: int, body: bytes) -> PlutonRcloneError:
    try:
        text = str(msgspec.json.decode(body)["error"])
    except (msgspec.DecodeError, KeyError, TypeError):
        text = body.decode(errors="replace")
    return faults.fault(text, command=method, status=status)
