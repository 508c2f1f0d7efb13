"""Pages of a storage's delta feed: read one ahead, each counted in the account's budget, with a token that is renewed."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import partial
from queue import SimpleQueue
from typing import TYPE_CHECKING

from pluton_rclone.errors import TokenExpired
from pluton_rclone.pace.ledger import budget_of

if TYPE_CHECKING:
    from pluton_rclone.microsoft.entra.token import Token
    from pluton_rclone.microsoft.graph.delta import Page
    from pluton_rclone.microsoft.http import Http
    from pluton_rclone.saved.remote import SavedRemote

    from .tree import FeedTree


def read_into(tree: FeedTree, read: Callable[[str | None], Page]) -> None:
    """The feed from its first page to its last; while one is put into the tree, the next is on its way. `read` gives the
    page at a link, the first one for None.
    """
    from pluton_rclone.microsoft.graph import delta

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
    raise delta.endless()


class Pages:
    """Pages of the feed of a drive; a token that ends in the middle is replaced, once for a page. Each counts
    in the account's budget, which the account's rclones have to keep within, too.

    `token` gives a token that is not the access token which has ended.
    """

    def __init__(self, saved: SavedRemote, http: Http, token: Callable[[str | None], Token]) -> None:
        remote = saved.options
        self._http, self._token = http, token
        self._drive_id, self._region = remote.drive_id, remote.region
        self._access = token(None).access_token
        self._budget = budget_of(saved.section)

    def read(self, link: str | None) -> Page:
        """As `delta.read`."""
        if self._budget is not None:
            self._budget.spend(time.monotonic(), 1)
        try:
            return self._read(link)
        except TokenExpired:
            self._access = self._token(self._access).access_token
        return self._read(link)

    def _read(self, link: str | None) -> Page:
        from pluton_rclone.microsoft.clouds import cloud
        from pluton_rclone.microsoft.graph import delta
        from pluton_rclone.microsoft.graph.client import GraphClient

        graph = GraphClient(cloud(self._region), self._access, http=self._http)
        return delta.read(graph, self._drive_id, link)


def _ahead(work: Callable[[], Page]) -> Callable[[], Page]:
    """Starts the work; the result waits for it. The thread keeps nobody from leaving, whatever Microsoft does."""
    done: SimpleQueue[Page | BaseException] = SimpleQueue()

    def run() -> None:
        try:
            done.put(work())
        except BaseException as problem:  # noqa: BLE001 - raised by whoever waits for the result
            done.put(problem)

    threading.Thread(target=run, name="delta feed", daemon=True).start()

    def result() -> Page:
        found = done.get()
        if isinstance(found, BaseException):
            raise found
        return found

    return result
