"""Lists a whole drive from its delta feed: one request per thousand items, while rclone's walk
needs one per folder.

rclone can read the feed, too, but it drops an item that comes before its folder, silently and with
exit code 0, so its listing may be incomplete. Here the feed is first read to its end
(`microsoft.graph.delta`) and assembled (`feed.tree`). The listing is used only if the feed ended
with Microsoft's `@odata.deltaLink` and every item is reachable from the drive's root. If anything
goes wrong, rclone walks instead: no entry has been yielded yet.

For a folder below the root, its share of the drive is unknown. So rclone walks it while the feed is
read, and the first complete result is the listing (`feed.race`).

Only for reading: sync, move, copy and delete rely on rclone's own listings."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from pluton_rclone.rclone.results import Total
from pluton_rclone.remote.options import TRUE
from pluton_rclone.values.words import require_word

if TYPE_CHECKING:
    from pluton_rclone.rclone.commands import ListOptions
    from pluton_rclone.rclone.listing import Entry
    from pluton_rclone.saved.remote import SavedRemote

By = Literal["auto", "folders", "feed"]
"""How a folder is listed: "folders" by rclone, one by one; "feed" from the whole delta feed; "auto"
from the feed at a drive's root, and by both at once elsewhere."""

log = logging.getLogger(__name__)

_OPTIONS = frozenset({"fast_list", "files_only", "dirs_only", "hashes", "mime_types"})
"""The listing options that are implemented here; with any other, rclone walks."""
_NETWORK = ("BIND", "CA_CERT", "CLIENT_CERT", "CLIENT_KEY", "HTTP_PROXY")
"""RCLONE_… variables with rclone's network settings, which the feed's reader does not use."""


def fits(saved: SavedRemote, by: By, options: ListOptions) -> bool:
    """Whether the feed can replace rclone's walk: no option is set that only rclone understands,
    and it is the root of a drive in the global cloud (only there is the feed documented), accessed
    through Graph itself."""
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
    """Everything below a folder, folders before their content, as rclone's walk yields it."""
    require_word("way to list", by, By)
    deep = by == "auto" and saved.path_in_drive(path)
    # With this option, rclone's own walk reads the feed, in feed order, and drops items.
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
        ended.set()  # stops the request for the next page
    if isinstance(found, str):
        log.info("%s is walked folder by folder: %s", saved.name, found)
        yield from saved.rclone.walk(saved.at(path), **options)
        return
    with found.tree:
        yield from found.entries(saved, options)


def total(saved: SavedRemote, path: str, by: By) -> Total:
    """The number of files and bytes below a folder, as rclone counts them."""
    count = size = sizeless = 0
    for entry in walk(saved, path, by, {"files_only": True}):
        count += 1
        size += max(entry.size, 0)
        sizeless += entry.size < 0
    return Total(count, size, sizeless)
