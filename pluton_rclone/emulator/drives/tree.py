"""The tree of a drive: items by id and by name, sizes of folders, and the limits of names and
paths."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from . import refusals
from .content import Content
from .identifiers import ROOT, CurrentIds, ItemIds
from .item import Actor, Item
from .names import check_length, check_name, fold


class Tree:
    """Items below one root. Raises `GraphFault` for what breaks the rules for names and paths."""

    def __init__(
        self, drive_id: str, kind: str, server_path: str, owner: Actor, clock: Callable[[], float]
    ) -> None:
        self.kind = kind
        self.server_path = (
            server_path  # counted in the length of paths: personal/bert_contoso_com/Documents
        )
        self.enforce_limits = True
        self._prefix = len(server_path) + 1 if server_path else 0
        self._clock = clock
        self._drive_id = drive_id
        self._ids = ItemIds(drive_id)
        self._items: dict[str, Item] = {}
        self.root = self._make("root", None, None, owner)

    @property
    def count(self) -> int:
        """The number of items, without the root."""
        return len(self._items) - 1

    def now(self) -> int:
        """Milliseconds since 1970."""
        return int(self._clock() * 1000)

    def item(self, item_id: str) -> Item:
        """The item with that id ("root" for the root); 404 if there is none. Ids ignore case."""
        item = self._items.get(item_id)
        if item is None:
            item = self.root if item_id == "root" else self._items.get(self._ids.normal(item_id))
        if item is None:
            raise refusals.not_found()
        return item

    @property
    def current_ids(self) -> CurrentIds | None:
        """The ids of a personal drive on SharePoint's backend; None on any other drive."""
        return self._ids if isinstance(self._ids, CurrentIds) else None

    def use_current_ids(self) -> None:
        """Move a personal drive to SharePoint's backend: every item gets a new id."""
        self._ids = ids = self._ids.on_current_backend(self._drive_id)
        self.root.unique = ROOT
        for item in self._items.values():
            item.id = ids.of(item.unique)
        self._items = {item.id: item for item in self._items.values()}

    def find(self, path: str, start: Item | None = None) -> Item | None:
        """The item at a path of plain names below `start` (the root); None if there is none."""
        item: Item | None = start or self.root
        for name in path.split("/"):
            if name:
                if item is None or item.children is None:
                    return None
                item = item.children.get(fold(name))
        return item

    def walk(self, start: Item | None = None) -> Iterator[Item]:
        """`start` (the root) and all below it, folders before what they hold."""
        waiting = [start or self.root]
        while waiting:
            item = waiting.pop()
            yield item
            if item.children:
                waiting.extend(reversed(list(item.children.values())))

    # ---- inside ----------------------------------------------------------------------------------

    def _make(self, name: str, parent: Item | None, content: Content | None, author: Actor) -> Item:
        unique, item_id = self._ids.next()
        item = Item(unique, item_id, name, parent, content, self.now(), author)
        self._items[item_id] = item
        return item

    def _place(
        self, parent: Item, name: str, conflict: str, *, folder: bool
    ) -> tuple[str, Item | None]:
        """The name to use in a folder and the item that has it already; 409 if `conflict` is "fail"
        and the name is taken."""
        if parent.children is None:
            raise refusals.invalid_request("The parent is not a folder.")
        self._check(parent, name, folder)
        existing = parent.children.get(fold(name))
        if existing is None or conflict == "replace":
            return name, existing
        if conflict != "rename":
            raise refusals.name_exists()
        stem, dot, extension = name.rpartition(".") if not folder else (name, "", "")
        if not stem:
            stem, dot, extension = name, "", ""
        count = 1
        while fold(candidate := f"{stem} {count}{dot}{extension}") in parent.children:
            count += 1
        self._check(parent, candidate, folder)
        return candidate, None

    def _check(self, parent: Item, name: str, folder: bool) -> None:
        if not self.enforce_limits:
            return
        check_name(name, kind=self.kind, folder=folder, at_root=parent.parent is None)
        check_length(self._path_length(parent) + len(name))

    def _path_length(self, folder: Item) -> int:
        """The characters before a name in `folder`, including the last slash."""
        length = self._prefix
        item: Item | None = folder
        while item is not None and item.parent is not None:
            length += len(item.name) + 1
            item = item.parent
        return length

    def _check_below(self, item: Item, parent: Item, name: str) -> None:
        """Check that every path below a moved folder still fits."""
        if not self.enforce_limits:
            return
        waiting = [(item, self._path_length(parent) + len(name))]
        while waiting:
            folder, length = waiting.pop()
            check_length(length)
            waiting.extend(
                (child, length + 1 + len(child.name)) for child in (folder.children or {}).values()
            )

    def _attach(self, item: Item, parent: Item) -> None:
        assert parent.children is not None
        parent.children[fold(item.name)] = item
        item.parent = parent
        self._resize(parent, item.size)

    def _detach(self, item: Item) -> None:
        parent = item.parent
        if parent is None or parent.children is None:
            raise refusals.invalid_request("The root cannot be deleted.")
        del parent.children[fold(item.name)]
        self._resize(parent, -item.size)

    def _grow(self, item: Item, more: int) -> None:
        item.size += more
        if item.parent is not None:
            self._resize(item.parent, more)

    def _resize(self, folder: Item, more: int) -> None:
        if more:
            item: Item | None = folder
            while item is not None:
                item.size += more
                item = item.parent
