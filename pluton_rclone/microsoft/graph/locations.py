"""Resolves a pasted address to a drive and a folder in it."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from pluton_rclone import errors
from pluton_rclone.errors import AccessDenied, DriveNotFound, GraphError, ItemNotFound
from pluton_rclone.values.drive_ids import normal_drive_id

from ..clouds import COPY_ADDRESS, Cloud, cloud_of_sharepoint
from ..entra.scopes import in_words
from .addresses import (
    MANAGED_PATHS,
    Address,
    DriveId,
    PersonalPlace,
    ServerPath,
    SharingLink,
    is_of_onedrive,
    read_address,
)
from .drives import Drive, DriveType, Quota, Site, drive_type, whole
from .graph import Graph, drive_path


@dataclass(frozen=True)
class Location:
    """A place for backups: a drive, a folder in it ("" for the root), and the drive's site, if any.
    If the account cannot read the root (another account shares a folder of the drive),
    `root_folder_id` is that folder in the form of rclone's option (drive, "#", item: given only the
    item, rclone writes to the drive's root), and `folder` is relative to it."""

    drive: Drive
    folder: str = ""
    site: Site | None = None
    root_folder_id: str | None = None


def _closed_drive(drive_id: str, kind: object, name: str, item_id: str) -> Location:
    drive = Drive(normal_drive_id(drive_id), drive_type(kind), name, quota=Quota("restricted"))
    return Location(drive, root_folder_id=f"{drive_id}#{item_id}")


def resolve(graph: Graph, address: str) -> Location:
    """The drive and folder at an address: for a site its default library, for a file its folder.
    Raises `OptionInvalid` for an address of another cloud or of none, `AccountError` for one of
    another organisation, or of a personal OneDrive if a work account signed in, `ItemNotFound`,
    `SitesPermissionMissing`, `ConsentRequired`."""
    place = read_address(address)
    require_cloud(place, graph.cloud)
    try:
        return _resolved(graph, place)
    except (GraphError, errors.ConsentRequired) as problem:
        if problem.who is not errors.Who.LATER and isinstance(place, ServerPath | SharingLink):
            _refuse_elsewhere(_own(graph), place.host)
        raise


def _refuse_elsewhere(own: Sequence[Drive], host: str) -> None:
    """Raise `AccountError` if `host` belongs to another organisation, or to personal accounts and
    this is a work account. The names of an organisation's other geographies begin alike (contoso,
    contosoeur)."""
    theirs = _organisation(host)
    if not theirs:
        _refuse_work(own)
    for drive in own if theirs else ():
        ours = _organisation(urlsplit(drive.web_url).hostname or "")
        personal = drive.type == "personal"
        alike = theirs.startswith(ours) or ours.startswith(theirs)  # also true if ours is unknown
        if personal or not alike:
            what = f"{host} belongs to another organisation than the account."
            why = "this is a personal account" if personal else f"this account belongs to {ours}"
            advice = "Sign in with an account of that organisation; guests set its tenant."
            raise errors.AccountError(what, why=why, advice=advice)


def _refuse_work(own: Sequence[Drive]) -> None:
    """Raise `AccountError`, for a personal OneDrive's address, if the account has no such drive."""
    if own and all(drive.type != "personal" for drive in own):
        what = "This is an address of a personal OneDrive, but a work account signed in."
        advice = "Sign in with the personal account, or give an address of the organisation."
        raise errors.AccountError(what, advice=advice)


def _organisation(host: str) -> str:
    name, sharepoint, _ = host.lower().partition(".sharepoint.")
    return name.removesuffix("-my") if sharepoint else ""


def _own(graph: Graph) -> Sequence[Drive]:
    """The account's drives; none for app-only access, which has no "me"."""
    with suppress(errors.PlutonRcloneError):
        return graph.drives()
    return ()


def _resolved(graph: Graph, place: Address) -> Location:
    if isinstance(place, DriveId):
        return Location(graph.drive(place.id))
    if isinstance(place, SharingLink):
        return _shared(graph, place)
    if isinstance(place, PersonalPlace):
        return _personal(graph, place)
    if not place.segments and is_of_onedrive(place.host):
        own = graph.drives()
        _refuse_elsewhere(own, place.host)
        return Location(own[0])
    try:
        return _on_sharepoint(graph, place)
    except (AccessDenied, DriveNotFound, ItemNotFound):
        # It may be a shared folder in a site that we cannot read: the shares API takes any address.
        with suppress(errors.PlutonRcloneError):
            return _shared(graph, SharingLink(f"https://{place.host}{quote(place.path())}"))
        raise


def rooted(graph: Graph, drive_id: str, root_folder_id: str = "") -> Location:
    """The root of a remote with these options. Raises DriveNotFound, AccessDenied, ItemNotFound."""
    home, _, item_id = root_folder_id.rpartition("#")
    try:
        drive = graph.drive(drive_id)
    except (AccessDenied, DriveNotFound, ItemNotFound):
        if not item_id:
            raise
        home = home or drive_id
        item = graph.get(drive_path(home, item_id))
        kind = whole(item.get("parentReference")).get("driveType")
        return _closed_drive(home, kind, str(item.get("name") or ""), item_id)
    return Location(drive, folder_path(graph, home or drive.id, item_id) if item_id else "")


def require_cloud(address: str | Address, cloud: Cloud) -> None:
    """Raise `OptionInvalid` if `address` is not in `cloud`, or in no cloud at all."""
    place = read_address(address) if isinstance(address, str) else address
    host = place.host if isinstance(place, ServerPath | SharingLink) else ""
    home = cloud_of_sharepoint(host) if ".sharepoint." in host else cloud
    if home.region != cloud.region:
        what, why = f"This address belongs to {home.name}.", f"the sign-in is in {cloud.name}"
        advice = home.warning or f"Sign in with region {home.region} and an app registered there."
        raise errors.OptionInvalid(what, why=why, advice=advice, option="address")


def likely_type(address: str) -> DriveType:
    """The most likely type of the drive at an address. Raises `OptionInvalid`."""
    place = read_address(address)
    host = place.host if isinstance(place, ServerPath | SharingLink) else ""
    if isinstance(place, PersonalPlace) or (host and ".sharepoint." not in host):
        return "personal"
    return "business" if is_of_onedrive(host) else "documentLibrary"


def _on_sharepoint(graph: Graph, place: ServerPath) -> Location:
    # An address in the account's own drive needs no permission for sites.
    for drive in _own(graph) if place.segments[:1] == ("personal",) else ():
        inside = () if _is_site_of(drive, place) else _inside(drive, place)
        if inside is not None:
            return Location(drive, _folder(graph, drive, inside))
    managed = len(place.segments) >= 2 and place.segments[0].lower() in MANAGED_PATHS
    depth = 2 if managed else 0
    site = graph.site_at(place.host, place.path(depth))
    while True:
        rest = place.segments[depth:]
        if not rest:
            return Location(graph.site_drive(site), "", site)
        libraries = graph.library_records(site)
        rests = ((_inside(Drive.from_graph(one), place), str(one["id"])) for one in libraries)
        found = [(len(path), path, which) for path, which in rests if path is not None]
        if found:
            _, inside, drive_id = min(found)
            drive = graph.drive(drive_id)
            return Location(drive, _folder(graph, drive, inside), site)
        try:
            site = graph.site_at(place.host, place.path(depth + 1))
        except ItemNotFound:
            names = ", ".join(str(record.get("name")) for record in libraries[:20])
            what = f"The site {site.name} has neither a library nor a subsite {rest[0]!r}."
            why = f"its libraries are: {names}" if names else "it does not have libraries"
            advice = "Open the library in the browser and copy its address from there."
            raise ItemNotFound(what, why=why, advice=advice) from None
        depth += 1


def _is_site_of(drive: Drive, place: ServerPath) -> bool:
    """Whether `place` is the site of `drive`; a user's site shows the user's drive."""
    site, host = drive.path.rpartition("/")[0], urlsplit(drive.web_url).hostname or ""
    return (host.lower(), site.lower()) == (place.host.lower(), place.path().lower())


def _inside(drive: Drive, place: ServerPath) -> tuple[str, ...] | None:
    """The segments below the drive's root; None if `place` is elsewhere. Case is ignored."""
    root = [piece.lower() for piece in drive.path.split("/") if piece]
    here = (urlsplit(drive.web_url).hostname or "").lower() == place.host.lower()
    above = [piece.lower() for piece in place.segments[: len(root)]]
    return place.segments[len(root) :] if here and root and above == root else None


def _folder(graph: Graph, drive: Drive, segments: tuple[str, ...]) -> str:
    """The path of an existing folder in the drive; for a file, the path of its folder."""
    if not segments:
        return ""
    path = "/".join(segments)
    address = f"{drive_path(drive.id)}/root:/{quote(path)}"
    item = graph.get(address, {"$select": "id,name,folder,file"}, subject=f"{path} in {drive.name}")
    return path if "folder" in item else "/".join(segments[:-1])


def _personal(graph: Graph, place: PersonalPlace) -> Location:
    own = graph.drives()
    _refuse_work(own)
    mine = [one for one in own if one.type == "personal"]
    drive = next((one for one in mine if one.id == place.drive_id), mine[0])
    if place.drive_id is not None and drive.id != place.drive_id:
        try:
            drive = graph.drive(place.drive_id)
        except AccessDenied as problem:
            raise _closed(problem) from None
    if place.item is not None:
        return Location(drive, folder_path(graph, drive.id, place.item_id(drive.id)))
    return Location(drive, _folder(graph, drive, place.segments))


def _shared(graph: Graph, link: SharingLink) -> Location:
    """Resolve a link with the shares API: `u!` and its address in base64url (shares-get.md)."""
    token = "u!" + base64.urlsafe_b64encode(link.url.encode()).decode().rstrip("=")
    try:
        item = graph.get(f"/shares/{token}/driveItem", subject="The shared folder")
    except errors.SitesPermissionMissing:
        raise
    except AccessDenied as problem:
        raise _closed(problem) from None
    except ItemNotFound as problem:
        problem.advice = COPY_ADDRESS
        raise
    if isinstance(item.get("remoteItem"), dict):
        item = {**item, **item["remoteItem"]}
    parent = whole(item.get("parentReference"))
    if not parent.get("driveId"):
        raise GraphError("Microsoft Graph did not say in which drive the shared folder is.")
    try:
        drive = graph.drive(str(parent["driveId"]))
    except (AccessDenied, ItemNotFound, DriveNotFound):
        folder = item if "folder" in item else _folder_of_file(graph, parent)
        if not folder.get("id"):
            raise
        kind, name = parent.get("driveType"), str(folder.get("name") or "")
        return _closed_drive(str(parent["driveId"]), kind, name, str(folder["id"]))
    if "root" not in item and "path" not in parent and item.get("id"):
        return Location(drive, folder_path(graph, drive.id, str(item["id"])))
    return Location(drive, _path_of(item))


def _folder_of_file(graph: Graph, parent: Mapping[str, Any]) -> Mapping[str, Any]:
    """The folder of a shared file. Raises `AccessDenied` if only the file is shared."""
    try:
        return graph.get(drive_path(str(parent["driveId"]), str(parent.get("id") or "root")))
    except (AccessDenied, ItemNotFound) as problem:
        what = "This address points to a single file, and its folder is closed to this account."
        advice = "Ask the person who shared it to share its folder, then give the folder's address."
        raise AccessDenied(what, why=problem.why, who=errors.Who.YOU, advice=advice) from None


def folder_path(graph: Graph, drive_id: str, item_id: str) -> str:
    """The path in the drive of a folder, or of a file's folder, with OneDrive's names."""
    return _path_of(graph.get(drive_path(drive_id, item_id), subject="The folder of this address"))


def _path_of(item: dict[str, Any]) -> str:
    """The path of a folder, or of a file's folder, from `parentReference.path`."""
    if "root" in item:
        return ""
    path = str(whole(item.get("parentReference")).get("path") or "")
    above = unquote(path.partition("root:")[2]).strip("/")
    name = str(item.get("name") or "")
    return "/".join(filter(None, (above, name if "folder" in item else "")))


def _closed(problem: AccessDenied) -> errors.ConsentRequired:
    """The exception for a folder of another account that this account cannot read."""
    what = "This folder belongs to another account: a permission is missing, or you have no access."
    wanted, status = ["Files.ReadWrite.All"], problem.details.get("status")
    why = f"missing: {in_words(wanted)}"
    return errors.ConsentRequired(what, why=why, missing_scopes=wanted, status=status)
