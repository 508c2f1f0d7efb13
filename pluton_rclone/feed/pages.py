"""Pages of a storage's delta feed: read one ahead, each counted in the account's budget, with a token that is renewed."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import partial
from queue import SimpleQueue
from typing import TYPE_CHECKING

from pluton_rclone.errors import TokenExpired

if TYPE_CHECKING:
    from pluton_rclone.microsoft.graph.delta import Page
    from pluton_rclone.microsoft.http import Http
    from pluton_rclone.storages.storage import Storage

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
    """Pages of the feed of a storage's drive; a token that ends in the middle is replaced, once for a page. Each counts in
    the account's budget, which the storage's rclones have to keep within, too.

    `token` gives an access token that is not the one that has ended.
    """

    def __init__(self, storage: Storage, http: Http, token: Callable[[str | None], str]) -> None:
        from pluton_rclone.microsoft.clouds import cloud

        remote = storage.remote
        self._http, self._token = http, token
        self._drive_id, self._cloud = remote.drive_id, cloud(remote.region)
        self._access = token(None)
        self._governed = storage.rclone.governed

    def read(self, link: str | None) -> Page:
        """As `delta.read`."""
        from pluton_rclone.microsoft.graph import delta
        from pluton_rclone.microsoft.graph.client import GraphClient

        if self._governed is not None:
            self._governed.budget.spend(time.monotonic(), 1)
        try:
            graph = GraphClient(self._cloud, self._access, http=self._http)
            return delta.read(graph, self._drive_id, link)
        except TokenExpired:
            self._access = self._token(self._access)
        graph = GraphClient(self._cloud, self._access, http=self._http)
        return delta.read(graph, self._drive_id, link)


def renewed_token(storage: Storage, http: Http, ended: str | None) -> str:
    """An access token that Microsoft takes; not `ended`: another that was stored meanwhile, or a renewed one.

    It is renewed only where it can be kept, so that no refresh token is lost.
    """
    from pluton_rclone.saved.tokens import graph_token, renew, stored_token

    remote = storage.remote
    if not remote.client_credentials:
        token = stored_token(remote)
        if token.expired():
            storage.storages.conf.check_writable()
        elif token.access_token == ended:
            storage.storages.conf.check_writable()
            renew(storage, http)
    return graph_token(storage, http).access_token


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
