"""Drives and sites from Graph, parsed leniently, since Graph deviates from its documents."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal
from urllib.parse import unquote, urlsplit

from pluton_rclone.errors import GraphError
from pluton_rclone.values.drive_ids import normal_drive_id

DriveType = Literal["personal", "business", "documentLibrary"]

# Microsoft's internal drives, which /me/drives lists beside the user's OneDrive: caches, albums (a
# GUID), logos (google/migration-planner#45, rclone#8695, rclone#4068).
_OF_MICROSOFT = re.compile(
    r"PersonalCacheLibrary|Organization Logos|ODCMetadataArchive|Bundles_[0-9a-f]{32}"
    r"|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Quota:
    """A drive's quota, in bytes. `state` "unknown": Graph reports zeros or nothing useful, which
    does not mean full; "restricted": the organisation hides it from this account. `level` is
    Microsoft's term: normal, nearing (under 10 % left), critical (under 1 %), exceeded."""

    state: Literal["known", "unknown", "restricted"]
    total: int | None = None
    used: int | None = None
    remaining: int | None = None
    deleted: int | None = None
    level: str | None = None

    @classmethod
    def from_graph(cls, facet: object) -> Quota:
        """The quota in a `quota` facet; an absent or empty facet means that it was withheld."""
        if not isinstance(facet, Mapping) or not facet:
            return cls("restricted")
        names = ("total", "used", "remaining", "deleted")
        total, used, left, deleted = (_count(facet.get(name)) for name in names)
        level = facet.get("state") if isinstance(facet.get("state"), str) else None
        if not total:  # SharePoint libraries and storage containers report zeros
            return cls("unknown", used=used or None, level=level)
        if used is None and left is not None:  # the documented facet has no `used`
            used = max(0, total - left)
        if left is None and used is not None:
            left = max(0, total - used)
        return cls("known", total, used, left, deleted, level)


@dataclass(frozen=True)
class Drive:
    """A drive that rclone can use; `id` and `type` are rclone's options drive_id and drive_type."""

    id: str
    type: DriveType
    name: str
    owner: str = ""
    web_url: str = ""
    quota: Quota = Quota("unknown")  # frozen

    @classmethod
    def from_graph(cls, record: Mapping[str, Any]) -> Drive:
        """The drive in a `drive` resource; `name` may be missing for a user's own drive."""
        kind, drive_id = drive_type(record.get("driveType")), normal_drive_id(str(record["id"]))
        name = record.get("name") or ("Documents" if kind == "documentLibrary" else "OneDrive")
        owner, url = _owner(record.get("owner")), web_address(record.get("webUrl"))
        return cls(drive_id, kind, str(name), owner, url, Quota.from_graph(record.get("quota")))

    @property
    def for_backups(self) -> bool:
        """Whether the drive holds a user's files; others are not offered, but can be named."""
        return not of_microsoft(self.name)

    @property
    def path(self) -> str:
        """The decoded path of the root on the server: `/personal/bert_contoso_com/Documents`."""
        return unquote(urlsplit(self.web_url).path).rstrip("/")


def unasked(drive_id: str, kind: object) -> Drive:
    """A drive without a request to Graph: its quota and address are unknown."""
    return replace(Drive.from_graph({"id": drive_id, "driveType": kind}), quota=Quota("unknown"))


def of_microsoft(name: object) -> bool:
    """Whether `name` is that of one of Microsoft's internal drives."""
    return _OF_MICROSOFT.fullmatch(str(name)) is not None


@dataclass(frozen=True)
class Site:
    """A SharePoint site. `id` is `host,site collection,web`, with commas."""

    id: str
    name: str
    web_url: str
    description: str = ""

    @classmethod
    def from_graph(cls, record: Mapping[str, Any]) -> Site:
        """The site in a `site` resource; search results lack displayName. Raises `GraphError`."""
        if not record.get("id"):
            raise GraphError("Microsoft Graph did not say which site this is.")
        web_url = web_address(record.get("webUrl"))
        last = urlsplit(web_url).path.rsplit("/", 1)[-1]
        name = record.get("displayName") or record.get("name") or last or web_url
        description = str(record.get("description") or "").strip()
        return cls(str(record["id"]), str(name), web_url, description)


@dataclass(frozen=True)
class Shortcut:
    """A folder of another drive that is linked into this one, at `path` from the root ("/"). It
    points to a folder of the drive `drive_id`, which `owner` has shared; `address` is its web
    address. Each of the three is "" if Graph omits it."""

    path: str
    drive_id: str
    address: str = ""
    owner: str = ""

    @classmethod
    def from_graph(cls, record: Mapping[str, Any], above: str) -> Shortcut:
        """The shortcut in an item with `remoteItem`; `above` is the path of its parent folder."""
        there = record["remoteItem"]
        parent, shared = whole(there.get("parentReference")), whole(there.get("shared"))
        path = f"{above}/{record.get('name') or there.get('name') or ''}".lstrip("/")
        drive_id = normal_drive_id(str(parent.get("driveId") or ""))
        address = web_address(there.get("webUrl"))
        return cls(f"/{path}", drive_id, address, _owner(shared.get("owner")))


def drive_type(value: object) -> DriveType:
    """Graph's `driveType`; any unknown value counts as a document library."""
    return value if value in ("personal", "business") else "documentLibrary"


def whole(value: object) -> Mapping[str, Any]:
    """`value` if it is a JSON object, else an empty one."""
    return value if isinstance(value, Mapping) else {}


def web_address(value: object) -> str:
    """A `webUrl`; "" if `value` is not a valid address."""
    text = value if isinstance(value, str) else ""
    try:
        urlsplit(text)
    except ValueError:
        return ""
    return text


def _owner(value: object) -> str:
    owner = whole(value)
    for identity in map(owner.get, ("user", "group", "application")):
        if isinstance(identity, Mapping):
            return str(identity.get("displayName") or identity.get("email") or "")
    return ""


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
