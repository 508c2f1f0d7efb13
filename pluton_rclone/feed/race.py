"""A folder deep inside a drive: rclone walks it while the drive's feed is read, and the first
complete result is the listing.

The walk takes one request per folder, the feed one per thousand items of the whole drive; which
needs fewer is not known in advance. A small folder is listed before the feed starts. After that,
the feed adds one request at a time, while rclone sends many at once. Until one of the two is
complete, rclone's output is buffered; if the feed cannot be used, the rest is streamed."""

from __future__ import annotations

import logging
import threading
from collections.abc import Generator
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from tempfile import SpooledTemporaryFile
from typing import TYPE_CHECKING

from pluton_rclone.errors import Cancelled, TokenExpired
from pluton_rclone.microsoft.clouds import cloud
from pluton_rclone.microsoft.graph.graph import Graph
from pluton_rclone.pace.ledger import budget_of
from pluton_rclone.process.aside import aside
from pluton_rclone.process.pipes import STREAM_PIPE, paced
from pluton_rclone.rclone import commands
from pluton_rclone.rclone.commands import ListOptions
from pluton_rclone.rclone.listing import Entry

from .whole import FeedListing, whole

if TYPE_CHECKING:
    from pluton_rclone.microsoft.entra.token import Token
    from pluton_rclone.microsoft.http import Http
    from pluton_rclone.saved.remote import SavedRemote

log = logging.getLogger(__name__)

HEAD_START = 0.6
"""Seconds until the feed starts: rclone starts in 0.1 s and lists about 40 folders in the rest."""
_IN_MEMORY = 16 * 1024 * 1024  # bytes of rclone's output, about 250 per entry; beyond it, on disk
_LOOK = 0.02  # seconds
_LOOK_FOR_TOKEN = 0.5  # seconds


def race(saved: SavedRemote, path: str, options: ListOptions) -> Generator[Entry, None, None]:
    """The entries, as `Rclone.walk` yields them."""
    ended = threading.Event()
    run = saved.rclone.begin(commands.lsjson(saved.at(path), options, depth="all"))

    def won(feed: Future[FeedListing | str]) -> None:
        if not isinstance(feed.result(), str):
            run.child.cancel()

    mime_types = bool(options.get("mime_types"))
    feed = aside(partial(_read_feed, saved, path, mime_types, ended), "feed race")
    feed.add_done_callback(won)
    try:
        with run.child, SpooledTemporaryFile(_IN_MEMORY) as kept:
            read = paced(run.child.read)
            while not feed.done():
                block = read()
                if not block:
                    run.child.wait()  # it ended, or was cancelled because the feed won
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


def _read_feed(
    saved: SavedRemote, path: str, mime_types: bool, ended: threading.Event
) -> FeedListing | str:
    """As `whole`, until `ended` is set."""
    budget = budget_of(saved.section)

    def wait(seconds: float) -> None:
        if ended.wait(seconds):
            raise Cancelled("The feed is no longer needed.")

    def turn() -> None:
        """Wait until the account's budget has room for a page besides rclone's requests."""
        while budget is not None:
            now = budget.clock.now()
            if budget.granted(now) >= 1 and budget.wait(now, 0) <= 0:
                return
            wait(_LOOK)

    def usable(http: Http, refused: str | None = None) -> Token:
        """The stored token; rclone is running, and renews it."""
        while True:
            with suppress(TokenExpired):
                token = saved.usable_token(http)
                if token.access_token != refused:
                    return token
            wait(_LOOK_FOR_TOKEN)

    def graph(http: Http) -> Graph:
        place = cloud(saved.options.region)
        return Graph(place, usable(http), http=http, renew=partial(usable, http))

    try:
        wait(HEAD_START)
        return whole(saved, path, mime_types, ended, graph, turn)
    except Cancelled as reason:
        return str(reason)
