"""A folder deep inside a drive: rclone walks it, the drive's feed is read beside it, and the one
that is complete first is the listing.

The walk takes a request for each folder, the feed one for a thousand items of the whole drive; it
is not known beforehand which are fewer. A small folder is listed before the feed is begun. Later,
the feed costs a request at a time, while rclone sends many at once. Until one of the two is
complete, rclone's output is only kept; if the feed cannot be used, the rest of it streams.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Generator
from concurrent.futures import Future
from tempfile import SpooledTemporaryFile
from typing import TYPE_CHECKING

from pluton_rclone.errors import Cancelled, TokenExpired
from pluton_rclone.pace.ledger import budget_of
from pluton_rclone.process.pipes import STREAM_PIPE, paced
from pluton_rclone.rclone import commands

from .whole import whole

if TYPE_CHECKING:
    from pluton_rclone.microsoft.entra.token import Token
    from pluton_rclone.microsoft.http import Http
    from pluton_rclone.rclone.commands import ListOptions
    from pluton_rclone.rclone.listing import Entry
    from pluton_rclone.saved.remote import SavedRemote

    from .listing import FeedListing

log = logging.getLogger(__name__)

HEAD_START = 0.6
"""Seconds until the feed is begun: rclone starts in 0.1 s and lists some 40 folders in the rest."""
_IN_MEMORY = 16 * 1024 * 1024  # bytes of rclone's output, of some 250 for an entry; then on disk
_LOOK = 0.02  # seconds
_LOOK_FOR_TOKEN = 0.5  # seconds
_ROUND_TRIP = 0.1  # seconds: what the governor begins with


def race(saved: SavedRemote, path: str, options: ListOptions) -> Generator[Entry, None, None]:
    """The entries, as `Rclone.walk` gives them."""
    feed: Future[FeedListing | str] = Future()
    ended = threading.Event()
    run = saved.rclone.begin(commands.lsjson(saved.at(path), options, depth="all"))
    reader = _Reader(saved, ended)

    def read_feed() -> None:
        feed.set_result(reader.read(path, bool(options.get("mime_types"))))
        if not isinstance(feed.result(), str):
            run.child.cancel()

    try:
        with run.child, SpooledTemporaryFile(_IN_MEMORY) as kept:
            threading.Thread(target=read_feed, name="feed race", daemon=True).start()
            read = paced(run.child.read)
            while not feed.done():
                block = read()
                if not block:
                    run.child.wait()  # by itself, or ended by the feed
                    break
                kept.write(block)
            found = feed.result() if feed.done() else "rclone was faster"
            if isinstance(found, str):
                log.info("%s is walked folder by folder: %s", saved.name, found)
                kept.seek(0)
                yield from run.entries(lambda: kept.read(STREAM_PIPE) or read())
                return
        yield from found.entries(saved, options)
    finally:
        ended.set()
        feed.add_done_callback(_close)


def _close(feed: Future[FeedListing | str]) -> None:
    found = feed.result()
    if not isinstance(found, str):
        found.tree.close()


class _Reader:
    """Reads the feed until it has `ended`, in a thread of its own."""

    def __init__(self, saved: SavedRemote, ended: threading.Event) -> None:
        self._saved, self._ended = saved, ended
        self._budget = budget_of(saved.section)

    def read(self, path: str, mime_types: bool) -> FeedListing | str:
        """As `whole`."""
        try:
            self._wait(HEAD_START)
            return whole(self._saved, path, mime_types, self._ended, self._token, self._turn)
        except Cancelled as reason:
            return str(reason)

    def _wait(self, seconds: float) -> None:
        if self._ended.wait(seconds):
            raise Cancelled("The feed is not needed any more.")

    def _turn(self) -> None:
        """Wait until the account's budget has room for a page beside rclone's requests."""
        while (budget := self._budget) is not None:
            now = budget.clock.now()
            room = budget.granted(now, budget.under_way(_ROUND_TRIP))
            if room >= 1 and budget.wait(now, 0) <= 0:
                return
            self._wait(_LOOK)

    def _token(self, http: Http, expired: str | None) -> Token:
        """The stored one; rclone is at work, and renews it."""
        while True:
            try:
                token = self._saved.usable_token(http)
                if token.access_token != expired:
                    return token
            except TokenExpired:
                pass
            self._wait(_LOOK_FOR_TOKEN)
