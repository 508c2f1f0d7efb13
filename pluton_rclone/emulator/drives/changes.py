"""The delta feed of a drive: everything, then only what changed, in pages that a token continues.

Microsoft's rules (driveitem-delta.md): if an item is listed twice, the last entry counts; no order
is guaranteed; a token that is too old gets 410, and the feed starts over. Here parents come first,
as they usually do; `order` and `repeats` produce the feeds that rclone cannot handle.
"""

from __future__ import annotations

import base64
import binascii
import enum
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from . import refusals
from .item import Item

_KEPT_ENUMERATIONS = 64


class Order(enum.Enum):
    """The order of a full enumeration."""

    PARENTS_FIRST = "parents first"
    CHILDREN_FIRST = "children first"


@dataclass(frozen=True)
class Page:
    """One page of the feed, and the token that continues it."""

    items: list[Item]
    token: str
    last: bool  # the token is for the next time (deltaLink), not for the next page (nextLink)


class Walked(Protocol):
    """The part of a drive that its feed needs."""

    def walk(self) -> Iterator[Item]: ...


class Changes:
    """The log of changes in one drive."""

    def __init__(self) -> None:
        self.order = Order.PARENTS_FIRST
        self.repeats = 0  # how many items every full enumeration lists twice
        self._log: list[Item] = []
        self._enumerations: dict[int, tuple[list[Item], int]] = {}
        self._count = 0
        self._oldest = 0  # tokens from before this point are too old

    def note(self, item: Item) -> None:
        """Record that an item was created, changed or deleted."""
        item.sequence = len(self._log)
        self._log.append(item)

    def expire(self) -> None:
        """Make every token issued so far too old: its next use gets 410."""
        self._oldest += len(self._log) + 1
        self._enumerations.clear()

    def page(self, drive: Walked, token: str | None, size: int) -> Page:
        """The next `size` items after `token`; None or "" starts at the beginning, "latest" at the
        end."""
        if token == "latest":
            return Page([], _token("s", self._oldest + len(self._log)), last=True)
        if not token:
            return self._enumerated(*self._begin(self.everything(drive), len(self._log)), 0, size)
        kind, numbers = _read(token)
        if kind == "s":
            since = numbers[0] - self._oldest
            if since < 0 or since > len(self._log):
                raise refusals.resync_required()
            return self._enumerated(*self._begin(self._since(since), len(self._log)), 0, size)
        number, offset = numbers
        kept = self._enumerations.get(number)
        if kept is None:
            raise refusals.resync_required()
        return self._enumerated(number, *kept, offset, size)

    def _begin(self, items: list[Item], until: int) -> tuple[int, list[Item], int]:
        self._count += 1
        self._enumerations[self._count] = (items, until)
        if len(self._enumerations) > _KEPT_ENUMERATIONS:
            del self._enumerations[next(iter(self._enumerations))]
        return self._count, items, until

    def _enumerated(
        self, number: int, items: list[Item], until: int, offset: int, size: int
    ) -> Page:
        end = offset + size
        if end >= len(items):
            return Page(items[offset:], _token("s", self._oldest + until), last=True)
        return Page(items[offset:end], _token("p", number, end), last=False)

    def everything(self, drive: Walked) -> list[Item]:
        items = list(drive.walk())
        if self.order is Order.CHILDREN_FIRST:
            items = [items[0], *reversed(items[1:])]
        return items + items[1 : 1 + self.repeats]

    def _since(self, start: int) -> list[Item]:
        """What changed after `start`, each once and after its parents."""
        items: dict[int, Item] = {}
        for place in range(start, len(self._log)):
            item = self._log[place]
            if item.sequence != place:
                continue
            line = []
            above = None if item.deleted else item
            while above is not None and id(above) not in items:
                line.append(above)
                above = above.parent
            for each in reversed(line):
                items[id(each)] = each
            items[id(item)] = item
        return list(items.values())


def _token(kind: str, *numbers: int) -> str:
    text = kind + ";".join(map(str, numbers))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _read(token: str) -> tuple[str, list[int]]:
    try:
        text = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode()
        kind, numbers = text[:1], [int(number) for number in text[1:].split(";")]
    except (ValueError, binascii.Error, UnicodeDecodeError):
        raise refusals.invalid_request("The token is not valid.") from None
    if {"s": 1, "p": 2}.get(kind) != len(numbers):
        raise refusals.invalid_request("The token is not valid.")
    return kind, numbers
