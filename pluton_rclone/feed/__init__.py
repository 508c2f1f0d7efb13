"""A whole drive listed from its delta feed: one request for a thousand items, while rclone's walk
needs one for each folder.

rclone can read the feed, too, but drops an item that comes before its folder, silently and with
exit 0, so its listing may be incomplete. Here the feed is read to its end first
(`microsoft.graph.delta`) and put together (`feed.tree`). The listing is used only if the feed ended
with Microsoft's `@odata.deltaLink` and every item in it is reached from the drive's root. If
anything goes wrong, rclone walks: nothing was given out yet.

Below a drive's root, it is not known how much of the drive the folder is. So rclone walks it while
the feed is read, and the first that is complete is the listing (`feed.race`).

Only for reading. What sync, move, copy and delete do is decided by rclone's own listings.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from pluton_rclone.rclone.results import Total
from pluton_rclone.remote.options import TRUE

if TYPE_CHECKING:
    from pluton_rclone.rclone.commands import ListOptions
    from pluton_rclone.rclone.listing import Entry
    from pluton_rclone.saved.remote import SavedRemote

By = Literal["auto", "folders", "feed"]
"""How a folder is listed: "folders" by rclone, one by one; "feed" from the whole delta feed; "auto"
by the feed at the root of a drive, and by both at once elsewhere."""

log = logging.getLogger(__name__)

_OPTIONS = frozenset({"fast_list", "files_only", "dirs_only", "hashes", "mime_types"})
"""Options of a listing that are given their meaning here; with any other, rclone walks."""
_NETWORK = ("BIND", "CA_CERT", "CLIENT_CERT", "CLIENT_KEY", "HTTP_PROXY")
"""RCLONE_… variables that tell rclone a way to Microsoft; the feed's reader does not know them."""


def fits(saved: SavedRemote, by: By, options: ListOptions) -> bool:
    """Whether the feed can replace rclone's walk: nothing is set that only rclone understands, and
    it is a drive of the global cloud (only its documents have the feed), reached by Graph itself,
    from its root."""
    section = saved.section
    given = {name for name, value in options.items() if value}
    if by == "folders" or not given <= _OPTIONS or {"files_only", "dirs_only"} <= given:
        return False
    if "mime_types" in given and section.get("expose_onenote_files") in TRUE:
        return False
    stored = section.get("hash_type") or "auto"
    ours = set(options.get("hashes") or ()) == {"quickxor"} and stored in ("auto", "quickxor")
    if "hashes" in given and not ours:
        return False
    if section.get("type") != "onedrive" or (section.get("region") or "global") != "global":
        return False
    elsewhere = any(section.get(name) for name in ("root_folder_id", "tenant_url"))
    overridden = any(name.startswith(("override.", "global.")) for name in section)
    return not (elsewhere or overridden or any(os.environ.get(f"RCLONE_{n}") for n in _NETWORK))


def walk(saved: SavedRemote, path: str, by: By, options: ListOptions) -> Iterator[Entry]:
    """Everything below a folder, folders before what they hold, as rclone's walk gives it."""
    deep = by == "auto" and saved.path_in_drive(path)
    # With this option rclone's own walk is the feed: in its order, and with what it drops.
    if deep and saved.section.get("delta") not in TRUE:
        from .race import race

        yield from saved.rclone.resumed(lambda: race(saved, path, options))
        return
    from .whole import whole

    ended = threading.Event()
    try:
        mime_types = bool(options.get("mime_types"))
        found = whole(saved, path, mime_types, ended, saved.graph)
    finally:
        ended.set()  # for the page that is on its way
    if isinstance(found, str):
        log.info("%s is walked folder by folder: %s", saved.name, found)
        yield from saved.rclone.walk(saved.at(path), **options)
        return
    with found.tree:
        yield from found.entries(saved, options)


def total(saved: SavedRemote, path: str, by: By) -> Total:
    """Files and bytes below a folder, as rclone counts them."""
    count = size = sizeless = 0
    for entry in walk(saved, path, by, {"files_only": True}):
        count += 1
        size += max(entry.size, 0)
        sizeless += entry.size < 0
    return Total(count, size, sizeless)
