"""From the path of a Graph address to the item that it names.

Forms (addressing-driveitems.md): `/root`, `/items/{id}`, `/root:/{path}:/…`,
`/items/{id}:/{path}:/…`, and what rclone sends to China, where the colon does not work:
`/items/{id}/children('{name}')/…` and `/root/children('@a1')/…?@a1='{path}'`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import unquote

from pluton_rclone.emulator.drives import refusals
from pluton_rclone.emulator.drives.drive import Drive
from pluton_rclone.emulator.drives.item import Actor, Item

from .call import Call

_COLON = re.compile("%3a", re.IGNORECASE)
_CHILD = re.compile(r"children\('(.*)'\)(?:/(.*))?$")


class Address(NamedTuple):
    """An item by id and path, and the action on it."""

    item_id: str  # "root" or an id
    path: str  # below that item, decoded; "" for the item itself
    action: str  # "", "children", "content", "versions/2.0", …


def parse(rest: str, call: Call) -> Address | None:
    """Parse the part of an address after the drive, such as `root:/a/b:/content`; None if it names
    no item."""
    rest = _COLON.sub(":", rest)  # Microsoft's own SDKs quote it; no name on OneDrive holds one
    if rest.startswith("items/"):
        tail = rest[6:]
        end = min(
            (place for place in (tail.find("/"), tail.find(":")) if place >= 0), default=len(tail)
        )
        item_id, tail = unquote(tail[:end]), tail[end:]
        if not item_id:
            return None
    elif rest == "root" or rest.startswith(("root/", "root:")):
        item_id, tail = "root", rest[4:]
    else:
        return None
    if tail.startswith(":"):
        path, _, action = tail[1:].partition(":")
        return Address(item_id, unquote(path).strip("/"), _action(action))
    action = tail[1:]
    if action.startswith("children("):
        match = _CHILD.match(unquote(action))
        if match is None:
            return None
        name, further = match[1], match[2] or ""
        if name.startswith("@"):
            value = call.query.get(name, "")
            name = value[1:-1] if value[:1] == value[-1:] == "'" else value
        return Address(item_id, name.replace("''", "'").strip("/"), _action(further))
    return Address(item_id, "", _action(action))


def _action(text: str) -> str:
    return text.strip("/").removeprefix("microsoft.graph.")


@dataclass(frozen=True)
class Place:
    """The place of an item that may not exist: an existing folder and a path below it."""

    drive: Drive
    start: Item
    path: str

    def item(self) -> Item:
        """The item at this place; 404 if there is none."""
        item = self.drive.find(self.path, self.start) if self.path else self.start
        if item is None or item.deleted:  # while the request was arriving
            raise refusals.not_found()
        return item

    def slot(self, author: Actor) -> tuple[Item, str]:
        """The folder and the name for a new item; missing folders are created, as Graph does."""
        if not self.path:
            if self.start.parent is None:
                raise refusals.invalid_request("The root is no file.")
            return self.start.parent, self.start.name
        folders, _, name = self.path.rpartition("/")
        return self.drive.folder_below(self.start, folders, author), name
