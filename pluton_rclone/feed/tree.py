"""A delta feed put together: items in any order, some more than once, become paths when the feed
has ended.

The items lie in a temporary database of SQLite, which keeps to the disk beyond a few megabytes and
is gone when it is closed: a drive of a million items takes no more memory than a small one.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple

from pluton_rclone.microsoft.graph.delta import Item

_TABLE = """create table items (
    key text primary key, parent text, id text, name text, translated int, size int, modified text, is_dir int,
    mime_type text, quick_xor text, root int, deleted int, elsewhere int, notebook int) without rowid"""
# Only folders and OneNote's notebooks hold something; all that is asked here stands in the index.
_REACHED = """with recursive reached(key) as (
    select key from items where root
    union all select items.key from reached cross join items indexed by by_parent
        on items.parent = reached.key and not items.root where items.is_dir or items.notebook)
    select count(*) + 1 from reached cross join items indexed by by_parent
        on items.parent = reached.key and not items.root"""
_CHILDREN = """select key, id, name, translated, size, modified, is_dir, mime_type, quick_xor, elsewhere, notebook
    from items indexed by by_parent where parent = ? and not root"""


_LEADS_ELSEWHERE = """with recursive below(key, elsewhere) as (
    select key, elsewhere from items where key = ?
    union all select items.key, items.elsewhere from below cross join items indexed by by_parent
        on items.parent = below.key where not items.root)
    select 1 from below where elsewhere limit 1"""


class Found(NamedTuple):
    """A file or folder with its path, "/" between names as rclone shows them; the rest as in
    `Item`."""

    path: str
    name: str
    id: str
    size: int
    modified: str
    is_dir: bool
    mime_type: str | None
    quick_xor: str | None
    elsewhere: bool


class FeedTree:
    """Fill it with `add`, ask `gap`, then `walk`. Close it, or use it with `with`. It may change
    threads."""

    def __init__(self) -> None:
        self._database = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._database.execute("pragma journal_mode = off")
        self._database.execute("pragma temp_store = file")
        self._database.execute("pragma cache_size = -16000")  # KiB
        self._database.execute(_TABLE)
        # from the start: it grows while the next page is on its way
        self._database.execute("create index by_parent on items (parent, root, is_dir, notebook)")
        self._database.execute("begin")

    def __enter__(self) -> FeedTree:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._database.close()

    def add(self, items: Iterable[Item]) -> None:
        """The next items of the feed: of an item that came before, this is the last word."""
        row = ",".join("?" * len(Item._fields))
        self._database.executemany(f"insert or replace into items values ({row})", items)

    def gap(self) -> str | None:
        """Once the feed has ended: why it does not make one whole tree, None when it does.

        Every item that is not deleted must be reached from the one root. One whose folder did not
        come, or was deleted, or that lies in a circle, says that something is missing or moved
        while it was read.
        """
        self._database.execute("delete from items where deleted")
        roots, items = self._database.execute(
            "select coalesce(sum(root), 0), count(*) from items"
        ).fetchone()
        if roots != 1:
            return f"the feed has {roots} roots"
        (reached,) = self._database.execute(_REACHED).fetchone()
        return (
            None
            if reached == items
            else f"the folders of {items - reached} items are not in the feed"
        )

    def lacks_mime_types(self) -> bool:
        """Whether Microsoft left a file's MIME type out, OneNote's not counted."""
        wanted = (
            "select 1 from items where not is_dir and not notebook and mime_type is null limit 1"
        )
        return self._database.execute(wanted).fetchone() is not None

    def leads_elsewhere(self, folder: str) -> bool:
        """Whether something below the folder with that key is `elsewhere`."""
        return self._database.execute(_LEADS_ELSEWHERE, (folder,)).fetchone() is not None

    def holds(self, folders: Mapping[str, str]) -> bool:
        """Whether all of these keys are folders in it, each in the folder with the key given for
        it."""
        wanted = "select 1 from items where key = ? and is_dir and parent = ?"
        return all(
            self._database.execute(wanted, pair).fetchone() is not None for pair in folders.items()
        )

    def folder(self, path: str, shown: Callable[[str], str]) -> str | None:
        """The key of the folder at a path from the root, "" the root itself; None when the feed has
        none there whose content it knows. Upper and lower case are not told apart, as OneDrive does
        not.
        """
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

    def walk(self, folder: str, shown: Callable[[str], str], *, notebooks: bool) -> Iterator[Found]:
        """Everything below the folder with that key, folders before what they hold, paths relative
        to it. `shown` translates names, `notebooks` says whether OneNote's are files or are left
        out. What lies below a folder that is `elsewhere` is left out.
        """
        waiting = [(folder, "")]
        while waiting:
            key, above = waiting.pop()
            for row in self._database.execute(_CHILDREN, (key,)):
                (
                    child,
                    item_id,
                    stored,
                    translated,
                    size,
                    modified,
                    is_dir,
                    mime_type,
                    hash_,
                    away,
                    notebook,
                ) = row
                if notebook and not notebooks:
                    continue
                name = shown(stored) if translated else stored
                path = above + name
                yield Found(
                    path, name, item_id, size, modified, bool(is_dir), mime_type, hash_, bool(away)
                )
                if is_dir and not away:
                    waiting.append((child, path + "/"))
