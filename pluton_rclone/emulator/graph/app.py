"""The ASGI application for the hosts of Graph, SharePoint and personal content."""

from __future__ import annotations

import asyncio
import itertools
import time
import uuid
from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from email.utils import formatdate
from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import unquote

from pluton_rclone.emulator.directory import Grant
from pluton_rclone.emulator.drives import refusals
from pluton_rclone.emulator.drives.drive import Drive
from pluton_rclone.emulator.drives.item import Item
from pluton_rclone.emulator.drives.uploads import Owner
from pluton_rclone.emulator.faults import BareFault, ConnectionCut, GraphFault
from pluton_rclone.emulator.hosts import Service, place

from . import access, budgets, copying, items, people, sharing, sites, transfer
from .call import NO_CONTENT, Answer, Broken, Call, Headers, Receive, Scope, Send, json_answer
from .locate import Address, Place, parse
from .service import Graph, principal

if TYPE_CHECKING:
    from pluton_rclone.emulator.world import World

_request_numbers = itertools.count(1)


def graph_app(world: World) -> Callable[[Scope, Receive, Send], Awaitable[None]]:
    """The application of one world."""
    graph = Graph(world)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        host = ""
        for name, value in scope["headers"]:
            if name == b"host":
                host = value.decode("latin-1").lower().removesuffix(":443")
                break
        cloud, service = place(host) or ("global", Service.GRAPH)
        call = Call(scope, receive, host, cloud, service)
        async with nullcontext() if graph.faults.turn is None else graph.faults.turn(call):
            await answered(call, send)

    async def answered(call: Call, send: Send) -> None:
        number = str(uuid.UUID(int=next(_request_numbers)))
        limits: Headers = []
        try:
            graph.faults.check(call.method, call.host + call.path, call.header(b"authorization"))
            answer = await _answer(graph, call, limits)
        except ConnectionCut:
            raise
        except GraphFault as fault:
            answer = _refused(graph, call, fault, number)
        except Broken:
            return
        latency = graph.faults.latency
        if latency:
            await asyncio.sleep(max(0.0, latency - (time.monotonic() - call.arrived)))
        await _send(send, call, answer, limits, number, world.now())

    return app


@lru_cache(maxsize=16)
def _http_date(seconds: int) -> bytes:
    return formatdate(seconds, usegmt=True).encode()


async def _send(
    send: Send, call: Call, answer: Answer, limits: Headers, number: str, now: float
) -> None:
    length = len(answer.body) if answer.stream is None else answer.length
    headers = [
        *answer.headers,
        *limits,
        (b"content-length", str(length).encode()),
        (b"request-id", number.encode()),
        (b"date", _http_date(int(now))),
    ]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    if answer.stream is not None and call.method != "HEAD":
        for piece in answer.stream:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send(
        {"type": "http.response.body", "body": b"" if call.method == "HEAD" else answer.body}
    )


def _refused(graph: Graph, call: Call, fault: GraphFault, number: str) -> Answer:
    headers = [
        (name.lower().encode(), value.encode("latin-1")) for name, value in fault.headers.items()
    ]
    if isinstance(fault, BareFault):
        return Answer(fault.status, fault.raw, headers)
    date = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(graph.world.now()))
    body = fault.body(
        date=date, request_id=number, client_request_id=call.header(b"client-request-id")
    )
    return json_answer(fault.status, body, headers)


def _charge(graph: Graph, who: Owner, units: int, limits: Headers) -> None:
    limits += graph.budgets.charge(who, units).headers


async def _answer(graph: Graph, call: Call, limits: Headers) -> Answer:
    path = call.path
    if call.service is Service.GRAPH:
        for prefix in ("/v1.0/", "/beta/"):
            if path.startswith(prefix):  # Microsoft's own SDK for Python sends "/v1.0//drives"
                return await _graph(graph, call, path[len(prefix) :].lstrip("/"), limits)
        raise GraphFault(400, "BadRequest", "Invalid version.")
    if call.service is Service.CONTENT:
        return await _content(graph, call, limits)
    return await _sharepoint(graph, call, limits)


# ---- hosts where content lies --------------------------------------------------------------------


async def _content(graph: Graph, call: Call, limits: Headers) -> Answer:
    first, _, rest = call.path[1:].partition("/")
    if first == "up":
        return await _upload(graph, call, rest, limits)
    if call.method not in ("GET", "HEAD"):
        raise _wrong_method()
    if first == "monitor":
        return copying.monitor(graph, rest)
    if call.path.startswith("/v1.0/shares/") and call.path.endswith("/root/content"):
        return _by_link(graph, call, sharing.resolve(graph, unquote(call.path.split("/")[3])))
    if first.startswith("y4m"):
        _charge(graph, graph.holder(call.query.get("tempauth", "")), budgets.ONE_ITEM, limits)
        return transfer.download(graph, call, unquote(first[3:]))
    raise refusals.not_found()


async def _sharepoint(graph: Graph, call: Call, limits: Headers) -> Answer:
    _, api, rest = call.path.partition("/_api/v2.0/")
    if api:
        if rest.startswith("monitor/"):
            return copying.monitor(graph, rest.removeprefix("monitor/"))
        if rest.endswith("/uploadSession"):
            return await _upload(graph, call, call.query.get("tempauth", ""), limits)
        return await _graph(graph, call, rest, limits)
    if call.method not in ("GET", "HEAD"):
        raise _wrong_method()
    if call.path.endswith("/_layouts/15/download.aspx"):
        token = call.query.get("share")
        if token is not None:
            for address, (drive, item, link) in list(graph.files.links.items()):
                if (
                    link.scope == "anonymous"
                    and address.endswith(f"/{token}")
                    and call.host in address
                ):
                    return _by_link(graph, call, (drive, item))
            raise refusals.access_denied()
        _charge(graph, graph.holder(call.query.get("tempauth", "")), budgets.ONE_ITEM, limits)
        return transfer.download(graph, call, call.query.get("drive", ""))
    raise refusals.not_found()


def _by_link(graph: Graph, call: Call, found: tuple[Drive, Item]) -> Answer:
    drive, item = found
    if item.content is None or item.deleted:
        raise refusals.not_found()
    return transfer.content_answer(call, drive, item, item.content)


async def _upload(graph: Graph, call: Call, token: str, limits: Headers) -> Answer:
    session = graph.files.sessions.get(token)
    if session is not None:
        units = budgets.ONE_ITEM if call.method == "GET" else budgets.MANY_OR_CHANGE
        _charge(graph, session.owner, units, limits)
    if call.method == "PUT":
        return await transfer.fragment(graph, call, token)
    if call.method == "GET":
        return transfer.session_status(graph, token)
    if call.method == "DELETE":
        return transfer.cancel_session(graph, token)
    raise _wrong_method()


# ---- Graph ---------------------------------------------------------------------------------------


def _wrong_method() -> GraphFault:
    return refusals.not_allowed("The HTTP method is not supported for this address.")


async def _graph(graph: Graph, call: Call, path: str, limits: Headers) -> Answer:
    grant = graph.world.authenticate(call.header(b"authorization"), call.cloud)
    who = principal(grant)
    first, _, rest = path.rstrip("/").partition("/")
    if first == "drives":
        drive_id, _, rest = rest.partition("/")
        drive = graph.files.drive(unquote(drive_id))
        if drive is None:
            _charge(graph, who, budgets.ONE_ITEM, limits)
            raise refusals.not_found()
        return await _drive(graph, call, grant, drive, rest, limits)
    if first == "me":
        return await _me(graph, call, grant, rest, limits)
    if first == "users":
        name, _, rest = rest.partition("/")
        if not name:
            _charge(graph, who, budgets.MANY_OR_CHANGE, limits)
            return people.users(graph, call, grant)
        if rest == "drive" or rest.startswith("drive/"):
            drive = people.drive_of_user(graph, call, grant, unquote(name))
            return await _drive(graph, call, grant, drive, rest[6:], limits)
        _charge(graph, who, budgets.ONE_ITEM, limits)
        if rest == "drives":
            return people.drives(
                graph, call, [people.drive_of_user(graph, call, grant, unquote(name))]
            )
        if not rest:
            return people.user(graph, call, grant, unquote(name))
    if first == "sites":
        return await _sites(graph, call, grant, rest, limits)
    if first == "shares":
        return await _shares(graph, call, grant, rest, limits)
    raise refusals.invalid_request("Resource not found for the segment.")


async def _me(graph: Graph, call: Call, grant: Grant, rest: str, limits: Headers) -> Answer:
    if rest == "drive" or rest.startswith("drive/"):
        drive = people.own_drive(graph, call, grant)
        return await _drive(graph, call, grant, drive, rest[6:], limits)
    _charge(graph, principal(grant), budgets.MANY_OR_CHANGE if rest else budgets.ONE_ITEM, limits)
    if call.method != "GET":
        raise _wrong_method()
    if not rest:
        return people.me(graph, call, grant)
    if rest == "drives":
        return people.own_drives(graph, call, grant)
    if rest == "followedSites":
        return sites.followed(graph, call, grant)
    raise refusals.invalid_request("Resource not found for the segment.")


async def _sites(graph: Graph, call: Call, grant: Grant, rest: str, limits: Headers) -> Answer:
    who = principal(grant)
    if not rest:
        _charge(graph, who, budgets.MANY_OR_CHANGE, limits)
        return sites.search(graph, call, grant)
    host, colon, tail = rest.partition(":")
    if colon:
        path, _, rest = tail.partition(":")
        found = sites.find_at(graph, grant, unquote(host), unquote(path))
        rest = rest.strip("/")
    else:
        site_id, _, rest = rest.partition("/")
        found = sites.find(graph, grant, unquote(site_id))
    if rest == "drive" or rest.startswith("drive/"):
        access.check_libraries(grant, found)
        return await _drive(graph, call, grant, found.libraries[0], rest[6:], limits)
    if rest == "permissions" and call.method == "POST":
        _charge(graph, who, budgets.PERMISSIONS, limits)
        return sites.permit(graph, call, grant, found, await call.json())
    _charge(graph, who, budgets.MANY_OR_CHANGE if rest else budgets.ONE_ITEM, limits)
    if call.method != "GET":
        raise _wrong_method()
    if not rest:
        return sites.site(graph, call, grant, found)
    if rest == "drives":
        return sites.libraries(graph, call, grant, found)
    if rest == "sites":
        return sites.subsites(graph, call, grant, found)
    raise refusals.invalid_request("Resource not found for the segment.")


async def _shares(graph: Graph, call: Call, grant: Grant, rest: str, limits: Headers) -> Answer:
    share_id, _, rest = rest.partition("/")
    _charge(graph, principal(grant), budgets.ONE_ITEM, limits)
    if call.method != "GET":
        raise _wrong_method()
    if rest == "site":
        found = sharing.site_of(graph, unquote(share_id))
        return sites.site(graph, call, grant, found)
    drive, item = sharing.resolve(graph, unquote(share_id))
    access.check_drive(grant, drive, item, write=False)
    if rest in ("driveItem", "root"):
        return items.item(graph, call, grant, drive, item)
    if rest in ("driveItem/children", "root/children"):
        return items.children(graph, call, grant, drive, item)
    raise refusals.invalid_request("Resource not found for the segment.")


# ---- one drive -----------------------------------------------------------------------------------


async def _drive(
    graph: Graph, call: Call, grant: Grant, drive: Drive, rest: str, limits: Headers
) -> Answer:
    who = principal(grant)
    if not rest:
        _charge(graph, who, budgets.ONE_ITEM, limits)
        access.check_drive(grant, drive, drive.root, write=False)
        if call.method != "GET":
            raise _wrong_method()
        return people.drive(graph, call, grant, drive)
    address = parse(rest, call)
    if address is None:
        raise refusals.invalid_request("Resource not found for the segment.")
    _charge(graph, who, _units(call, address), limits)
    if not drive.root_readable:
        raise people.unreadable()
    start = drive.item(address.item_id)
    spot = Place(drive, start, address.path)
    return await _item(graph, call, grant, spot, address.action)


def _units(call: Call, address: Address) -> int:
    action = address.action
    if action in ("permissions", "createLink", "invite") or "permissions" in call.query.get(
        "$expand", ""
    ):
        return budgets.PERMISSIONS
    if call.method != "GET":
        return budgets.MANY_OR_CHANGE
    if action.startswith("delta"):
        return budgets.ONE_ITEM if _delta_token(call, action) else budgets.MANY_OR_CHANGE
    return budgets.MANY_OR_CHANGE if action in ("children", "versions") else budgets.ONE_ITEM


def _delta_token(call: Call, action: str) -> str | None:
    if action.startswith("delta(token="):
        return unquote(action[12:].rstrip(")")).strip("'")
    return call.query.get("token") or call.query.get("$skiptoken")


async def _item(graph: Graph, call: Call, grant: Grant, spot: Place, action: str) -> Answer:
    drive = spot.drive
    if call.method == "GET":
        item = drive.find(spot.path, spot.start) if spot.path else spot.start
        access.check_drive(grant, drive, item or spot.start, write=False)
        if item is None:
            raise refusals.not_found()
        if not action:
            return items.item(graph, call, grant, drive, item)
        if action == "children":
            return items.children(graph, call, grant, drive, item)
        if action == "delta" or action.startswith("delta("):
            if item is not drive.root:
                raise refusals.invalid_request("Delta is supported at the root only.")
            return items.delta(graph, call, grant, drive, _delta_token(call, action))
        if action in ("content", "contentStream"):
            return transfer.redirect(graph, call, grant, drive, item)
        if action == "versions":
            return items.versions(graph, call, drive, item)
        if action == "permissions":
            return sharing.permissions(graph, call, grant, drive, item)
        if action.startswith("versions/") and action.endswith("/content"):
            return transfer.redirect(graph, call, grant, drive, item, action.split("/")[1])
        raise refusals.invalid_request("Resource not found for the segment.")
    access.check_drive(grant, drive, _nearest(spot), write=True)
    if call.method == "PUT":
        if action != "content":
            raise _wrong_method()
        return await transfer.put_content(graph, call, grant, spot)
    if call.method == "POST":
        return await _post(graph, call, grant, spot, action)
    if call.method == "PATCH" and not action:
        body = await call.json()
        return items.change(graph, call, grant, drive, spot.item(), body)
    if call.method == "DELETE":
        if not action:
            return items.remove(graph, call, drive, spot.item())
        if action.startswith("versions/"):
            drive.delete_version(spot.item(), action.split("/")[1])
            return NO_CONTENT
    raise _wrong_method()


async def _post(graph: Graph, call: Call, grant: Grant, spot: Place, action: str) -> Answer:
    body = await call.json()
    drive = spot.drive
    if action == "createUploadSession":
        return transfer.create_session(graph, call, grant, spot, body)
    item = spot.item()
    if action == "children":
        return items.new_folder(graph, call, grant, drive, item, body)
    if action == "permanentDelete":
        return items.remove_for_good(graph, call, drive, item)
    if action == "copy":
        return copying.start(graph, call, grant, drive, item, body)
    if action == "createLink":
        return sharing.create_link(graph, call, grant, drive, item, body)
    raise refusals.invalid_request("Resource not found for the segment.")


def _nearest(spot: Place) -> Item:
    """The item, or the closest existing folder above it, whose sharing applies."""
    path = spot.path
    while path:
        item = spot.drive.find(path, spot.start)
        if item is not None:
            return item
        path = path.rpartition("/")[0]
    return spot.start
