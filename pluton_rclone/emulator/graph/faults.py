"""Faults that a test arms in one line and that the next matching requests meet.

faults = world.part(Faults)
faults.throttle(retry_after="2.128", times=3)
faults.refuse(403, where="/me/drives")
faults.lose_session(after_fragments=1)
faults.latency = 0.060
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pluton_rclone.emulator.drives import refusals
from pluton_rclone.emulator.faults import GraphFault

if TYPE_CHECKING:
    from pluton_rclone.emulator.world import World

    from .call import Call


def _throttled(retry_after: str) -> GraphFault:
    return GraphFault(
        429,
        "activityLimitReached",
        "The app or user has been throttled.",
        inner_codes=("throttledRequest",),
        headers={"Retry-After": retry_after},
    )


class _GraphThrottled(GraphFault):
    """429 as Graph itself writes it, with a decimal Retry-After (error-429-graph.json)."""

    def __init__(self, retry_after: str) -> None:
        super().__init__(
            429,
            "TooManyRequests",
            "Please retry again later.",
            headers={"Retry-After": retry_after},
        )

    def body(
        self, *, date: str, request_id: str, client_request_id: str | None = None
    ) -> dict[str, Any]:
        inner = {
            "code": "429",
            "date": date,
            "message": "Please retry after",
            "request-id": request_id,
            "status": "429",
        }
        return {"error": {"code": self.code, "innerError": inner, "message": self.message}}


def _unavailable(retry_after: str | None) -> GraphFault:
    headers = {} if retry_after is None else {"Retry-After": retry_after}
    message = "The service is not available. Try the request again after a delay."
    return GraphFault(503, "serviceNotAvailable", message, headers=headers)


def timed_out() -> GraphFault:
    return GraphFault(504, "UnknownError", "The server did not answer in time.")


def _expired() -> GraphFault:
    challenge = (
        'Bearer realm="", '
        'authorization_uri="https://login.microsoftonline.com/common/oauth2/authorize", '
        'error="invalid_token"'
    )
    return GraphFault(
        401,
        "InvalidAuthenticationToken",
        "Access token has expired or is not yet valid.",
        headers={"WWW-Authenticate": challenge},
    )


def _insufficient_claims() -> GraphFault:
    where = "https://login.microsoftonline.com/common/oauth2/authorize"
    challenge = (
        f'Bearer authorization_uri="{where}", error="insufficient_claims", '
        f'claims="eyJhY2Nlc3NfdG9rZW4iOnt9fQ=="'
    )
    return GraphFault(
        403,
        "accessDenied",
        "Continuous access evaluation or a conditional access policy needs more claims.",
        headers={"WWW-Authenticate": challenge},
    )


def _internal() -> GraphFault:
    return GraphFault(500, "generalException", "An unspecified error has occurred.")


_BY_STATUS = {
    400: refusals.invalid_request,
    401: _expired,
    403: refusals.access_denied,
    404: refusals.not_found,
    409: refusals.name_exists,
    410: refusals.resync_required,
    412: refusals.modified,
    423: refusals.locked,
    500: _internal,
    504: timed_out,
    507: refusals.insufficient_storage,
}


@dataclass(eq=False)
class Rule:
    """One armed fault: what it answers, to which requests, how often."""

    fault: GraphFault
    method: str | None
    where: re.Pattern[str] | None
    times: int | None  # None: until it is cleared
    skip: int  # this many matching requests pass first
    username: str | None = None  # only requests with this person's access token
    met: int = 0  # how often it was met so far


class Faults:
    """The armed faults of one world. `where` is a regular expression searched in `host/path` (as
    sent)."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.latency = 0.0  # seconds from a request's last byte until its answer leaves
        self.turn: Callable[[Call], AbstractAsyncContextManager[None]] | None = None
        """Wraps each request from before it is counted until it is answered: a test controls the
        timing."""
        self.large_folder: int | None = None  # folders with this many entries or more get 504
        self.damaged_uploads = 0  # this many files are stored with altered content
        self.lost_sessions: list[int] = []  # the next sessions are lost after that many fragments
        self.copy_looks = 0  # how often a copy's monitor says inProgress before it says completed
        self._rules: list[Rule] = []
        self._lock = threading.Lock()

    def throttle(
        self,
        retry_after: str = "2",
        *,
        times: int | None = 1,
        where: str | None = None,
        skip: int = 0,
    ) -> Rule:
        """429 as SharePoint answers it. `retry_after` is the header's value: "2", "2.128" or a
        date."""
        return self.arm(_throttled(retry_after), times=times, where=where, skip=skip)

    def throttle_by_graph(
        self,
        retry_after: str = "2.128",
        *,
        times: int | None = 1,
        where: str | None = None,
        skip: int = 0,
    ) -> Rule:
        """429 as Graph's own documents show it: other codes, a decimal Retry-After that rclone
        cannot read."""
        return self.arm(_GraphThrottled(retry_after), times=times, where=where, skip=skip)

    def challenge(self, *, times: int | None = 1, where: str | None = None) -> Rule:
        """403 that demands more claims: conditional access."""
        return self.arm(_insufficient_claims(), times=times, where=where)

    def malware(self, *, times: int | None = 1, where: str | None = "/content$") -> Rule:
        """403 for a download in which malware was found."""
        return self.arm(refusals.malware(), times=times, where=where)

    def unavailable(
        self,
        retry_after: str | None = "10",
        *,
        times: int | None = 1,
        where: str | None = None,
        skip: int = 0,
    ) -> Rule:
        """503 with or without Retry-After."""
        return self.arm(_unavailable(retry_after), times=times, where=where, skip=skip)

    def refuse(
        self,
        status: int,
        *,
        times: int | None = 1,
        where: str | None = None,
        method: str | None = None,
        skip: int = 0,
    ) -> Rule:
        """The documented answer of that status: 400, 401, 403, 404, 409, 410, 412, 423, 500, 504,
        507."""
        return self.arm(_BY_STATUS[status](), times=times, where=where, method=method, skip=skip)

    def lose_session(self, after_fragments: int = 1, *, times: int = 1) -> None:
        """Lose the next `times` sessions (404) after that many fragments."""
        self.lost_sessions += [after_fragments] * times

    def arm(
        self,
        fault: GraphFault,
        *,
        times: int | None = 1,
        where: str | None = None,
        method: str | None = None,
        skip: int = 0,
        username: str | None = None,
    ) -> Rule:
        """Arm any fault. With `username`, only requests with that person's access token meet it."""
        pattern = None if where is None else re.compile(where)
        rule = Rule(fault, method, pattern, times, skip, username)
        with self._lock:
            self._rules.append(rule)
        return rule

    def disarm(self, rule: Rule) -> None:
        """End one fault; harmless when it has ended already."""
        with self._lock:
            if rule in self._rules:
                self._rules.remove(rule)

    def clear(self) -> None:
        """End all faults."""
        with self._lock:
            self._rules.clear()
        self.latency = 0.0
        self.turn = None
        self.large_folder = None
        self.damaged_uploads = 0
        self.lost_sessions.clear()
        self.copy_looks = 0

    def check(self, method: str, address: str, authorization: str | None = None) -> None:
        """Raise the fault of the first matching rule. `address` is host and path."""
        if not self._rules:
            return
        username = self._world.username_of(authorization)
        with self._lock:
            for rule in self._rules:
                if rule.method not in (None, method):
                    continue
                if rule.where is not None and not rule.where.search(address):
                    continue
                if rule.username not in (None, username):
                    continue
                if rule.skip:
                    rule.skip -= 1
                    continue
                rule.met += 1
                if rule.times is not None:
                    rule.times -= 1
                    if rule.times <= 0:
                        self._rules.remove(rule)
                raise rule.fault.with_traceback(None)
