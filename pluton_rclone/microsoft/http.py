"""The only module that makes HTTP calls to Microsoft: time limits, Retry-After, proxies, CAs."""

from __future__ import annotations

import json
import logging
import math
import re
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import wait
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pluton_rclone import errors
from pluton_rclone.process.aside import aside
from pluton_rclone.process.interrupts import interruptible
from pluton_rclone.values.units import WORTH_TELLING

from .clouds import CLOUDS, GERMANY_CLOSED, cloud

if TYPE_CHECKING:
    import requests

log = logging.getLogger(__name__)

ATTEMPTS = 5  # per request, including the first
ATTEMPTS_TO_CONNECT = 3
LONGEST_WAIT = 120.0  # seconds per request; if Microsoft asks for more, `Throttled` is raised
# The text of a connection error, and its meaning in our words.
_SIGNS = {
    **dict.fromkeys(("NameResolutionError", "not known"), "its host name cannot be resolved"),
    "refused": "the connection was refused",
    **dict.fromkeys(("reset", "aborted"), "the connection was cut"),
    **dict.fromkeys(("unreachable", "No route"), "the network is unreachable"),
}
_LIMITS = {"timeout": (15.0, 60.0), "allow_redirects": False, "stream": True}  # connect, read: s
BUSY = frozenset({429, 503, 504, 509})
ALSO_BUSY_WITHOUT_EFFECT = frozenset({500, 502})  # retried only if the request changes nothing


def retry_after(value: str | None, *, now: datetime | None = None) -> float | None:
    """The seconds in a `Retry-After` header: an integer, a decimal (Graph sends 2.128) or a date.
    Never negative; None if the header is absent or invalid."""
    seconds = math.nan
    try:
        seconds = float(value or "")
    except ValueError:
        with suppress(ValueError, TypeError, IndexError, OverflowError):
            moment = parsedate_to_datetime((value or "").strip())
            moment = moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)
            seconds = (moment - (now or datetime.now(timezone.utc))).total_seconds()
    return max(0.0, seconds) if math.isfinite(seconds) else None


def decoded(content: bytes) -> Any:
    """A body parsed as JSON; None if it is not JSON. msgspec takes half the time of the standard
    library, which is the fallback: it accepts a lone surrogate, and NaN (read as None)."""
    import msgspec

    with suppress(msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return msgspec.json.decode(content)
    with suppress(ValueError, RecursionError):
        return json.loads(content, parse_float=_finite, parse_constant=lambda name: None)
    return None


def _finite(text: str) -> float | None:
    number = float(text)
    return number if math.isfinite(number) else None


@dataclass(frozen=True)
class Answer:
    """A response from Microsoft. It may hold secrets. `json` is None if the body is not JSON."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    json: Any = field(repr=False)

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300


class Http:
    """A connection pool that threads may share. Setting `cancel` ends every wait. If Microsoft asks
    one request to wait, all requests wait, as its documents demand; one request waits at most
    `patience` seconds in all. `longest` is the time limit for one response in seconds, by default
    `TOTAL_TIME`. `clock_offset` is how many seconds Microsoft's clock is ahead of ours, None before
    the first response; `throttled` counts the responses that asked to slow down."""

    clock_offset: float | None = None
    throttled = 0

    def __init__(
        self,
        *,
        cancel: threading.Event | None = None,
        now: Callable[[], float] = time.monotonic,
        patience: float = LONGEST_WAIT,
        longest: float | None = None,
    ) -> None:
        self._cancel = cancel or threading.Event()
        self._patience, self._longest = patience, longest
        self._now = now
        self._lock = threading.Lock()
        self._session: requests.Session | None = None
        self._not_before = 0.0

    def __enter__(self) -> Http:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        with self._lock:
            session, self._session = self._session, None
        if session is not None:
            session.close()

    @interruptible()
    def request(self, method: str, url: str, **sent: Any) -> Answer:
        """The response to a request, whatever its status; `sent` as in `once`. Redirects are not
        followed, because a token must not go to another host. 429, 503, 504 and 509 are retried,
        within limits; 500, 502 and lost connections only for GET, since no code or refresh token
        may be presented twice. Raises `Unreachable`, `Cancelled`."""
        repeatable = method == "GET"
        waited = 0.0
        for attempt in range(1, ATTEMPTS + 1):
            waited += self._hold(self._not_before - self._now())
            try:
                answer = self.once(method, url, **sent)
            except errors.Unreachable as problem:
                if attempt >= ATTEMPTS_TO_CONNECT or not repeatable or "limit" in problem.details:
                    raise
                pause = 0.5 * 2.0 ** (attempt - 1)
            else:
                asked = retry_after(answer.headers.get("retry-after"))
                pause = asked if asked is not None else 2.0 ** (attempt - 1)
                busy = BUSY | ALSO_BUSY_WITHOUT_EFFECT if repeatable else BUSY
                over = attempt == ATTEMPTS or waited + pause > self._patience
                if answer.status not in busy or over:
                    return answer
                host = urlsplit(url).hostname
                level = logging.WARNING if pause >= WORTH_TELLING else logging.INFO
                log.log(level, "%s answered %d: waiting %.1f s", host, answer.status, pause)
                if answer.status == 429:
                    self._not_before = max(self._not_before, self._now() + pause)
                    continue
            waited += self._hold(pause)
        raise AssertionError("unreachable")

    def _hold(self, seconds: float) -> float:
        if seconds <= 0 and not self._cancel.is_set():
            return 0.0
        if self._cancel.wait(max(0.0, seconds)):
            raise errors.Cancelled("Stopped while talking to Microsoft.")
        return seconds

    def once(
        self, method: str, url: str, headers: Any = None, data: Any = None, params: Any = None
    ) -> Answer:
        """Like `request`, but sent exactly once, without waiting before or after."""
        from urllib3.exceptions import HTTPError

        from . import connections

        began, seconds = time.monotonic(), self._longest or connections.TOTAL_TIME
        sent = {"headers": headers, "data": data, "params": params, **_LIMITS}

        def ask() -> tuple[requests.Response, bytes]:
            with self._lock:
                session = self._session = self._session or connections.Session()
            with session.request(method, url, **sent) as response:
                return response, connections.body(response, began, seconds)

        # A socket's timeout restarts at every byte, so slow headers could block for ever.
        asked = aside(ask, "pluton-rclone http")
        wait([asked], seconds)
        try:
            if not asked.done():
                raise connections.late(seconds)
            response, content = asked.result()
        except (OSError, HTTPError) as problem:  # requests raises OSErrors, some HTTPErrors escape
            raise _unreachable(url, problem) from None
        status = response.status_code
        low = {name.lower(): value for name, value in response.headers.items()}
        self.throttled += status in (429, 503)
        with suppress(KeyError, TypeError, ValueError):
            # The header is truncated to whole seconds: on average, half a second is missing.
            moment = parsedate_to_datetime(low["date"]).timestamp() + 0.5
            self.clock_offset = moment - datetime.now(timezone.utc).timestamp()
        return Answer(status, low, decoded(content))


def clock_ahead(region: str) -> timedelta:
    """How far this machine's clock is ahead of Graph's in the cloud of `region`; negative if it is
    behind, zero if Graph sends no date. Any response, even an error, has a Date (RFC 9110, 6.6.1).
    Raises `Unreachable`."""
    with Http() as http:
        http.request("GET", f"{cloud(region).graph_root}/v1.0/")
    return timedelta(seconds=-(http.clock_offset or 0.0))


def _unreachable(url: str, problem: Exception) -> errors.Unreachable:
    """An `Unreachable` with host, cause and who can fix it, but no URL, which may hold secrets."""
    import requests
    from urllib3.exceptions import LocationValueError

    from pluton_rclone.values import refusals

    from .connections import Overrun

    host, text = urlsplit(url).hostname or "the server", str(problem)
    limit = text if isinstance(problem, Overrun) else None
    why, advice, known = limit or type(problem).__name__, None, None
    cause = text.rpartition("(Caused by ")[2]  # the path before it may hold any word
    if isinstance(problem, requests.exceptions.SSLError):
        why = "no secure connection (TLS) could be made"
        if "certificate" in cause:
            by_clock = "not yet valid" in cause or "has expired" in cause
            known = refusals.WRONG_CLOCK if by_clock else refusals.UNTRUSTED
    elif isinstance(problem, requests.exceptions.ProxyError):
        known = refusals.BEHIND_PROXY
    elif isinstance(
        problem,
        requests.exceptions.InvalidURL | requests.exceptions.InvalidSchema | LocationValueError,
    ):
        why = "the address of the proxy cannot be used"  # our own addresses are valid
        advice = "Write HTTPS_PROXY as http://host:port; socks5:// needs the library PySocks."
    elif isinstance(problem, OSError) and not isinstance(problem, requests.RequestException):
        # for example, the file of CAs does not exist
        why = text
        advice = "Correct it here: REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE may name the file."
    elif isinstance(problem, requests.exceptions.Timeout):
        why = "no answer in time"
    elif isinstance(problem, requests.exceptions.ConnectionError):
        why = next((why for sign, why in _SIGNS.items() if sign in cause), "the connection failed")
        known = refusals.FORBIDDEN if re.search("Permission denied|not permitted", cause) else None
    if known is not None:
        why, advice = known.what.rstrip("."), known.advice
    if host in (CLOUDS["de"].login_host, CLOUDS["de"].graph_host):
        why = f"{why}. {GERMANY_CLOSED}"
        advice = "Choose region global, with a registration made there."
    who, what = errors.Who.YOU if advice else None, f"{host} cannot be reached."
    return errors.Unreachable(what, why=why, who=who, advice=advice, host=host, limit=limit)
