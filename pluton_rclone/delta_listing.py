"""A whole drive listed from its delta feed: a request for a thousand items, where rclone's walk takes one a folder.

rclone can read the feed, too, but drops an item that comes before its folder, without a word and with exit 0, so that
nothing tells whether its listing is complete. Here the feed is read to its end first (`microsoft.delta`) and put
together (`feed_tree`). The listing is used only when the feed ended with Microsoft's `@odata.deltaLink` and every item
in it is reached from the drive's root. Whatever else happens - an answer that is an error, a page that cannot be read,
an item whose folder did not come, a token that cannot be renewed - rclone walks, as it would have without all this:
nothing was given out yet.

Only for reading. What sync, move, copy and delete do is decided by rclone's own listings, folder by folder.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from binascii import a2b_base64
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from datetime import datetime
from functools import partial
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import msgspec

from . import paths
from .errors import Cancelled, PlutonRcloneError, TokenExpired
from .rclone import locations
from .rclone.listing import Entry
from .rclone.results import Total

if TYPE_CHECKING:
    from .feed_tree import FeedTree, Found
    from .microsoft.delta import Page
    from .microsoft.http import Http
    from .storage import Storage

By = Literal["auto", "folders", "feed"]
"""How a folder is listed: "folders" by rclone, one by one; "feed" from the drive's delta feed, all of which is read for
it; "auto" by the feed at the root of a drive, and by folders elsewhere."""

log = logging.getLogger(__name__)

_OPTIONS = frozenset({"fast_list", "files_only", "dirs_only", "hashes", "mime_types"})
"""Options of a listing that are given their meaning here; with any other, rclone walks."""
_NEUTRAL = frozenset(
    {
        "RCLONE_BUFFER_SIZE",
        "RCLONE_CHECKERS",
        "RCLONE_LOG_LEVEL",
        "RCLONE_LOW_LEVEL_RETRIES",
        "RCLONE_RETRIES",
        "RCLONE_TPSLIMIT",
        "RCLONE_TPSLIMIT_BURST",
        "RCLONE_TRANSFERS",
    }
)
"""What the storage's own rclone may be given without changing what a listing shows, or how it reaches Microsoft."""
_NETWORK = ("RCLONE_BIND", "RCLONE_CA_CERT", "RCLONE_CLIENT_CERT", "RCLONE_CLIENT_KEY", "RCLONE_HTTP_PROXY")
"""Ways to Microsoft that rclone has been told and the feed's reader does not know."""
_UNSET_FOLDER_TIME = "2000-01-01T00:00:00Z"  # what rclone shows of a folder without a time


def fits(storage: Storage, path: str, by: By, options: Mapping[str, Any]) -> bool:
    """Whether the feed can stand for rclone's walk of `path`: wanted at the root of a drive, or anywhere by "feed"; in
    Microsoft's global cloud (no other's documents have the feed), by Graph itself, with nothing set that only rclone
    knows the meaning of.
    """
    section = storage.section_with_secrets()
    base = section.get("pluton_base_folder", "")
    if by == "folders" or (by == "auto" and paths.in_drive(path, base)):
        return False
    given = {name for name, value in options.items() if value}
    wants_hashes = set(options.get("hashes") or ())
    rclone = storage.rclone
    return (
        given <= _OPTIONS
        and not {"files_only", "dirs_only"} <= given
        and wants_hashes <= {"quickxor"}
        and (not wants_hashes or section.get("hash_type", "auto") in ("", "auto", "quickxor"))
        and not ("mime_types" in given and section.get("expose_onenote_files") == "true")
        and section.get("region", "global") in ("", "global")
        and not any(section.get(name) for name in ("root_folder_id", "tenant_url"))
        and not any(name.startswith(("override.", "global.")) for name in section)
        and not rclone.flags
        and rclone.limits.time is None
        and rclone.environment.keys() <= _NEUTRAL
        and not any(os.environ.get(name) for name in _NETWORK)
    )


def walk(storage: Storage, path: str, options: Mapping[str, Any]) -> Iterator[Entry]:
    """Everything below a folder, folders before what they hold, as rclone's walk gives it."""
    listing = _listing(storage, path, bool(options.get("mime_types")))
    if listing is None:
        yield from storage.rclone.walk(storage.at(path), **options)
        return
    with listing.tree:
        yield from _entries(storage, listing, options)


def total(storage: Storage, path: str) -> Total:
    """Files and bytes below a folder, as rclone counts them."""
    listing = _listing(storage, path, mime_types=False)
    if listing is None:
        return storage.rclone.size(storage.at(path))
    count = size = sizeless = 0
    with listing.tree:
        for entry in _entries(storage, listing, {"files_only": True}):
            count += 1
            size += max(entry.size, 0)
            sizeless += entry.size < 0
    return Total(count, size, sizeless)


# ---- the feed ----------------------------------------------------------------------------------------------


class _Listing(NamedTuple):
    """A whole drive, and the folder in it that is listed: its path in the drive, its key in the tree."""

    tree: FeedTree
    path: str
    key: str
    shown: Callable[[str], str]


def _listing(storage: Storage, path: str, mime_types: bool) -> _Listing | None:
    """None when the feed does not say for sure that it is all, or does not know the folder."""
    import sqlite3

    from .feed_tree import FeedTree

    with ExitStack() as opened:
        tree = opened.enter_context(FeedTree())
        try:
            _read(storage, tree)
            gap = tree.gap()
            if gap is None and mime_types and tree.lacks_mime_types():
                gap = "a file has no MIME type, which rclone then guesses from its name"
            if gap is None:
                listing = _at(storage, tree, path)
                if listing is not None:
                    opened.pop_all()
                    return listing
                gap = "the feed has no such folder"
        except Cancelled:
            raise
        except (PlutonRcloneError, sqlite3.Error) as problem:
            gap = str(problem)
    log.info("%s is walked folder by folder: %s", storage.remote_name, gap)
    return None


def _at(storage: Storage, tree: FeedTree, path: str) -> _Listing | None:
    from .stored_names import shown

    remote = storage.remote
    place = paths.in_drive(path, remote.base_folder)
    names = shown(remote.encoding)
    key = tree.folder(place, names)
    return None if key is None else _Listing(tree, place, key, names)


def _read(storage: Storage, tree: FeedTree) -> None:
    """The feed from its first page to its last; while one is put into the tree, the next is on its way."""
    from .microsoft import delta
    from .microsoft.http import Http

    ended = threading.Event()
    with Http(cancel=ended) as http:
        pages = _Pages(storage, http)
        try:
            page = pages.read(None)
            for _ in range(delta.MOST_PAGES):
                link = page.next
                if link is None:
                    tree.add(page.items())
                    return
                coming = _ahead(partial(pages.read, link))
                tree.add(page.items())
                page = coming()
                if page.next == link:
                    break
        finally:
            ended.set()
    raise delta.endless()


class _Pages:
    """Pages of the feed of a storage's drive; a token that ends in the middle is renewed, once for a page. Each counts in
    the account's budget, which the storage's rclones have to keep within, too.
    """

    def __init__(self, storage: Storage, http: Http) -> None:
        from .microsoft.clouds import cloud

        remote = storage.remote
        self._storage, self._http = storage, http
        self._drive_id, self._cloud = remote.drive_id, cloud(remote.region)
        self._access = _token(storage, http)
        self._governed = storage.rclone.governed

    def read(self, link: str | None) -> Page:
        from .microsoft import delta
        from .microsoft.graph_client import GraphClient

        if self._governed is not None:
            self._governed.budget.spend(time.monotonic(), 1)
        try:
            graph = GraphClient(self._cloud, self._access, http=self._http)
            return delta.read(graph, self._drive_id, link)
        except TokenExpired:
            self._access = _token(self._storage, self._http, ended=self._access)
        graph = GraphClient(self._cloud, self._access, http=self._http)
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


def _token(storage: Storage, http: Http, ended: str | None = None) -> str:
    """An access token that Microsoft takes; not `ended`: another that was stored meanwhile, or a renewed one.

    It is renewed only where it can be kept, so that no refresh token is lost.
    """
    from .tokens import graph_token, renew, stored_token

    remote = storage.remote
    if not remote.client_credentials:
        token = stored_token(remote)
        if token.expired():
            storage.storages.conf.check_writable()
        elif token.access_token == ended:
            storage.storages.conf.check_writable()
            renew(storage, http)
    return graph_token(storage, http).access_token


# ---- its entries -------------------------------------------------------------------------------------------


def _entries(storage: Storage, listing: _Listing, options: Mapping[str, Any]) -> Iterator[Entry]:
    files, folders = not options.get("dirs_only"), not options.get("files_only")
    hashes, mime_types = bool(options.get("hashes")), bool(options.get("mime_types"))
    notebooks = storage.remote.expose_onenote_files
    elsewhere: list[str] = []
    for found in listing.tree.walk(listing.key, listing.shown, notebooks=notebooks):
        if found.elsewhere:
            elsewhere.append(found.path)
        if folders if found.is_dir else files:
            yield _entry(found, hashes, mime_types)
    for folder in elsewhere:
        place = locations.remote(storage.remote_name, f"{listing.path}/{folder}".strip("/"))
        for entry in storage.rclone.walk(place, **options):
            yield msgspec.structs.replace(entry, path=f"{folder}/{entry.path}")


def _entry(found: Found, hashes: bool, mime_types: bool) -> Entry:
    """As rclone's lsjson has it."""
    if found.is_dir:
        mime_type = "inode/directory" if mime_types else None
        return Entry(found.path, found.name, -1, _folder_time(found.modified), True, found.id, mime_type)
    mime_type = found.mime_type if mime_types else None
    hex_hash = {"quickxor": a2b_base64(found.quick_xor).hex()} if hashes and found.quick_xor else None
    return Entry(
        found.path, found.name, found.size, _time(found.modified), False, found.id, mime_type, hex_hash
    )


def _time(text: str) -> datetime | None:
    """In whole seconds, as rclone shows times on OneDrive."""
    try:
        return msgspec.convert(text[:19] + "Z", datetime)
    except msgspec.ValidationError:
        return None


def _folder_time(text: str) -> datetime | None:
    return _time(_UNSET_FOLDER_TIME if text.startswith("0001-01-01T00:00:00") else text)
