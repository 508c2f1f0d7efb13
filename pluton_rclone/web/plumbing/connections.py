"""Limits of connections to the page that we serve: time to send, time to read, their number."""

from __future__ import annotations

import asyncio
import sys

from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

REQUEST = 20.0  # seconds for a whole request to come
READER = 60.0  # seconds for a reader to take some of what waits for it
MOST = 250  # connections: a file each
HEADERS = 32 * 1024  # bytes of one request's headers
if sys.platform != "win32":
    import resource

    MOST = min(MOST, resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 2)  # macOS grants 256 files


class Bounded(H11Protocol):
    """uvicorn has a time limit for idle connections alone, which one byte a second gets past."""

    since = 0.0
    _request: asyncio.TimerHandle | None = None
    _reader: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._wait_for_request()
        alive = [one for one in self.connections if not one.transport.is_closing()]
        if len(alive) > MOST:
            bounded = (one for one in alive if isinstance(one, Bounded) and one.waits)
            min(bounded, key=lambda one: one.since).transport.abort()  # this one, at least, waits

    @property
    def waits(self) -> bool:
        """Whether the client is to send something."""
        cycle: RequestResponseCycle | None = self.cycle
        return cycle is None or cycle.response_complete or cycle.more_body

    def _wait_for_request(self) -> None:
        if self._request is not None:
            self._request.cancel()
        self.since = self.loop.time()
        self._request = self.loop.call_later(REQUEST, self._late)

    def _late(self) -> None:
        if self.waits:
            self.transport.abort()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._wait_for_request()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._reader = self.loop.call_later(READER, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._reader is not None:
            self._reader.cancel()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        for timer in (self._request, self._reader):
            if timer is not None:
                timer.cancel()
