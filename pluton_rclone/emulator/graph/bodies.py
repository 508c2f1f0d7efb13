"""Drives, items, versions and sites as Graph writes them in JSON; members as in the samples of the
docs."""

from __future__ import annotations

import base64
import mimetypes
import re
import time
from collections.abc import Iterable
from functools import lru_cache
from typing import Any
from urllib.parse import quote

import msgspec

from pluton_rclone.emulator.drives.drive import PERSONAL, Drive, Site
from pluton_rclone.emulator.drives.item import SYSTEM, Actor, Item, Version

from .call import encode

_IN_PATH = "/!'()*,;@&=+$:~"
_PLAIN = re.compile(r"[A-Za-z0-9_.\-~/!'()*,;@&=+$:]*")


def in_address(text: str) -> str:
    """A path or a name, quoted for addresses; most need no quoting."""
    return text if _PLAIN.fullmatch(text) else quote(text, safe=_IN_PATH)


@lru_cache(maxsize=16384)
def _second(seconds: int) -> str:
    try:
        return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
    except (OverflowError, ValueError):
        return "0001-01-01T00:00:00"


def stamp(milliseconds: int, *, fine: bool) -> str:
    """A time as Graph writes it: whole seconds; with `fine` milliseconds too, trailing zeros
    dropped."""
    seconds, rest = divmod(milliseconds, 1000)
    if fine and rest:
        return f"{_second(seconds)}.{rest:03d}".rstrip("0") + "Z"
    return _second(seconds) + "Z"


@lru_cache(maxsize=1024)
def mime_type(extension: str) -> str:
    """The MIME type of a lower-case file extension."""
    return mimetypes.guess_type(f"x{extension}", strict=False)[0] or "application/octet-stream"


def extension_of(name: str) -> str:
    """`.txt` of `Notes.TXT`; "" when there is none."""
    stem, dot, extension = name.rpartition(".")
    return f".{extension.lower()}" if dot and stem else ""


@lru_cache(maxsize=1024)
def _identity(actor: Actor) -> msgspec.Raw:
    user: dict[str, str] = {"id": actor.id, "displayName": actor.name}
    if actor.email is not None:
        user["email"] = actor.email
    return msgspec.Raw(encode({"user": user}))


def e_tag(drive: Drive, item: Item) -> str:
    """The eTag: every change makes a new one."""
    if drive.kind == PERSONAL:
        return "a" + base64.b64encode(f"{item.id}.{item.etag}".encode()).decode().rstrip("=")
    return f'"{{{item.guid}}},{item.etag}"'


def c_tag(drive: Drive, item: Item) -> str:
    """The cTag: only new content makes a new one."""
    if drive.kind == PERSONAL:
        return "a" + base64.b64encode(f"c:{item.id}.{item.ctag}".encode()).decode().rstrip("=")
    return f'"c:{{{item.guid}}},{item.ctag}"'


def web_url(drive: Drive, item: Item) -> str:
    """The address of an item in the browser."""
    if drive.current_ids is not None:
        return f"https://onedrive.live.com?cid={drive.id}&id={drive.current_ids.in_address(item.unique)}"
    if item.parent is None:
        return drive.web_url
    if drive.kind == PERSONAL:
        return f"{drive.web_url}&id={item.id}"
    return f"{drive.web_url}/{in_address(item.path())}"


class ItemWriter:
    """Writes the items of one drive; common parts are written once."""

    def __init__(self, drive: Drive, download_base: str, ticket: str) -> None:
        self._drive = drive
        self._download_base = download_base
        self._ticket = ticket
        self._fine = drive.kind == PERSONAL
        self._identities: dict[int, msgspec.Raw] = {}
        self._references: dict[int, tuple[msgspec.Raw, str]] = {}

    def body(self, item: Item) -> dict[str, Any]:
        """The driveItem."""
        drive = self._drive
        fine = self._fine
        if item.deleted:
            return self._deleted(item)
        parent = item.parent
        body: dict[str, Any] = {"createdBy": self._who(item.author)}
        body["createdDateTime"] = stamp(item.created, fine=fine)
        if drive.kind == PERSONAL:
            body["cTag"] = c_tag(drive, item)
            body["eTag"] = e_tag(drive, item)
        else:
            guid = item.guid
            body["cTag"] = f'"c:{{{guid}}},{item.ctag}"'
            body["eTag"] = f'"{{{guid}}},{item.etag}"'
        body["id"] = item.id
        body["lastModifiedBy"] = self._who(item.editor)
        body["lastModifiedDateTime"] = stamp(item.modified, fine=fine)
        body["name"] = item.name
        body["size"] = item.size
        if parent is None:
            body["parentReference"] = {"driveType": drive.kind, "driveId": drive.id}
            body["webUrl"] = web_url(drive, item)
            body["root"] = {}
        else:
            reference, url = self._reference(parent)
            body["parentReference"] = reference
            body["webUrl"] = web_url(drive, item) if fine else url + in_address(item.name)
        body["fileSystemInfo"] = {
            "createdDateTime": stamp(item.client_created, fine=fine),
            "lastModifiedDateTime": stamp(item.client_modified, fine=fine),
        }
        rare = item.rare
        if item.children is not None:
            body["folder"] = {"childCount": len(item.children)}
        elif item.content is not None and (rare is None or rare.package is None):
            body["file"] = {
                "mimeType": mime_type(extension_of(item.name)),
                "hashes": {"quickXorHash": item.content.quick_xor},
            }
            body["@microsoft.graph.downloadUrl"] = self.download_url(item)
        if rare is not None:
            self._add_rarities(body, item)
        return body

    def download_url(self, item: Item, version: str | None = None) -> str:
        """A pre-authenticated address for the content."""
        wanted = item.id if version is None else f"{item.id}&version={version}"
        return f"{self._download_base}{wanted}&tempauth={self._ticket}"

    def _who(self, actor: Actor) -> msgspec.Raw:
        found = self._identities.get(id(actor))  # hashing an actor takes longer than all the rest
        if found is None:
            found = self._identities[id(actor)] = _identity(actor)
        return found

    def _reference(self, parent: Item) -> tuple[msgspec.Raw, str]:
        """The parentReference of a folder's children, and the start of their web addresses."""
        found = self._references.get(id(parent))
        if found is None:
            drive = self._drive
            path = parent.path()
            quoted = in_address(path)
            reference = {
                "driveType": drive.kind,
                "driveId": drive.id,
                "id": parent.id,
                "name": parent.name,
                "path": f"/drives/{drive.id}/root:" + (f"/{quoted}" if path else ""),
            }
            if drive.site is not None:
                reference["siteId"] = drive.site.collection_id
            url = f"{drive.web_url}/{quoted}/" if path else f"{drive.web_url}/"
            found = self._references[id(parent)] = (msgspec.Raw(encode(reference)), url)
        return found

    def _add_rarities(self, body: dict[str, Any], item: Item) -> None:
        rare = item.rare
        assert rare is not None
        if rare.package is not None:
            body["package"] = {"type": rare.package}
        if rare.description is not None:
            body["description"] = rare.description
        if rare.malware:
            body["malware"] = {"description": "Malware"}
        if rare.vault:
            body["specialFolder"] = {"name": "vault"}
        if rare.links or rare.readers or rare.writers:
            scope = rare.links[0].scope if rare.links else "users"
            body["shared"] = {"scope": scope}
        if rare.target is not None:
            drive, target = rare.target
            assert isinstance(drive, Drive)
            fine = drive.kind == PERSONAL
            body["folder"] = {"childCount": len(target.children or {})}
            body["remoteItem"] = {
                "id": target.id,
                "name": target.name,
                "size": target.size,
                "webUrl": web_url(drive, target),
                "createdDateTime": stamp(target.created, fine=fine),
                "lastModifiedDateTime": stamp(target.modified, fine=fine),
                "fileSystemInfo": {
                    "createdDateTime": stamp(target.client_created, fine=fine),
                    "lastModifiedDateTime": stamp(target.client_modified, fine=fine),
                },
                "folder": {"childCount": len(target.children or {})},
                "parentReference": {"driveId": drive.id, "driveType": drive.kind},
            }
            if drive.owner is not None:
                body["remoteItem"]["shared"] = {"scope": "users", "owner": _owner(drive)}

    def _deleted(self, item: Item) -> dict[str, Any]:
        reference = {"driveType": self._drive.kind, "driveId": self._drive.id}
        if item.parent is not None:
            reference["id"] = item.parent.id
        facet: dict[str, Any] = {"folder": {}} if item.is_folder else {"file": {}}
        return {
            "id": item.id,
            "name": item.name,
            "size": 0,
            "parentReference": reference,
            **facet,
            "deleted": {"state": "deleted"},
        }


def _owner(drive: Drive) -> dict[str, Any]:
    if drive.owner is None:
        return {"user": {"id": SYSTEM.id, "displayName": SYSTEM.name}}
    owner = {"id": drive.owner.id, "displayName": drive.owner.name}
    if drive.kind == PERSONAL:
        owner["id"] = drive.owner.cid
    else:
        owner["email"] = drive.owner.username
    return {"user": owner}


def drive_body(drive: Drive) -> dict[str, Any]:
    """The drive."""
    fine = drive.kind == PERSONAL
    root = drive.root
    body: dict[str, Any] = {
        "createdDateTime": stamp(root.created, fine=fine),
        "description": "",
        "id": drive.id,
        "lastModifiedDateTime": stamp(root.modified, fine=fine),
        "name": drive.name,
        "webUrl": drive.web_url,
        "driveType": drive.kind,
        "createdBy": {"user": {"displayName": "System Account"}},
        "lastModifiedBy": _identity(root.editor),
        "owner": _owner(drive),
    }
    quota = drive.quota.facet(drive.used, drive.bin.bytes, personal=fine, files=drive.files)
    if quota is not None:
        body["quota"] = quota
    return body


def version_body(version: Version) -> dict[str, Any]:
    """A driveItemVersion: its time has milliseconds."""
    return {
        "id": version.id,
        "lastModifiedBy": _identity(version.editor),
        "lastModifiedDateTime": stamp(version.modified, fine=True),
        "size": version.content.size,
    }


def site_body(site: Site) -> dict[str, Any]:
    """The site."""
    body: dict[str, Any] = {
        "createdDateTime": stamp(site.created, fine=False),
        "description": "",
        "id": site.id,
        "lastModifiedDateTime": stamp(site.created, fine=False),
        "name": site.name,
        "webUrl": site.web_url,
        "displayName": site.title,
        "isPersonalSite": site.personal,
        "siteCollection": {"hostname": site.host},
        "sharepointIds": {
            "siteId": site.collection_id,
            "siteUrl": site.web_url,
            "webId": site.web_id,
        },
    }
    if site.parent is None and not site.path:
        body["root"] = {}
        body["siteCollection"]["root"] = {}
        body["siteCollection"]["dataLocationCode"] = "NAM"
    return body


def selected(body: dict[str, Any], select: str | None) -> dict[str, Any]:
    """Only the members that `$select` names, and the annotations."""
    if not select:
        return body
    wanted = {name.strip().lower() for name in select.split(",")}
    return {
        name: value
        for name, value in body.items()
        if name.lower() in wanted or name == "@odata.context"
    }


def selected_items(bodies: Iterable[dict[str, Any]], select: str | None) -> list[dict[str, Any]]:
    """`selected` for each of `bodies`."""
    if not select:
        return list(bodies)
    return [selected(body, select) for body in bodies]
