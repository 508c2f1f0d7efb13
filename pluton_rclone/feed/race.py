"""A folder deep inside a drive: rclone walks it, the drive's feed is read beside it, and the faster
one supplies the rest.

The walk takes a request for each folder, the feed one for a thousand items of the whole drive, and
nobody can tell beforehand which are fewer. Small folders are over before the feed is begun.
Otherwise the feed gets a page for every eight folders that rclone has listed: in vain it costs an
eighth more requests, and where it ends first, rclone is stopped and the feed supplies what rclone
has not listed; ids tell what is the same item.

The feed takes over only if it is whole (`feed.listing`), has every folder that rclone has listed
where rclone has listed it (the content of one that is newer or was moved would be missing), and has
no shortcut to another drive below the folder. Whatever goes wrong with the feed, rclone's walk goes
on, and its end is the end.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Generator, Mapping
from typing import TYPE_CHECKING, Any, cast

from pluton_rclone.errors import Cancelled, RcloneError, TokenExpired
from pluton_rclone.pace.ledger import budget_of
from pluton_rclone.process.pipes import paced
from pluton_rclone.rclone import commands, listing
from pluton_rclone.rclone.listing import Entry

if TYPE_CHECKING:
    from pluton_rclone.microsoft.entra.token import Token
    from pluton_rclone.microsoft.http import Http
    from pluton_rclone.process import Child
    from pluton_rclone.saved.remote import SavedRemote

    from .listing import FeedListing

log = logging.getLogger(__name__)

START = 30
"""Folders that rclone has listed when the feed is begun: a third of a second."""
FOLDERS_A_PAGE = 8
"""Folders that rclone has listed for each page that is read. Microsoft counts a page for half a
folder."""
_MOST = 500_000  # entries are remembered, in about 70 MB; beyond, the feed is given up
_CLEAR = 40  # requests left below a limit: nearer to it the governor finds out whether it holds
_UNDER_WAY = 13  # requests of rclone that may not be counted yet
_LOOK = 0.02  # seconds
_LOOK_FOR_TOKEN = 0.5  # seconds


class Listed:
    """What rclone has listed, by the keys of `microsoft.graph.delta.Item`."""

    def __init__(self) -> None:
        self.folders = 0  # that hold something
        self.keys: set[str] = set()
        self.known = True
        """Whether it is all in here: not when a folder came before the one that it is in, or far
        too many."""
        self.parents: dict[str, str] = {}
        """The folders, each with the one that it is in; "" is the one that everything is in."""
        self._paths = {"": ""}  # of the folders
        self._current: str | None = None

    def add(self, entry: Entry) -> None:
        """The next entry that rclone printed; what is directly in a folder comes in one go."""
        parent = entry.path.rpartition("/")[0]
        if parent != self._current:
            self._current = parent
            self.folders += 1
        if not self.known:
            return
        key, above = key_of(entry), self._paths.get(parent)
        if not key or above is None or len(self.keys) == _MOST:
            self.known = False
            for held in (self.keys, self.parents, self._paths):
                held.clear()
            return
        self.keys.add(key)
        if entry.is_dir:
            self._paths[entry.path] = key
            self.parents[key] = above


def key_of(entry: Entry) -> str:
    """As `microsoft.graph.delta.Item` has it: Microsoft's letters are not always of the same
    case."""
    return (entry.id or "").partition("#")[2].upper()


class Race:
    """One listing of a folder, with the options of a walk."""

    def __init__(self, saved: SavedRemote, path: str, options: Mapping[str, Any]) -> None:
        self._saved, self._path, self._options = saved, path, options
        self._budget = budget_of(saved.section)
        self._lock = threading.Lock()  # of what follows
        self._listed = Listed()
        self._feed: FeedListing | None = None
        self._ended = threading.Event()

    def entries(self) -> Generator[Entry, None, None]:
        """As `Rclone.walk`."""
        # Files and folders, whichever are wanted: the feed is compared with both.
        both = cast(
            "commands.ListOptions", {**self._options, "files_only": False, "dirs_only": False}
        )
        place = self._saved.at(self._path)
        try:
            run = self._saved.rclone.begin(commands.lsjson(place, both, depth="all"))
            with run.child:
                complete = yield from self._walk(run.child)
                feed = self._end()
                if feed is None:
                    run.finish()
                    if not complete:
                        raise RcloneError(
                            "The listing broke off.", why="rclone's output has no end"
                        )
                    return
            for entry in feed.entries(self._saved, self._options):
                if key_of(entry) not in self._listed.keys:
                    yield entry
        finally:
            ready = self._end()
            if ready is not None:
                ready.tree.close()

    def _walk(self, child: Child) -> Generator[Entry, None, bool]:
        """Whether rclone came to its end: the feed stops it."""
        printed, begun = listing.entries(paced(child.read)), False
        while True:
            try:
                entry = next(printed)
            except StopIteration as end:
                return bool(end.value)
            with self._lock:
                if self._feed is not None:
                    return False
                self._listed.add(entry)
            if not begun and self._listed.folders >= START:
                begun = True
                threading.Thread(
                    target=self._read_feed, args=(child,), name="feed race", daemon=True
                ).start()
            if not self._options.get("files_only" if entry.is_dir else "dirs_only"):
                yield entry

    def _end(self) -> FeedListing | None:
        """Nothing is read any more. The feed, if it was complete before."""
        with self._lock:
            self._ended.set()
            return self._feed

    # ---- the feed, in a thread of its own --------------------------------------------------------

    def _read_feed(self, child: Child) -> None:
        from .whole import whole

        mime_types = bool(self._options.get("mime_types"))
        try:
            found = whole(
                self._saved,
                self._path,
                mime_types,
                self._ended,
                self._token,
                self._earn,
                _leads_elsewhere,
            )
        except Cancelled:
            return
        if not isinstance(found, str):
            with self._lock:
                if not self._ended.is_set() and self._agrees(found):
                    self._feed = found
            if self._feed is not None:
                child.cancel()
                return
            found.tree.close()
            found = "the feed does not have what was listed"
        log.info("%s is walked folder by folder: %s", self._saved.name, found)

    def _agrees(self, found: FeedListing) -> bool:
        parents = {key: above or found.key for key, above in self._listed.parents.items()}
        return self._listed.known and found.tree.holds(parents)

    def _earn(self, page: int) -> None:
        """Wait until the page with this number may be read. Cancelled once it needs not."""
        while not self._may_read(page):
            if not self._listed.known or self._ended.wait(_LOOK):
                raise Cancelled("The feed is not needed any more.")

    def _may_read(self, page: int) -> bool:
        """rclone's folders have earned it, and it is not near a limit."""
        if self._listed.folders < START + FOLDERS_A_PAGE * page:
            return False
        if self._budget is None:
            return True
        now = time.monotonic()
        if self._budget.holds(now) is None:
            return self._budget.wait(now, _CLEAR) <= 0
        return (
            self._budget.wait(now, _UNDER_WAY) <= 0 and self._budget.granted(now, _UNDER_WAY) >= 1
        )

    def _token(self, http: Http, ended: str | None) -> Token:
        """The stored one; rclone is at work, and renews it."""
        while True:
            try:
                token = self._saved.usable_token(http)
                if token.access_token != ended:
                    return token
            except TokenExpired:
                pass
            if self._ended.wait(_LOOK_FOR_TOKEN):
                raise Cancelled("The feed is not needed any more.")


def _leads_elsewhere(found: FeedListing) -> str | None:
    return "a folder in it is on another drive" if found.tree.leads_elsewhere(found.key) else None
