"""Sharing: createLink, permissions, and `/shares/{address}`, which turns an address into an
item."""

from __future__ import annotations

import base64
import secrets
from typing import Any
from urllib.parse import unquote, urlsplit

from pluton_rclone.emulator.directory import Grant
from pluton_rclone.emulator.drives import refusals
from pluton_rclone.emulator.drives.drive import PERSONAL, Drive, Site
from pluton_rclone.emulator.drives.item import Item, Link

from .call import Answer, Call, json_answer
from .service import Graph


def create_link(
    graph: Graph, call: Call, grant: Grant, drive: Drive, shared: Item, body: dict[str, Any]
) -> Answer:
    """POST createLink"""
    kind = body.get("type")
    personal = drive.kind == PERSONAL
    if kind not in ("view", "edit", "embed") or (kind == "embed" and not personal):
        raise refusals.invalid_request("The sharing link type is not supported.")
    scope = body.get("scope") or ("anonymous" if personal else "organization")
    if scope not in ("anonymous", "organization", "users") or (
        personal and scope == "organization"
    ):
        raise refusals.invalid_request("The sharing link scope is not supported.")
    password = bool(body.get("password"))
    if password and not personal:
        raise refusals.invalid_request("A password is supported by OneDrive personal only.")
    status = 200
    link = next(
        (each for each in shared.rarities.links if (each.type, each.scope) == (kind, scope)), None
    )
    if link is None:
        status = 201
        token = secrets.token_urlsafe(24).replace("-", "a").replace("_", "b")
        link = Link(secrets.token_hex(8), kind, scope, _address(drive, shared, token), password)
        shared.rarities.links.append(link)
        graph.files.links[link.web_url] = (drive, shared, link)
        drive.touched(shared)
    context = f"{graph.graph_root(call.cloud)}/$metadata#permission"
    return json_answer(status, {"@odata.context": context, **_permission(grant, link)})


def _address(drive: Drive, shared: Item, token: str) -> str:
    if drive.kind == PERSONAL:
        return f"https://1drv.ms/{'f' if shared.is_folder else 'u'}/s!{token}"
    host = urlsplit(drive.web_url).hostname
    letter = ":f:" if shared.is_folder else ":u:"
    parts = drive.server_path.split("/")[:-1]
    if parts[:1] == ["personal"]:
        return f"https://{host}/{letter}/g/personal/{parts[1]}/{token}"
    if parts[:1] in (["sites"], ["teams"]):
        return f"https://{host}/{letter}/{parts[0][0]}/{parts[1]}/{token}"
    return f"https://{host}/{letter}/g/{token}"


def _permission(grant: Grant, link: Link) -> dict[str, Any]:
    described: dict[str, Any] = {
        "type": link.type,
        "webUrl": link.web_url,
        "application": {"id": grant.app.client_id, "displayName": grant.app.name},
    }
    if link.type == "embed":
        described["webHtml"] = f'<IFRAME src="{link.web_url}"></IFRAME>'
    else:
        described["scope"] = link.scope
    return {
        "id": link.id,
        "roles": ["write" if link.type == "edit" else "read"],
        "shareId": encode_address(link.web_url),
        "hasPassword": link.password,
        "link": described,
    }


def permissions(graph: Graph, call: Call, grant: Grant, drive: Drive, shared: Item) -> Answer:
    """GET permissions"""
    found = [
        _permission(grant, link) for link in (shared.rare.links if shared.rare is not None else [])
    ]
    if drive.owner is not None:
        owner = {
            "id": drive.owner.id,
            "displayName": drive.owner.name,
            "email": drive.owner.username,
        }
        found.insert(0, {"id": "owner", "roles": ["owner"], "grantedTo": {"user": owner}})
    context = f"{graph.graph_root(call.cloud)}/$metadata#permissions"
    return json_answer(200, {"@odata.context": context, "value": found})


# ---- addresses -----------------------------------------------------------------------------------


def encode_address(address: str) -> str:
    """The form of an address in `/shares/`: "u!" and base64 without padding (shares_get.md)."""
    return "u!" + base64.urlsafe_b64encode(address.encode()).decode().rstrip("=")


def decode_address(share_id: str) -> str:
    """The address in a share id; 400 if it has none."""
    try:
        if not share_id.startswith("u!"):
            raise ValueError
        plain = share_id[2:].replace("-", "+").replace("_", "/")
        return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True).decode()
    except ValueError:
        raise refusals.invalid_request("The sharing token is invalid.") from None


def resolve(graph: Graph, share_id: str) -> tuple[Drive, Item]:
    """The item of an encoded address, which is a sharing link or the item's web address; 404 if
    there is none."""
    address = decode_address(share_id)
    linked = graph.files.links.get(address.partition("?")[0])
    if linked is not None:
        return linked[0], linked[1]
    parts = urlsplit(address)
    host = (parts.hostname or "").lower()
    path = _plain_path(unquote(parts.path))
    if host.endswith("onedrive.live.com"):
        return _personal(graph, parts.query)
    graph.files.site_at(host, "/")  # makes the drives behind a "-my" host known
    best: Drive | None = None
    for drive in graph.files:
        if drive.kind == PERSONAL or (urlsplit(drive.web_url).hostname or "").lower() != host:
            continue
        start = f"/{drive.server_path}".lower()
        within = path.lower() == start or path.lower().startswith(start + "/")
        if within and (best is None or len(drive.server_path) > len(best.server_path)):
            best = drive
    if best is None:
        raise refusals.not_found()
    found = best.find(path[len(best.server_path) + 1 :])
    if found is None:
        raise refusals.not_found()
    return best, found


def _plain_path(path: str) -> str:
    """The path without the prefix that the "copy link" button adds: `/:f:/r/sites/…`."""
    parts = path.split("/")
    if len(parts) > 3 and parts[1].startswith(":") and parts[1].endswith(":") and parts[2] == "r":
        return "/" + "/".join(parts[3:])
    return path.rstrip("/")


def _personal(graph: Graph, query: str) -> tuple[Drive, Item]:
    values = dict(pair.partition("=")[::2] for pair in query.split("&"))
    drive = graph.files.drive(values.get("cid", ""))
    if drive is None:
        raise refusals.not_found()
    return drive, drive.item(unquote(values.get("id", "root")))


def site_of(graph: Graph, share_id: str) -> Site:
    """The site that an encoded address names or lies in; 404 if there is none."""
    parts = urlsplit(decode_address(share_id))
    path = _plain_path(unquote(parts.path))
    while True:
        site = graph.files.site_at(parts.hostname or "", path)
        if site is not None:
            return site
        if not path:
            raise refusals.not_found()
        path = path.rpartition("/")[0]
