"""The delta feed of a drive: all its items, in pages, and whether a page is the last one.

Microsoft's rules (Microsoft Graph, "driveItem: delta"): `/drives/{id}/root/delta` enumerates the
whole drive; no other starting point is documented. Follow `@odata.nextLink`, unchanged, until a
page has `@odata.deltaLink` instead: only then is the feed complete. The order is not defined. If an
item occurs more than once, the last occurrence counts. A `parentReference` has no path, so track
items by id; a deleted item has the facet `deleted` and maybe no name; 410 means to start over.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from pluton_rclone.errors import GraphError

from .graph import Graph, drive_path

PAGE = "1000"  # items, as in rclone's requests
SELECT = "id,name,size,file,folder,package,root,deleted,parentReference,fileSystemInfo"
SELECT += ",lastModifiedDateTime,remoteItem,specialFolder"
MOST_PAGES = 100_000  # guards against a feed that never ends: a hundred million items
NO_TIME = "0001-01-01T00:00:00Z"

_SURROGATE = re.compile("[\ud800-\udfff]")


class Item(NamedTuple):
    """One item of the feed, as far as a listing needs it. `key` and `parent` (or "") link items:
    ids in capitals, since their case varies in Graph. `id` is rclone's: drive, "#", item.
    `translated`: rclone decodes look-alike characters in the name. `modified` is RFC 3339, UTC;
    `quick_xor` is base64. `elsewhere`: a folder whose content is not in this feed (a shortcut or
    the Personal Vault). `notebook`: a OneNote notebook."""

    key: str
    parent: str
    id: str
    name: str
    translated: bool
    size: int
    modified: str
    is_dir: bool
    mime_type: str | None
    quick_xor: str | None
    root: bool
    deleted: bool
    elsewhere: bool
    notebook: bool


class Page(NamedTuple):
    """The items of a page as Graph sent them, and the next page's address, None on the last."""

    values: list[Any]
    next: str | None

    def items(self) -> list[Item]:
        """The parsed items. Raises `GraphError` if one of them is malformed."""
        try:
            return [_item(value) for value in self.values]
        except (TypeError, ValueError, KeyError, AttributeError, OverflowError):
            raise broken("an item cannot be read") from None


def read(graph: Graph, drive_id: str, link: str | None = None) -> Page:
    """The page at `link`, or a drive's first page. Raises the errors of `Graph.get` and `page`."""
    if link is None:
        path = f"{drive_path(drive_id)}/root/delta"
        return page(graph.get(path, {"$select": SELECT, "$top": PAGE}, target="drive"))
    return page(graph.get(link, target="drive"))


def page(record: Mapping[str, Any]) -> Page:
    """A page from Graph's JSON. Raises `GraphError` unless it has either a next or a delta link."""
    values, link = record.get("value"), record.get("@odata.nextLink")
    if not isinstance(values, list):
        raise broken("a page has no list of items")
    ends = isinstance(record.get("@odata.deltaLink"), str)
    if ends == isinstance(link, str):
        raise broken("a page does not say whether the feed goes on or ends")
    return Page(values, None if ends else str(link))


def broken(why: str = "it never ends") -> GraphError:
    """The exception for a feed that cannot be used."""
    return GraphError("The change feed of this drive cannot be used.", why=why)


def _item(value: Mapping[str, Any]) -> Item:
    """The item as rclone reads it (backend/onedrive/api/types.go): `remoteItem` takes precedence,
    except for the name. rclone lists a renamed shortcut under the name of its target, but finds it
    only at the path with the shortcut's own name (tried)."""
    item_id = str(value["id"])
    reference = value.get("parentReference") or {}
    remote = value.get("remoteItem")
    away = remote or {}

    def either(member: str) -> Any:
        return away.get(member) or value.get(member)

    folder = away.get("folder", value.get("folder"))
    file, package = either("file") or {}, either("package") or {}
    info, changed = either("fileSystemInfo"), either("lastModifiedDateTime")
    modified = changed if info is None else info.get("lastModifiedDateTime")
    special = value.get("specialFolder") or {}
    return Item(
        item_id.upper(),
        str(reference.get("id") or "").upper(),
        _rclone_id(item_id, reference, remote),
        _SURROGATE.sub("\ufffd", value.get("name") or away.get("name") or ""),
        "name" in value,
        int(either("size") or 0),
        modified or NO_TIME,
        folder is not None,
        file.get("mimeType") or None,
        (file.get("hashes") or {}).get("quickXorHash") or None,
        value.get("root") is not None,
        value.get("deleted") is not None,
        folder is not None and (remote is not None or special.get("name") == "vault"),
        package.get("type") == "oneNote",
    )


def _rclone_id(item_id: str, reference: Mapping[str, Any], remote: Mapping[str, Any] | None) -> str:
    if remote and remote.get("id"):
        drive = (remote.get("parentReference") or {}).get("driveId") or ""
        return f"{drive}#{remote['id']}"
    return item_id if "#" in item_id else f"{reference.get('driveId') or ''}#{item_id}"
