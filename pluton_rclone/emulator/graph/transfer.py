"""Content up and down: upload sessions, small PUTs, redirects to pre-authenticated addresses,
ranges."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote

from pluton_rclone.emulator.directory import Grant
from pluton_rclone.emulator.drives import refusals
from pluton_rclone.emulator.drives.content import Content, Damaged, InMemory
from pluton_rclone.emulator.drives.drive import Drive
from pluton_rclone.emulator.drives.item import Item
from pluton_rclone.emulator.drives.uploads import Intent, UploadSession
from pluton_rclone.emulator.faults import GraphFault

from . import access
from .bodies import ItemWriter, c_tag, extension_of, mime_type, stamp
from .call import NO_CONTENT, Answer, Broken, Call, Headers, json_answer
from .items import checked_conflict, conflict, facets
from .locate import Place
from .service import Graph, principal

SMALL_LIMIT = 250 * 1000**2  # bytes of one PUT content; older documents say 4 MB

_RANGE = re.compile(r"bytes=(\d*)-(\d*)$")


# ---- up ------------------------------------------------------------------------------------------


def create_session(
    graph: Graph, call: Call, grant: Grant, place: Place, body: dict[str, Any]
) -> Answer:
    """POST createUploadSession"""
    wanted = body.get("item") or {}
    if not isinstance(wanted, dict):
        raise refusals.invalid_request()
    size = wanted.get("fileSize")
    if isinstance(size, int) and size > place.drive.remaining:
        raise refusals.quota_reached()
    author = access.actor(grant)
    parent, name = place.slot(author)
    created, modified, description = facets(wanted)
    behaviour = conflict(wanted, "replace")
    place.drive.check_place(parent, name, behaviour)
    intent = Intent(place.drive, parent, name, behaviour, created, modified, description, author)
    session = UploadSession(intent, graph.files.new_sink(), graph.world.now())
    session.owner = principal(grant)
    if graph.faults.lost_sessions:
        session.lost_after = graph.faults.lost_sessions.pop(0)
    token = graph.files.open_session(session)
    return json_answer(
        200,
        {
            "@odata.context": f"{graph.graph_root(call.cloud)}/"
            f"$metadata#microsoft.graph.uploadSession",
            "expirationDateTime": stamp(int(session.expires * 1000), fine=True),
            "nextExpectedRanges": session.next_ranges,
            "uploadUrl": graph.upload_url(place.drive, token),
        },
    )


def session_of(graph: Graph, token: str) -> UploadSession:
    """The session of an upload URL; 404 if it is finished, cancelled, lost or expired."""
    session = graph.files.sessions.get(token)
    if session is None or session.lost or session.expires < graph.world.now():
        raise refusals.session_not_found()
    if session.lost_after is not None and session.fragments >= session.lost_after:
        session.cancel()
        raise refusals.session_not_found()
    return session


async def fragment(graph: Graph, call: Call, token: str) -> Answer:
    """PUT of a fragment to the upload URL"""
    if call.header(b"authorization") is not None:
        # limits.json, upload.authorization_header: "never on PUT to uploadUrl (may give 401)"
        raise GraphFault(401, "unauthenticated", "The caller is not authenticated.")
    session = session_of(graph, token)
    session.begin(call.header(b"content-range") or "", call.content_length, graph.world.now())
    try:
        await call.chunks(session.feed)
    except Broken:
        session.abort()
        raise
    done = session.end()
    if done is None:
        return _progress(202, session)
    del graph.files.sessions[token]
    stored, new = done
    _damage(graph, session.intent.drive, stored)
    writer = ItemWriter(
        session.intent.drive,
        graph.download_base(session.intent.drive),
        graph.ticket(session.owner),
    )
    return json_answer(201 if new else 200, writer.body(stored))


def session_status(graph: Graph, token: str) -> Answer:
    """GET of the upload URL"""
    return _progress(200, session_of(graph, token))


def cancel_session(graph: Graph, token: str) -> Answer:
    """DELETE of the upload URL"""
    session_of(graph, token).cancel()
    del graph.files.sessions[token]
    return NO_CONTENT


def _progress(status: int, session: UploadSession) -> Answer:
    return json_answer(
        status,
        {
            "expirationDateTime": stamp(int(session.expires * 1000), fine=True),
            "nextExpectedRanges": session.next_ranges,
        },
    )


async def put_content(graph: Graph, call: Call, grant: Grant, place: Place) -> Answer:
    """PUT content: a small file in one request"""
    author = access.actor(grant)
    behaviour = checked_conflict(call.query.get("@microsoft.graph.conflictBehavior", "replace"))
    length = call.content_length
    if length is not None and length > SMALL_LIMIT:
        raise refusals.request_too_large()
    sink = graph.files.new_sink()
    try:
        await call.chunks(sink.write)
    except Broken:
        sink.discard()
        raise
    if sink.size > SMALL_LIMIT:
        sink.discard()
        raise refusals.request_too_large()
    parent, name = place.slot(author)
    stored, new = Intent(place.drive, parent, name, behaviour, None, None, None, author).store(sink)
    _damage(graph, place.drive, stored)
    body = {
        "@odata.context": f"{graph.graph_root(call.cloud)}/$metadata#items/$entity",
        **graph.writer(place.drive, grant).body(stored),
    }
    return json_answer(201 if new else 200, body)


def _damage(graph: Graph, drive: Drive, stored: Item) -> None:
    if graph.faults.damaged_uploads and stored.content is not None and stored.size:
        graph.faults.damaged_uploads -= 1
        parts = Damaged(stored.content).read(0, stored.size)
        stored.content = InMemory(b"".join(map(bytes, parts)))


# ---- down ----------------------------------------------------------------------------------------


def redirect(
    graph: Graph, call: Call, grant: Grant, drive: Drive, item: Item, version: str | None = None
) -> Answer:
    """GET content: to the pre-authenticated address"""
    _file(drive, item, version)
    if item.rare is not None and item.rare.malware and "AVOverride" not in call.query:
        raise refusals.malware()
    url = graph.writer(drive, grant).download_url(item, version)
    return Answer(302, b"", [(b"location", url.encode())])


def _file(drive: Drive, item: Item, version: str | None) -> Content:
    rare = item.rare
    if item.content is None or (rare is not None and rare.package is not None):
        raise refusals.invalid_request("The item has no content.")
    if (
        version is None
        or (rare is not None and version == f"{rare.version}.0")
        or (rare is None and version == "1.0")
    ):
        return item.content
    return drive.version(item, version).content


def download(graph: Graph, call: Call, drive_id: str) -> Answer:
    """GET of a pre-authenticated address"""
    query = call.query
    item_id = query.get("UniqueId") or query.get("item") or ""
    drive = graph.files.drive(drive_id)
    if drive is None:
        raise refusals.not_found()
    item = drive.item(item_id)
    content = _file(drive, item, query.get("version"))
    return content_answer(call, drive, item, content)


def content_answer(call: Call, drive: Drive, item: Item, content: Content) -> Answer:
    """The bytes, or the range of them that was asked for"""
    size = content.size
    tag = c_tag(drive, item)
    headers: Headers = [
        (b"accept-ranges", b"bytes"),
        (b"content-type", mime_type(extension_of(item.name)).encode()),
        (b"content-disposition", f"attachment; filename*=UTF-8''{quote(item.name)}".encode()),
        (b"etag", (tag if tag.startswith('"') else f'"{tag}"').encode()),
    ]
    wanted = call.header(b"range")
    span = None if wanted is None else _span(wanted, size)
    if span is None:
        return Answer(200, b"", headers, content.read(0, size), size)
    start, stop = span
    if start >= stop:
        raise GraphFault(
            416,
            "invalidRange",
            "The requested range cannot be satisfied.",
            headers={"Content-Range": f"bytes */{size}"},
        )
    headers.append((b"content-range", f"bytes {start}-{stop - 1}/{size}".encode()))
    return Answer(206, b"", headers, content.read(start, stop), stop - start)


def _span(header: str, size: int) -> tuple[int, int] | None:
    """First byte and the one after the last; None if the header is to be ignored (RFC 9110)."""
    match = _RANGE.match(header.strip())
    if match is None or match[1] == match[2] == "":
        return None
    first, last = match.groups()
    if first == "":
        return max(0, size - int(last)), size
    stop = size if last == "" else min(int(last) + 1, size)
    return (int(first), stop) if last == "" or int(last) >= int(first) else None
