"""Server-side copies: accepted with 202, followed at their monitor address."""

from __future__ import annotations

import secrets
from typing import Any

from pluton_rclone.emulator.directory import Grant
from pluton_rclone.emulator.drives import refusals
from pluton_rclone.emulator.drives.drive import PERSONAL, Drive
from pluton_rclone.emulator.drives.files import CopyJob
from pluton_rclone.emulator.drives.item import Actor, Item
from pluton_rclone.emulator.faults import GraphFault

from . import access
from .call import Answer, Call, json_answer
from .items import checked_conflict, referred
from .service import Graph

_NEVER = "0001-01-01T00:00:00Z"


def start(
    graph: Graph, call: Call, grant: Grant, drive: Drive, source: Item, body: dict[str, Any]
) -> Answer:
    """POST copy"""
    if source.parent is None:
        raise refusals.invalid_request("The root cannot be copied.")
    reference = body.get("parentReference")
    if reference is None:
        target, parent = drive, source.parent
    else:
        target, parent = referred(graph, drive, reference)
    access.check_drive(grant, target, parent, write=True)
    name = body.get("name", source.name)
    if not isinstance(name, str):
        raise refusals.invalid_request()
    behaviour = checked_conflict(call.query.get("@microsoft.graph.conflictBehavior", "fail"))
    if drive.kind == PERSONAL:
        behaviour = "fail"  # the parameter "is not supported for OneDrive personal" (copy-202.json)
    job = CopyJob(target, graph.faults.copy_looks)
    try:
        job.item = _copy(source, target, parent, name, behaviour, access.actor(grant))
    except GraphFault as fault:
        # A copy onto a taken name is accepted and fails only here (copy-monitor-failed.json).
        job.error = fault.code, fault.message
    number = secrets.token_hex(16)
    graph.files.copies[number] = job
    return Answer(202, b"", [(b"location", graph.monitor_url(target, number).encode())])


def _copy(
    source: Item, target: Drive, parent: Item, name: str, behaviour: str, author: Actor
) -> Item:
    with target.lock:
        if source.is_folder and parent.lies_in(source):
            raise refusals.invalid_request("The destination lies inside the item that is copied.")
        existing = target.find(name, parent)
        if existing is not None and behaviour == "replace" and source.content is not None:
            return target.put(parent, name, source.content, conflict="replace", author=author)[0]
        if existing is not None and behaviour == "rename":
            name = target.free_name(parent, name, folder=source.is_folder)
        return target.copy(source, parent, name, author)


def monitor(graph: Graph, number: str) -> Answer:
    """GET of the monitor address; no token is needed"""
    job = graph.files.copies.get(number)
    if job is None:
        raise refusals.not_found()
    if job.looks > 0:
        job.looks -= 1
        return json_answer(
            202, {"operation": "ItemCopy", "percentageComplete": 27.8, "status": "inProgress"}
        )
    if job.item is not None and job.drive.kind == PERSONAL:
        return json_answer(
            202, {"percentageComplete": 100.0, "resourceId": job.item.id, "status": "completed"}
        )
    common = {"id": number, "createdDateTime": _NEVER, "lastActionDateTime": _NEVER}
    if job.item is None:
        code, message = job.error or ("generalException", "An unspecified error has occurred.")
        return json_answer(
            200, {**common, "status": "failed", "error": {"code": code, "message": message}}
        )
    base = f"{graph.sharepoint_base(job.drive)}/_api/v2.0"
    return json_answer(
        200,
        {
            "@odata.context": f"{base}/$metadata#drives('{job.drive.id}')/operations/$entity",
            **common,
            "percentageComplete": 100,
            "percentComplete": 100,
            "resourceId": job.item.id,
            "resourceLocation": f"{base}/drives/{job.drive.id}/items/{job.item.id}",
            "status": "completed",
        },
    )
