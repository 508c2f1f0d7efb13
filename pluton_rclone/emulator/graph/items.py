"""Items: reading, listing, changing, deleting, versions."""

from __future__ import annotations

import base64
import calendar
import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlencode

from pluton_rclone.emulator.directory import Grant
from pluton_rclone.emulator.drives import refusals
from pluton_rclone.emulator.drives.drive import Drive
from pluton_rclone.emulator.drives.item import Item, Version
from pluton_rclone.emulator.faults import GraphFault

from . import access
from .bodies import e_tag, selected, selected_items, version_body
from .call import NO_CONTENT, Answer, Call, json_answer
from .faults import timed_out
from .locate import Place
from .service import Graph

PAGE = 200  # entries without $top
LARGEST_PAGE = 1000

_TIME = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d+))?Z$")


def item(
    graph: Graph, call: Call, grant: Grant, drive: Drive, item: Item, status: int = 200
) -> Answer:
    """A driveItem as the answer"""
    body = {
        "@odata.context": f"{graph.graph_root(call.cloud)}/$metadata#items/$entity",
        **graph.writer(drive, grant).body(item),
    }
    return json_answer(status, selected(body, call.query.get("$select")))


def children(graph: Graph, call: Call, grant: Grant, drive: Drive, folder: Item) -> Answer:
    """GET children, page by page"""
    if folder.children is None:
        raise refusals.invalid_request("The item is not a folder.")
    if folder.rare is not None:
        if folder.rare.target is not None:
            raise refusals.not_found()  # its children are on the drive that it leads to
        if folder.rare.vault:
            # the locked Personal Vault, rclone issue 8736
            raise refusals.invalid_request("ObjectHandle is Invalid", "invalidResourceId")
    limit = graph.faults.large_folder
    if limit is not None and len(folder.children) >= limit:
        raise timed_out()
    size = page_size(call)
    start = _skipped(call.query.get("$skiptoken"))
    entries = _listed(call, drive, folder.children.values())
    order = call.query.get("$orderby")
    if order:
        entries = _ordered(entries, order)
    page = entries[start : start + size]
    writer = graph.writer(drive, grant)
    answer: dict[str, Any] = {
        "@odata.context": f"{graph.graph_root(call.cloud)}/$metadata#items",
        "value": selected_items(map(writer.body, page), call.query.get("$select")),
    }
    if start + size < len(entries):
        answer["@odata.nextLink"] = next_link(call, **{"$skiptoken": _skip_token(start + size)})
    return json_answer(200, answer)


def _listed(call: Call, drive: Drive, found: Iterable[Item]) -> list[Item]:
    """The items that a list shows: many accounts hide shortcuts unless a header asks for them
    (`shortcuts_on_request`)."""
    wanted = (call.header(b"prefer") or "").lower()
    if not drive.shortcuts_on_request or "include-feature=addtoonedrive" in wanted:
        return list(found)
    return [each for each in found if each.rare is None or each.rare.target is None]


def page_size(call: Call) -> int:
    """The largest number of entries in an answer: `$top`, within Microsoft's bounds."""
    top = call.query.get("$top", "")
    if not top:
        return PAGE
    if not top.isdigit() or top == "0":
        raise refusals.invalid_request("Invalid value for $top.", "invalidQueryOption")
    return min(int(top), LARGEST_PAGE)


def next_link(call: Call, **parameters: str) -> str:
    """The address of the next page: the same as this one with other parameters. Opaque to
    clients."""
    query = {name: value for name, value in call.query.items() if name not in parameters}
    return f"https://{call.host}{call.path}?" + urlencode({**query, **parameters}, safe="$")


def _skip_token(place: int) -> str:
    return base64.urlsafe_b64encode(f"Paged=TRUE&p_ID={place}".encode()).decode().rstrip("=")


def _skipped(token: str | None) -> int:
    if not token:
        return 0
    try:
        text = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode()
        return int(text.rpartition("=")[2])
    except ValueError:
        raise refusals.invalid_request(
            "The $skiptoken is not valid.", "invalidQueryOption"
        ) from None


def _ordered(entries: list[Item], order: str) -> list[Item]:
    name, _, direction = order.partition(" ")
    keys: dict[str, Any] = {
        "name": lambda entry: entry.name.lower(),
        "size": lambda entry: entry.size,
        "lastModifiedDateTime": lambda entry: entry.modified,
    }
    if name not in keys:
        raise refusals.invalid_request(
            "The orderby expression is not supported.", "invalidQueryOption"
        )
    return sorted(entries, key=keys[name], reverse=direction.strip().lower() == "desc")


def delta(graph: Graph, call: Call, grant: Grant, drive: Drive, token: str | None) -> Answer:
    """GET delta"""
    path = call.path.partition("(")[0]
    try:
        page = drive.changes.page(drive, token, page_size(call))
    except GraphFault as fault:
        if fault.status == 410:
            fault.headers["Location"] = f"https://{call.host}{path}?token="
        raise
    writer = graph.writer(drive, grant)
    bodies = map(writer.body, _listed(call, drive, page.items))
    answer: dict[str, Any] = {
        "@odata.context": f"{graph.graph_root(call.cloud)}/$metadata#Collection(driveItem)",
        "value": selected_items(bodies, call.query.get("$select")),
    }
    query = {
        name: value for name, value in call.query.items() if name not in ("token", "$skiptoken")
    }
    link = f"https://{call.host}{path}?" + urlencode({**query, "token": page.token}, safe="$")
    answer["@odata.deltaLink" if page.last else "@odata.nextLink"] = link
    return json_answer(200, answer)


def new_folder(
    graph: Graph, call: Call, grant: Grant, drive: Drive, parent: Item, body: dict[str, Any]
) -> Answer:
    """POST children"""
    name = _text(body, "name")
    if "folder" not in body or name is None:
        raise refusals.invalid_request()
    with drive.lock:
        made = drive.make_folder(
            parent, name, conflict=conflict(body, "fail"), author=access.actor(grant)
        )
        created, modified, description = facets(body)
        made.client_created = created or made.client_created
        made.client_modified = modified or made.client_modified
        if description is not None:
            made.rarities.description = description
    return item(graph, call, grant, drive, made, 201)


def change(
    graph: Graph, call: Call, grant: Grant, drive: Drive, changed: Item, body: dict[str, Any]
) -> Answer:
    """PATCH: name, parent, times, description"""
    check_match(call, drive, changed)
    author = access.actor(grant)
    created, modified, description = facets(body)
    name = _text(body, "name")
    reference = body.get("parentReference")
    with drive.lock:
        if name is not None or reference:
            parent = _new_parent(graph, grant, drive, changed, reference)
            drive.move(
                changed,
                parent,
                name or changed.name,
                conflict=conflict(body, "fail"),
                author=author,
            )
        if created is not None or modified is not None or description is not None:
            drive.update(
                changed, created=created, modified=modified, description=description, author=author
            )
    return item(graph, call, grant, drive, changed)


def _new_parent(graph: Graph, grant: Grant, drive: Drive, moved: Item, reference: Any) -> Item:
    if not reference:
        if moved.parent is None:
            raise refusals.invalid_request("The root cannot be renamed.")
        return moved.parent
    target, parent = referred(graph, drive, reference)
    if target is not drive:
        raise refusals.invalid_request("Items cannot be moved between drives using this request.")
    access.check_drive(grant, drive, parent, write=True)
    return parent


def referred(graph: Graph, drive: Drive, reference: Any) -> tuple[Drive, Item]:
    """The drive and the folder of a parentReference: driveId, id, path, each optional."""
    if not isinstance(reference, dict):
        raise refusals.invalid_request()
    drive_id = _text(reference, "driveId")
    if drive_id:
        found = graph.files.drive(drive_id)
        if found is None:
            raise refusals.not_found()
        drive = found
    path = _text(reference, "path")
    item_id = _text(reference, "id")
    if item_id:
        return drive, drive.item(item_id)
    if path is not None:
        return drive, Place(drive, drive.root, path.partition(":")[2].strip("/")).item()
    return drive, drive.root


def remove(graph: Graph, call: Call, drive: Drive, removed: Item) -> Answer:
    """DELETE: to the recycle bin"""
    check_match(call, drive, removed)
    drive.delete(removed)
    return NO_CONTENT


def remove_for_good(graph: Graph, call: Call, drive: Drive, removed: Item) -> Answer:
    """POST permanentDelete"""
    drive.delete_for_good(removed)
    return NO_CONTENT


def versions(graph: Graph, call: Call, drive: Drive, versioned: Item) -> Answer:
    """GET versions, newest first"""
    found = [*(versioned.rarities.versions), current_version(versioned)]
    context = f"{graph.graph_root(call.cloud)}/$metadata#Collection(driveItemVersion)"
    return json_answer(
        200, {"@odata.context": context, "value": [version_body(each) for each in reversed(found)]}
    )


def current_version(versioned: Item) -> Version:
    """The present content of a file as a version; 400 for a folder."""
    if versioned.content is None:
        raise refusals.invalid_request("Only files have versions.")
    number = 1 if versioned.rare is None else versioned.rare.version
    return Version(f"{number}.0", versioned.content, versioned.modified, versioned.editor)


def check_match(call: Call, drive: Drive, found: Item) -> None:
    """412 if the request was meant for an earlier state of the item (If-Match)."""
    wanted = call.header(b"if-match")
    if wanted is not None and wanted.strip() not in (
        "*",
        e_tag(drive, found),
        f'"{e_tag(drive, found)}"',
    ):
        raise refusals.modified()


# ---- what stands in bodies -----------------------------------------------------------------------


def facets(body: dict[str, Any]) -> tuple[int | None, int | None, str | None]:
    """created, modified (milliseconds since 1970) and description; None if not given."""
    info = body.get("fileSystemInfo")
    if info is not None and not isinstance(info, dict):
        raise refusals.invalid_request()
    info = info or {}
    return (
        _time(info.get("createdDateTime")),
        _time(info.get("lastModifiedDateTime")),
        _text(body, "description"),
    )


def conflict(body: dict[str, Any], default: str) -> str:
    """The conflict behaviour that a body asks for; rclone writes it `@name.conflictBehavior`."""
    for name in ("@microsoft.graph.conflictBehavior", "@name.conflictBehavior"):
        value = body.get(name)
        if value is not None:
            return checked_conflict(value)
    return default


def checked_conflict(value: Any) -> str:
    """fail, replace or rename; 400 for anything else."""
    if value not in ("fail", "replace", "rename"):
        raise refusals.invalid_request("The conflict behavior is not valid.")
    return str(value)


def _text(body: dict[str, Any], name: str) -> str | None:
    value = body.get(name)
    if value is not None and not isinstance(value, str):
        raise refusals.invalid_request()
    return value


def _time(value: Any) -> int | None:
    if value is None:
        return None
    match = _TIME.match(value) if isinstance(value, str) else None
    if match is None:
        raise refusals.invalid_request("A date is not valid.")
    *parts, fraction = match.groups()
    year, month, day, hour, minute, second = map(int, parts)
    if (
        year < 1601
        or not 1 <= month <= 12
        or not 1 <= day <= 31
        or hour > 23
        or minute > 59
        or second > 60
    ):
        raise refusals.invalid_request("A date is not valid.")
    seconds = calendar.timegm((year, month, day, hour, minute, second))
    return seconds * 1000 + int((fraction or "0").ljust(3, "0")[:3])
