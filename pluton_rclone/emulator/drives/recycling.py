"""The recycle bin of a drive: what was deleted, from where, and how much room it still takes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from . import refusals
from .item import Item


@dataclass(frozen=True)
class Deleted:
    """One deleted item; a folder includes everything below it."""

    item: Item
    parent: Item | None
    bytes: int  # versions included
    when: int  # milliseconds since 1970


class RecycleBin:
    """Deleted items by id. Its bytes count against the quota (`quota.deleted`)."""

    def __init__(self) -> None:
        self._entries: dict[str, Deleted] = {}
        self.bytes = 0

    def add(self, item: Item, parent: Item | None, size: int, when: int) -> None:
        self._entries[item.id] = Deleted(item, parent, size, when)
        self.bytes += size

    def take(self, item_id: str) -> tuple[Item, Item | None]:
        """Take an item out; 404 if it is not here."""
        entry = self._entries.pop(item_id, None)
        if entry is None:
            raise refusals.not_found()
        self.bytes -= entry.bytes
        return entry.item, entry.parent

    def empty(self) -> None:
        """Remove everything for good."""
        self._entries.clear()
        self.bytes = 0

    def names(self) -> list[str]:
        """The names of the deleted items, in the order of deletion."""
        return [entry.item.name for entry in self._entries.values()]

    def __iter__(self) -> Iterator[Deleted]:
        return iter(list(self._entries.values()))

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, name: object) -> bool:
        return any(entry.item.name == name for entry in self._entries.values())
