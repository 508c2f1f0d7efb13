"""Assembles a delta feed: items in any order, some repeated, become paths once the feed has ended.

They are kept in a temporary SQLite database, on disk beyond a few megabytes: a drive of a million
items takes no more memory than a small one."""

from __future__ import annotations

import binascii
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from datetime import datetime

import msgspec

from pluton_rclone.microsoft.graph.delta import Item
from pluton_rclone.rclone.listing import Entry

_TABLE = f"create table items ({','.join(Item._fields)}, primary key (key)) without rowid"
# Only folders and OneNote notebooks have children; the index contains all columns used here.
_REACHED = """with recursive reached(key) as (
    select key from items where root
    union all select items.key from reached cross join items indexed by by_parent
        on items.parent = reached.key and not items.root where items.is_dir or items.notebook)
    select count(*) + 1 from reached cross join items indexed by by_parent
        on items.parent = reached.key and not items.root"""
_CHILDREN = """select key, id, name, translated, size, modified, is_dir, mime_type, quick_xor,
    elsewhere, notebook from items indexed by by_parent where parent = ? and not root"""


class FeedTree:
    """Call `add` for all items, then `gap`, then `walk`; close it. May be used from several
    threads, one at a time."""

    def __init__(self) -> None:
        self._database = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._database.execute("pragma journal_mode = off")
        self._database.execute("pragma temp_store = file")
        self._database.execute("pragma cache_size = -16000")  # KiB
        self._database.execute(_TABLE)
        # from the start, so that it is built while the next page is requested
        self._database.execute("create index by_parent on items (parent, root, is_dir, notebook)")
        self._database.execute("begin")

    def __enter__(self) -> FeedTree:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._database.close()

    def add(self, items: Iterable[Item]) -> None:
        """Add the next items of the feed; an item replaces an earlier one with the same key."""
        row = ",".join("?" * len(Item._fields))
        self._database.executemany(f"insert or replace into items values ({row})", items)

    def gap(self) -> str | None:
        """Once the feed has ended: why it is not one complete tree; None if it is.

        Every item that is not deleted must be reachable from the one root. Otherwise an item is
        missing, or was moved while the feed was read."""
        self._database.execute("delete from items where deleted")
        roots, items = self._database.execute(
            "select coalesce(sum(root), 0), count(*) from items"
        ).fetchone()
        if roots != 1:
            return f"the feed has {roots} roots"
        (reached,) = self._database.execute(_REACHED).fetchone()
        missing = items - reached
        return f"the folders of {missing} items are not in the feed" if missing else None

    def lacks_mime_types(self) -> bool:
        """Whether Microsoft omitted the MIME type of a file other than OneNote's."""
        files = "select 1 from items where not is_dir and not notebook"
        return self._database.execute(f"{files} and mime_type is null").fetchone() is not None

    def folder(self, path: str, shown: Callable[[str], str]) -> str | None:
        """The key of the folder at a path from the root, "" for the root; None if the feed has no
        such folder with known content. As on OneDrive, case is ignored."""
        (key,) = self._database.execute("select key from items where root").fetchone()
        for wanted in filter(None, path.split("/")):
            for row in self._database.execute(_CHILDREN, (key,)):
                child, _, stored, translated, _, _, is_dir, _, _, away, _ = row
                name = shown(stored) if translated else stored
                if is_dir and not away and name.lower() == wanted.lower():
                    key = child
                    break
            else:
                return None
        return str(key)

    def walk(
        self,
        folder: str,
        shown: Callable[[str], str],
        *,
        notebooks: bool = False,
        hashes: bool = False,
        mime_types: bool = False,
    ) -> Iterator[tuple[Entry, bool]]:
        """Everything below the folder with that key, as in rclone's lsjson, folders before their
        content, with relative paths. The flag is set for a folder that is `elsewhere`, whose
        content is omitted. `shown` translates names. Without `notebooks`, OneNote's are omitted."""
        waiting = [(folder, "")]
        while waiting:
            key, above = waiting.pop()
            for row in self._database.execute(_CHILDREN, (key,)):
                child, item_id, stored, translated, size, modified, is_dir, *rest = row
                mime_type, quick_xor, away, notebook = rest
                if notebook and not notebooks:
                    continue
                name = shown(stored) if translated else stored
                path = above + name
                if is_dir:
                    kind = "inode/directory" if mime_types else None
                    # as rclone shows a folder without a time
                    when = _time("2000-01-01T00:00:00" if modified.startswith("0001") else modified)
                    yield Entry(path, name, -1, when, True, item_id, kind), bool(away)
                    if not away:
                        waiting.append((child, path + "/"))
                    continue
                kind, found = mime_type if mime_types else None, None
                if hashes and quick_xor:
                    with suppress(binascii.Error):
                        found = {"quickxor": binascii.a2b_base64(quick_xor).hex()}
                yield Entry(path, name, size, _time(modified), False, item_id, kind, found), False


def _time(text: str) -> datetime | None:
    """In whole seconds, as rclone shows times on OneDrive."""
    try:
        return msgspec.convert(text[:19] + "Z", datetime)
    except msgspec.ValidationError:
        return None
