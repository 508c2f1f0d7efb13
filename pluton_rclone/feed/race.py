"""A folder deep inside a drive: rclone walks it, the drive's feed is read beside it, and the first to know all ends it.

The walk takes a request for each folder, the feed one for a thousand items of the whole drive, and nobody can tell
beforehand which are fewer. Small folders are over before the feed is begun. Otherwise the feed gets a page for every eight
folders that rclone has listed: in vain it costs an eighth more requests, and where it ends first, rclone is stopped and
the feed says what rclone has not.

rclone prints what is directly in a folder in one go (fs/walk: one at a time calls back with a folder's entries), so that
the folders that it has finished are known, and the one that it was stopped in; ids tell what is the same item. The feed
takes over only when it is whole (`feed.listing`), knows every folder that rclone has seen where rclone has seen it (what
is newer or was moved would be left empty), and has no shortcut to another drive below the folder. rclone prints some more
until it has stopped: is that not in the feed, rclone walks again. Whatever goes wrong with the feed, rclone's walk goes on,
and its end is the end.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Generator, Iterator, Mapping
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, cast

from pluton_rclone.errors import Cancelled, PlutonRcloneError, RcloneError, TokenExpired
from pluton_rclone.pace.ledger import budget_of
from pluton_rclone.process.pipes import paced
from pluton_rclone.rclone import commands, listing
from pluton_rclone.rclone.listing import Entry

if TYPE_CHECKING:
    from pluton_rclone.microsoft.entra.token import Token
    from pluton_rclone.microsoft.graph.delta import Page
    from pluton_rclone.microsoft.http import Http
    from pluton_rclone.process import Child
    from pluton_rclone.saved.remote import SavedRemote

    from .listing import FeedListing
    from .pages import Pages

log = logging.getLogger(__name__)

START = 30
"""Folders that rclone has listed when the feed is begun: a third of a second."""
FOLDERS_A_PAGE = 8
"""Folders that rclone has listed for each page that is read. Microsoft counts a page for half a folder."""
_MOST_FOLDERS = 200_000  # are remembered; beyond, the feed is given up
_CLEAR = 40  # requests left below a limit: nearer to it the governor finds out whether it holds
_UNDER_WAY = 13  # requests of rclone that may not be counted yet
_LOOK = 0.02  # seconds
_LOOK_FOR_TOKEN = 0.5  # seconds


class Walked:
    """What rclone has listed so far: the folders that it has finished, and the one that it is in, by the keys of
    `microsoft.graph.delta.Item`. Filled in one thread, asked in another.
    """

    def __init__(self) -> None:
        self.folders = 0
        """That hold something, the one that it is in included."""
        self.here: set[str] = set()
        """The keys of what was listed of the folder that it is in."""
        self.folder = ""
        """The key of the folder that it is in; "" is the one that everything is in."""
        self._lock = threading.Lock()
        # path to key, of folders that were seen and not listed
        self._waiting: dict[str, str] | None = {"": ""}
        self._listed: set[str] = set()
        self._parents: dict[str, str | None] = {"": None}
        self._current: str | None = None

    @property
    def known(self) -> bool:
        """Whether it is known which folders were listed: not when entries came in another order, or far too many."""
        return self._waiting is not None

    def add(self, entry: Entry) -> None:
        """The next entry that rclone printed."""
        parent = entry.path.rpartition("/")[0]
        if parent != self._current:
            self._enter(parent)
        if self._waiting is None:
            return
        key = _key(entry)
        self.here.add(key)
        if entry.is_dir:
            with self._lock:
                self._waiting[entry.path] = key
                self._parents[key] = self.folder

    def _enter(self, folder: str) -> None:
        self.folders += 1
        self._current = folder
        self.here.clear()
        if self._waiting is None:
            return
        key = self._waiting.pop(folder, None)
        with self._lock:
            if self.folders > 1:
                self._listed.add(self.folder)
            if key is None or self.folders > _MOST_FOLDERS:
                self._waiting = None
                self._listed.clear()
                self._parents.clear()
            else:
                self.folder = key

    def listed(self, top: str) -> set[str]:
        """The keys of the folders that are finished; `top` is the key of the one that everything is in."""
        with self._lock:
            return {key or top for key in self._listed}

    def seen(self, top: str) -> dict[str, str | None] | None:
        """The keys of all folders, listed or not, and of the folders that they are in; None when they are not known."""
        with self._lock:
            if self._waiting is None:
                return None
            return {
                key or top: None if parent is None else parent or top for key, parent in self._parents.items()
            }


def _key(entry: Entry) -> str:
    """As `microsoft.graph.delta.Item` has it: Microsoft's letters are not always of the same case."""
    return (entry.id or "").partition("#")[2].upper()


class Race:
    """One listing of a folder, with the options of a walk."""

    def __init__(self, saved: SavedRemote, path: str, options: Mapping[str, Any]) -> None:
        self._saved, self._path, self._options = saved, path, options
        # Files and folders, whichever are wanted: which folders were listed is seen by both.
        self._both = {**options, "files_only": False, "dirs_only": False}
        self._walked = Walked()
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._feed: FeedListing | None = None
        self._pages = 0

    def entries(self) -> Iterator[Entry]:
        """As `Rclone.walk`."""
        try:
            run = self._saved.rclone.begin(self._command())
            with run.child:
                complete = yield from self._walk(run.child)
                feed = self._end()
                if feed is None:
                    run.finish()
                    if not complete:
                        raise RcloneError("The listing broke off.", why="rclone's output has no end")
                    return
            if not self._walked.known:
                raise RcloneError("The listing broke off.", why="rclone listed a folder twice")
            problem = self._against(feed)
            if problem is not None:
                log.info("%s is walked again: %s", self._saved.name, problem)
                yield from self._walk_again()
                return
            here = self._walked.here
            for entry in feed.entries(self._saved, self._options, self._walked.listed(feed.key)):
                if _key(entry) not in here:
                    yield entry
        finally:
            ready = self._end()
            if ready is not None:
                ready.tree.close()

    def _command(self) -> commands.Command:
        return commands.lsjson(
            self._saved.at(self._path), cast("commands.ListOptions", self._both), depth="all"
        )

    def _is_wanted(self, entry: Entry) -> bool:
        return not self._options.get("files_only" if entry.is_dir else "dirs_only")

    def _walk(self, child: Child) -> Generator[Entry, None, bool]:
        walked, begun = self._walked, False
        printed = listing.entries(paced(child.read))
        while True:
            try:
                entry = next(printed)
            except StopIteration as end:
                return bool(end.value)
            walked.add(entry)
            if not begun and walked.folders >= START:
                begun = True
                threading.Thread(target=self._read_feed, args=(child,), name="feed race", daemon=True).start()
            if self._is_wanted(entry):
                yield entry

    def _walk_again(self) -> Iterator[Entry]:
        """What was not given out when rclone was stopped, by rclone."""
        done, cut, here = self._walked.listed(""), self._walked.folder, self._walked.here
        again = Walked()
        for entry in self._saved.rclone.walk(self._saved.at(self._path), **self._both):
            again.add(entry)
            if not again.known:
                raise RcloneError("The listing broke off.", why="rclone listed a folder twice")
            if again.folder in done or (again.folder == cut and _key(entry) in here):
                continue
            if self._is_wanted(entry):
                yield entry

    def _end(self) -> FeedListing | None:
        """Nothing is read any more. The feed, if it was complete before."""
        with self._lock:
            self._ended.set()
            return self._feed

    # ---- the feed, in a thread of its own ------------------------------------------------------------------

    def _read_feed(self, child: Child) -> None:
        try:
            self._earn(0)
        except Cancelled:
            return
        import sqlite3

        from pluton_rclone.microsoft.http import Http

        from .listing import listing as feed_listing
        from .pages import Pages, read_into
        from .tree import FeedTree

        with ExitStack() as opened:
            tree = opened.enter_context(FeedTree())
            try:
                with Http(cancel=self._ended) as http:
                    pages = Pages(self._saved, http, lambda ended: self._token(http, ended))
                    read_into(tree, lambda link: self._page(pages, link))
                found = feed_listing(self._saved, tree, self._path, bool(self._options.get("mime_types")))
                if not isinstance(found, str):
                    found = self._against(found) or found
            except Cancelled:
                return
            except (PlutonRcloneError, sqlite3.Error, OverflowError, ValueError) as problem:
                found = str(problem)
            if isinstance(found, str):
                log.info("%s is walked folder by folder: %s", self._saved.name, found)
                return
            with self._lock:
                if self._ended.is_set():
                    return
                self._feed = found
            opened.pop_all()
        child.cancel()

    def _against(self, found: FeedListing) -> str | None:
        """Why the feed cannot say the rest, though it is whole."""
        if found.tree.leads_elsewhere(found.key):
            return "a folder in it is on another drive"
        seen = self._walked.seen(found.key)
        if seen is None or not found.tree.holds(seen):
            return "the feed does not have what was listed"
        return None

    def _page(self, pages: Pages, link: str | None) -> Page:
        self._earn(self._pages)
        self._pages += 1
        return pages.read(link)

    def _earn(self, page: int) -> None:
        """Wait until the page with this number may be read. Cancelled once it needs not."""
        while not self._may_read(page):
            if not self._walked.known or self._ended.wait(_LOOK):
                raise Cancelled("The feed is not needed any more.")

    def _may_read(self, page: int) -> bool:
        """rclone's folders have earned it, and it is not near a limit."""
        if self._walked.folders < START + FOLDERS_A_PAGE * page:
            return False
        budget = budget_of(self._saved.section)
        if budget is None:
            return True
        now = time.monotonic()
        if budget.holds(now) is None:
            return budget.wait(now, _CLEAR) <= 0
        return budget.wait(now, _UNDER_WAY) <= 0 and budget.granted(now, _UNDER_WAY) >= 1

    def _token(self, http: Http, ended: str | None) -> Token:
        """The stored one; rclone is at work, and renews it."""
        while True:
            try:
                token = self._saved.usable_token(http)
            except TokenExpired:
                token = None
            if token is not None and token.access_token != ended:
                return token
            if self._ended.wait(_LOOK_FOR_TOKEN):
                raise Cancelled("The feed is not needed any more.")
