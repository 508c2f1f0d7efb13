"""A drive's whole delta feed: read one page ahead, within the account's budget, put together."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from queue import SimpleQueue
from typing import TYPE_CHECKING

from pluton_rclone.errors import Cancelled, PlutonRcloneError, TokenExpired
from pluton_rclone.microsoft.clouds import cloud
from pluton_rclone.microsoft.graph import delta
from pluton_rclone.microsoft.graph.graph import Graph
from pluton_rclone.microsoft.http import Http
from pluton_rclone.pace.ledger import budget_of
from pluton_rclone.values import costs

from .listing import FeedListing, listing
from .tree import FeedTree

if TYPE_CHECKING:
    from pluton_rclone.microsoft.entra.token import Token
    from pluton_rclone.microsoft.graph.delta import Page
    from pluton_rclone.saved.remote import SavedRemote

GetToken = Callable[[Http, str | None], "Token"]
"""Gives another token than the access token that has expired, if one has."""


def whole(
    saved: SavedRemote,
    path: str,
    mime_types: bool,
    ended: threading.Event,
    token: GetToken,
    turn: Callable[[], None] = lambda: None,
) -> FeedListing | str:
    """A folder as the feed has it: close its tree. Or why the feed is not known to be complete, or
    does not have the folder. `turn` returns when the next page may be read. Cancelled once it has
    `ended`."""
    with ExitStack() as opened:
        tree = opened.enter_context(FeedTree())
        try:
            with Http(cancel=ended) as http:
                _read_into(tree, _Pages(saved, http, token, turn).read)
            found = listing(saved, tree, path, mime_types)
        except Cancelled:
            raise
        except (PlutonRcloneError, sqlite3.Error, OverflowError, ValueError) as problem:
            return str(problem)
        if not isinstance(found, str):
            opened.pop_all()
    return found


def _read_into(tree: FeedTree, read: Callable[[str | None], Page]) -> None:
    """The feed from its first page to its last; while one is put into the tree, the next is on its
    way. `read` gives the page at a link, the first one for None."""
    page = read(None)
    for _ in range(delta.MOST_PAGES):
        link = page.next
        if link is None:
            tree.add(page.items())
            return
        coming = _ahead(partial(read, link))
        tree.add(page.items())
        page = coming()
        if page.next == link:
            break
    raise delta.broken()


class _Pages:
    """Pages of the feed; a token that ends in the middle is replaced, once for a page. Each counts
    in the account's budget, which the account's rclones have to keep within, too."""

    def __init__(
        self, saved: SavedRemote, http: Http, token: GetToken, turn: Callable[[], None]
    ) -> None:
        remote = saved.options
        self._http, self._token, self._turn = http, token, turn
        self._drive_id, self._cloud = remote.drive_id, cloud(remote.region)
        self._budget = budget_of(saved.section)
        self._access: str | None = None

    def read(self, link: str | None) -> Page:
        """As `delta.read`."""
        self._turn()
        if self._budget is not None:
            units = costs.DELTA_WHOLE if link is None else costs.DELTA_PAGE
            self._budget.spend(self._budget.clock.now(), 1, units)
        if self._access is None:
            self._access = self._token(self._http, None).access_token
        try:
            return self._page(self._access, link)
        except TokenExpired:
            self._access = self._token(self._http, self._access).access_token
        return self._page(self._access, link)

    def _page(self, access: str, link: str | None) -> Page:
        return delta.read(Graph(self._cloud, access, http=self._http), self._drive_id, link)


def _ahead(work: Callable[[], Page]) -> Callable[[], Page]:
    """Starts the work; the result waits for it. Its thread does not keep the program alive."""
    done: SimpleQueue[Page | BaseException] = SimpleQueue()

    def run() -> None:
        try:
            done.put(work())
        except BaseException as problem:  # noqa: BLE001 - raised where the result is waited for
            done.put(problem)

    threading.Thread(target=run, name="delta feed", daemon=True).start()

    def result() -> Page:
        found = done.get()
        if isinstance(found, BaseException):
            raise found
        return found

    return result
