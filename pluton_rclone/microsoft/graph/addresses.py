"""Pasted OneDrive and SharePoint addresses, as browsers and Share buttons write them."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from urllib.parse import SplitResult, parse_qs, quote, unquote, urlsplit
from uuid import UUID

from pluton_rclone.errors import OptionInvalid
from pluton_rclone.values.drive_ids import is_personal, normal_drive_id

from ..clouds import COPY_ADDRESS, cloud_of_sharepoint

_DOCS = "d.docs.live.net"
_PERSONAL = ("onedrive.live.com", "skydrive.live.com", _DOCS, "my.microsoftpersonalcontent.com")
_TEAMS = re.compile(
    r"(?:[a-z]+\.)?teams\.(?:microsoft\.(?:com|us)|cloud\.microsoft|live\.com|microsoftonline\.cn)"
)
# A folder in an address of the current personal backend: a prefix for the drive, a base32 GUID.
_PERSONAL_ITEM = re.compile(r"01[A-Z2-7]{6}([A-Z2-7]{26})", re.IGNORECASE)
_NOT_ITEMS = ("", "root", "recent", "shared", "favorites", "photos", "recyclebin")
_PAGES = ("sitepages", "pages", "lists")
# Query parameters with a file's id: Doc.aspx?sourcedoc=, download.aspx?UniqueId=.
_FILE_IDS = {"sourcedoc", "uniqueid", "docid"}
MANAGED_PATHS = ("sites", "teams", "personal")  # followed by a site collection's name


@dataclass(frozen=True)
class ServerPath:
    """A decoded path on a SharePoint host: site, library and folder. Without segments, a host of
    OneDrive for Business (-my) shows each user their own drive."""

    host: str
    segments: tuple[str, ...]

    def path(self, depth: int | None = None) -> str:
        """The path as text: the first `depth` segments, or all of them."""
        return "/" + "/".join(self.segments[:depth])


@dataclass(frozen=True)
class SharingLink:
    """A link from a Share button. It is opaque: only Graph's shares API can resolve it."""

    url: str

    @property
    def host(self) -> str:
        return urlsplit(self.url).hostname or ""


@dataclass(frozen=True)
class PersonalPlace:
    """A place in a personal OneDrive (the user's own if `drive_id` is None). `item` is the item as
    the address names it; `item_id` returns Graph's id."""

    drive_id: str | None = None
    item: str | None = None
    segments: tuple[str, ...] = ()

    def item_id(self, drive_id: str) -> str:
        """Graph's id of the item in the drive; `item` itself if that is Graph's id already. Source:
        addresses and ids of the same folders (tests/data/captures, A01): the last 128 of the 130
        bits are the GUID, little-endian. Graph writes the drive's id in capitals without leading
        zeros, then `!s`, then the GUID in hex."""
        found = _PERSONAL_ITEM.fullmatch(self.item or "")
        if found is None:
            return self.item or ""
        guid = UUID(bytes_le=base64.b32decode(f"AAAAAA{found[1].upper()}")[-16:])
        return f"{drive_id.lstrip('0').upper()}!s{guid.hex}"


@dataclass(frozen=True)
class DriveId:
    """A drive's id, as used in Graph and rclone.conf."""

    id: str


Address = ServerPath | SharingLink | PersonalPlace | DriveId


def read_address(text: str) -> Address:
    """Parse a pasted address or id. Raises `OptionInvalid`, also for clouds unknown to rclone."""
    text = text.strip().strip("<>\"'`.").strip()  # no name ends with a dot
    if not text or len(text) > 8192 or not text.isprintable():
        why = "it is too long, or contains control characters" if text else "it is empty"
        raise _not_understood(why)
    if text.startswith("b!") and "/" not in text:
        return DriveId(text)
    if is_personal(text):
        return DriveId(normal_drive_id(text))
    if "://" not in text:
        text = f"https://{text}"
    try:
        parts = urlsplit(text)
        host = (parts.hostname or "").rstrip(".")
        found = parse_qs(parts.query, max_num_fields=100)
        query = {name: values[0] for name, values in found.items()}
        library = urlsplit(query.get("listurl", ""))
    except ValueError:
        raise _not_understood("it is not a web address") from None
    if parts.scheme.lower() not in ("http", "https") or not host:
        raise _not_understood("it is not a web address")
    if host == "1drv.ms":  # the short form of every personal sharing link
        return _link(parts, host)
    if host in _PERSONAL:
        return _personal(parts, host, query)
    if _TEAMS.fullmatch(host):
        inner = query.get("objectUrl", "")  # a link to a file contains its SharePoint address
        if inner.startswith("https://"):
            return read_address(inner)
        what, why = "This is a link into Microsoft Teams.", "it names a channel, not a folder"
        advice = "In the channel's files choose Open in SharePoint; copy the browser's address."
        raise OptionInvalid(what, why=why, advice=advice, option="address")
    cloud_of_sharepoint(host)
    if library.scheme == "https":  # OneDrive's page of a library, which may be on another host
        host = (library.hostname or "").rstrip(".")
        cloud_of_sharepoint(host)
        if not query.get("id", "").startswith("/"):
            query["id"] = library.path
    return _sharepoint(parts, host, query)


def _sharepoint(parts: SplitResult, host: str, query: dict[str, str]) -> Address:
    segments = _segments(unquote(parts.path))
    if segments and re.fullmatch(r":[a-z]:", segments[0]):
        if segments[1:2] != ("r",):  # :f:/s/…, :f:/g/…: a link with its own key
            return _link(parts, host)
        segments = segments[2:]  # :f:/r/sites/…: a "direct link", followed by the real path
    if segments and segments[-1].lower() == "guestaccess.aspx":
        return _link(parts, host)
    # A library's page names the open folder here: modern pages in `id` (and in `parent` if they
    # show a single file), classic pages in `RootFolder`.
    for name in ("parent", "id", "RootFolder", "rootfolder"):
        value = query.get(name, "")
        if value.startswith("/"):
            return ServerPath(host, _segments(value))
    low = [segment.lower() for segment in segments]
    if "_layouts" in low:
        site = segments[: low.index("_layouts")]
        if parts.fragment.startswith("/") and low[-1] == "start.aspx":  # a page of the site
            shown = parts.fragment.partition("#")[0]
            return read_address(f"https://{host}/{quote('/'.join(site))}{shown}")
        if (_FILE_IDS | {"id"}) & _names(query):
            return _link(parts, host)
        segments = site
    if low == ["my"] and is_of_onedrive(host):
        segments = ()
    if len(segments) == 2 and low[0] in MANAGED_PATHS:  # no site's name ends with a comma
        segments = (segments[0], segments[1].rstrip(","))
    return ServerPath(host, _view_removed(segments))


def _view_removed(segments: tuple[str, ...]) -> tuple[str, ...]:
    """Remove the page of a library or site, as in /Forms/AllItems.aspx and /SitePages/Home.aspx."""
    low = [segment.lower() for segment in segments]
    if not low or not low[-1].endswith(".aspx"):  # a folder, whatever its name
        return segments
    site = 2 if low[0] in MANAGED_PATHS else 0
    if low[site:][-2:-1] == ["forms"]:
        return segments[:-2]
    pages = (n for n, name in enumerate(low) if n >= site and name in _PAGES)
    return segments[: next(pages, -1)]


def _personal(parts: SplitResult, host: str, query: dict[str, str]) -> Address:
    segments = _segments(unquote(parts.path))
    link = segments and re.fullmatch(r":[a-z]:", segments[0])
    if link or "authkey" in query or "redeem" in query:
        return _link(parts, host)
    place = query.get("parent") or query.get("id") or query.get("resid") or ""
    if place.startswith("/"):
        segments = _segments(place)
    elif "!" in place:
        named, _, item = place.partition("!")
        drive = next((one for one in (query.get("cid", ""), named) if is_personal(one)), None)
        if drive is None:
            raise _not_understood("it names an item, but no drive")
        whole = item.lower() in ("", "root")
        return PersonalPlace(normal_drive_id(drive), None if whole else place)
    elif host == _DOCS and segments:
        segments = ("personal", *segments[:1], "Documents", *segments[1:])
    if len(segments) >= 2 and segments[0].lower() == "personal" and is_personal(segments[1]):
        if [piece.lower() for piece in segments[2:3]] != ["_layouts"]:
            # /personal/{CID}/Documents is the root of a personal drive
            return PersonalPlace(normal_drive_id(segments[1]), None, segments[3:])
        if _FILE_IDS & _names(query):
            return _link(parts, host)
        query.setdefault("cid", segments[1])
    cid = query.get("cid", "")
    owner = normal_drive_id(cid) if is_personal(cid) else None
    if _PERSONAL_ITEM.fullmatch(place):
        return PersonalPlace(owner, place)
    if not place.startswith("/") and place.lower() not in _NOT_ITEMS:
        raise _not_understood("it names a folder in an unknown form")
    return PersonalPlace(owner)


def is_of_onedrive(host: str) -> bool:
    """Whether a SharePoint host is one of OneDrive for Business."""
    return "-my.sharepoint." in host


def _names(query: dict[str, str]) -> set[str]:
    return {name.lower() for name in query}


def _segments(path: str) -> tuple[str, ...]:
    """The segments of a decoded path. Raises `OptionInvalid` for `.`, `..` and unprintable ones."""
    pieces = tuple(piece for piece in path.split("/") if piece)
    if any(piece in (".", "..") or not piece.isprintable() for piece in pieces):
        raise _not_understood("its path contains '.', '..' or unprintable characters")
    return pieces


def _link(parts: SplitResult, host: str) -> SharingLink:
    """The address without fragment, user and port."""
    query = f"?{parts.query}" if parts.query else ""
    return SharingLink(f"https://{host}{parts.path}{query}")


def _not_understood(why: str) -> OptionInvalid:
    what = "This is not an address of OneDrive or SharePoint."
    return OptionInvalid(what, why=why, advice=COPY_ADDRESS, option="address")
