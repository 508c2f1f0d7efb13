"""Reads a drive's whole delta feed, one page ahead, within the account's budget, into a tree."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from pluton_rclone.errors import (
    AccessDenied,
    Cancelled,
    ItemNotFound,
    NothingFound,
    PlutonRcloneError,
)
from pluton_rclone.microsoft.graph import delta
from pluton_rclone.microsoft.http import Http
from pluton_rclone.pace.ledger import budget_of
from pluton_rclone.process.aside import aside
from pluton_rclone.values import costs
from pluton_rclone.values.encoding import to_onedrive
from pluton_rclone.values.refusals import about

from .tree import FeedTree

if TYPE_CHECKING:
    from pluton_rclone.microsoft.graph.delta import Page
    from pluton_rclone.microsoft.graph.graph import Graph
    from pluton_rclone.rclone.commands import ListOptions
    from pluton_rclone.rclone.listing import Entry
    from pluton_rclone.saved.remote import SavedRemote


class FeedListing(NamedTuple):
    """A whole drive, and the folder to list: its path in the drive, and its key in the tree."""

    tree: FeedTree
    path: str
    key: str
    shown: Callable[[str], str]

    def entries(self, saved: SavedRemote, options: ListOptions) -> Iterator[Entry]:
        """Everything below the folder as in rclone's lsjson, folders before their content."""
        files, folders = not options.get("dirs_only"), not options.get("files_only")
        wanted = {
            "notebooks": saved.options.expose_onenote_files,
            "hashes": bool(options.get("hashes")),
            "mime_types": bool(options.get("mime_types")),
        }
        elsewhere: list[str] = []
        for entry, is_elsewhere in self.tree.walk(self.key, self.shown, **wanted):
            if is_elsewhere:
                elsewhere.append(entry.path)
            if folders if entry.is_dir else files:
                yield entry
        failure: PlutonRcloneError | None = None
        unread: list[str] = []
        for folder in elsewhere:
            place = saved.at(f"/{self.path}/{folder}")
            try:
                for entry in saved.rclone.walk(place, **options):
                    yield msgspec.structs.replace(entry, path=f"{folder}/{entry.path}")
            except (AccessDenied, ItemNotFound, NothingFound) as problem:
                _name(folder, problem)
                unread += problem.details["unread"]
                failure = problem
        if failure is not None:  # after everything else was listed, as in rclone's walk
            failure.details["unread"] = unread
            raise failure


def _name(folder: str, problem: PlutonRcloneError) -> None:
    """Make an error name the folder in the listing, or an item in it, as rclone's walk does."""
    what, inner = problem.what, problem.details.get("unread", ())
    problem.what = f"{folder}/{what}" if inner else about(folder, what)
    problem.details["unread"] = [f"{folder}/{path}" for path in inner] or [folder]


def whole(
    saved: SavedRemote,
    path: str,
    mime_types: bool,
    ended: threading.Event,
    graph: Callable[[Http], Graph],
    turn: Callable[[], None] = lambda: None,
) -> FeedListing | str:
    """A folder from the feed, whose tree the caller closes; or why the feed may be incomplete, or
    lacks the folder. `graph` returns a Graph that replaces an expired token; `turn` returns when
    the next page may be read. Cancelled once `ended` is set."""
    with ExitStack() as opened:
        tree = opened.enter_context(FeedTree())
        try:
            with Http(cancel=ended) as http:
                _read_into(tree, saved, partial(graph, http), turn)
            found = _listing(saved, tree, path, mime_types)
        except Cancelled:
            raise
        except (PlutonRcloneError, sqlite3.Error, OverflowError, ValueError) as problem:
            return str(problem)
        if not isinstance(found, str):
            opened.pop_all()
    return found


def _read_into(
    tree: FeedTree, saved: SavedRemote, graph: Callable[[], Graph], turn: Callable[[], None]
) -> None:
    """Read the feed from first to last page; each page is added to the tree while the next is
    requested. Each counts against the account's budget, which its rclones observe, too."""
    budget, drive_id = budget_of(saved.section), saved.options.drive_id

    def read(link: str | None) -> Page:
        turn()
        if budget is not None:
            units = costs.DELTA_WHOLE if link is None else costs.DELTA_PAGE
            budget.spend(budget.clock.now(), 1, units)
        return delta.read(reader, drive_id, link)

    reader = graph()
    page = read(None)
    for _ in range(delta.MOST_PAGES):
        link = page.next
        if link is None:
            tree.add(page.items())
            return
        coming = aside(partial(read, link), "delta feed")
        tree.add(page.items())
        page = coming.result()
        if page.next == link:
            break
    raise delta.broken()


def _listing(saved: SavedRemote, tree: FeedTree, path: str, mime_types: bool) -> FeedListing | str:
    """A folder of a filled tree; or why it cannot be listed from it."""
    gap = tree.gap()
    if gap is not None:
        return gap
    if mime_types and tree.lacks_mime_types():
        return "a file has no MIME type, which rclone then guesses from its name"
    place, names = saved.path_in_drive(path), to_onedrive(saved.options.encoding).shown
    key = tree.folder(place, names)
    return "the feed has no such folder" if key is None else FeedListing(tree, place, key, names)
