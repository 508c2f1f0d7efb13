"""The content of a storage: folders, downloads, and copies and restores to start and watch."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Generator
from pathlib import Path
from typing import Any
from urllib.parse import quote

from anyio import CancelScope
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from pluton_rclone.errors import Cancelled, ItemNotFound, UsageError
from pluton_rclone.rclone.commands import TransferOptions
from pluton_rclone.rclone.events import Progress
from pluton_rclone.rclone.transfer import Transfer
from pluton_rclone.storages.storage import Storage
from pluton_rclone.values import paths

from ..plumbing.context import (
    apart,
    kept,
    may,
    page_of,
    see_other,
    session,
    storage_of,
    work_of,
)
from ..plumbing.guard import Action, form_of
from ..plumbing.jobs import Copying
from ..plumbing.view import Caught, draw
from .places import NO_LINKS, allowed, is_private, rules

SHOWN_ENTRIES = 1000
SHOWN_FAILURES = 50
_ACTIONS: dict[str, Action] = {"copy": "write", "restore": "read"}


def browse(request: Request) -> Response:
    """GET: one folder. "/": the drive's root, with shared and team folders; "": the base folder."""
    storage = storage_of(request, "read")
    path = request.query_params.get("path", "")
    entries: list[Any] = []
    with Caught() as caught:
        path = _clean(path)
        entries = [*storage.list(path)]
        entries.sort(key=lambda entry: (not entry.is_dir, entry.name.casefold()))
    names, lead = [name for name in path.split("/") if name], "/" if path.startswith("/") else ""
    shown = {
        "crumbs": [(name, lead + "/".join(names[:end])) for end, name in enumerate(names, 1)],
        "entries": entries[:SHOWN_ENTRIES],
        "more": max(0, len(entries) - SHOWN_ENTRIES),
        "join": lambda name: f"{path.rstrip('/')}/{name}" if path else name,
        "error": caught.error,
        "may_write": may(request, "write", storage),
    }
    status = 404 if caught.error else 200
    return draw(request, "files.html", status=status, storage=storage, path=path, **shown)


def _clean(path: str) -> str:
    """The path without "." and "..". UsageError if it leaves the storage."""
    return ("/" if path.startswith("/") else "") + paths.in_drive(path)


def download(request: Request) -> Response:
    """GET: one file. Never displayed: a browser could take it for one of our pages."""
    storage = storage_of(request, "read")
    path = _clean(request.query_params.get("path", ""))
    entry = storage.stat(path) if path.strip("/") else None
    if entry is None or entry.is_dir:
        raise ItemNotFound(f"There is no file {path!r} in {storage.name}.")
    blocks = storage.rclone.blocks(storage.at(path))
    first = next(blocks, b"")  # a refusal becomes an error page if nothing was sent yet
    headers = {
        "content-disposition": f"attachment; filename*=UTF-8''{quote(entry.name, safe='')}",
        "content-security-policy": "sandbox",
    }
    if entry.size >= 0:
        headers["content-length"] = str(entry.size)
    kind = "application/octet-stream"
    return StreamingResponse(_sent(first, blocks), media_type=kind, headers=headers)


async def _sent(first: bytes, rest: Generator[bytes, None, None]) -> AsyncIterator[bytes]:
    """The blocks. If the client disconnects, the rclone that reads for it ends."""
    block: bytes | None = first
    try:
        while block is not None:
            yield block
            block = await apart(next, rest, None)
    finally:
        with CancelScope(shield=True):
            await apart(rest.close)


def begin(request: Request, kind: str) -> Response:
    """GET: the form. POST: start a copy into the storage, or a restore into a local folder."""
    storage, page = storage_of(request, _ACTIONS[kind]), page_of(request)
    form = form_of(request)
    local, path = form.get("local", ""), form.get("path", request.query_params.get("path", ""))
    if path != form.get("offered", path):  # typed, not as listed: names may end with a space
        path = path.strip()
    folders = [str(folder) for folder in page.local_folders]
    caught = Caught()
    if request.method == "POST":
        with caught:
            folder = allowed(local, page.local_folders, page.private, must_exist=kind == "copy")
            work = _start(request, storage, kind, folder, _clean(path))
            return see_other(request, "transfers", work.id)
    local = local or next(iter(folders), "")
    shown = {"storage": storage, "kind": kind, "path": path, "folders": folders, "local": local}
    shown["once"] = secrets.token_urlsafe(8)  # a button pressed twice starts one transfer
    status = 422 if caught.error else 200
    return draw(request, "transfer_form.html", status=status, error=caught.error, **shown)


def _start(request: Request, storage: Storage, kind: str, local: Path, path: str) -> Copying:
    page, here, person = page_of(request), str(local), session(request).person
    again = kept(request, _ACTIONS[kind], storage)
    there = f"{storage.name} › {path}" if path else storage.name

    def begin() -> Transfer:
        # Checked again, as it may have waited for its turn.
        storage = again()
        if allowed(here, page.local_folders, page.private, must_exist=kind == "copy") != local:
            raise UsageError(f"{here} has become a link.", advice="Choose another folder.")
        left_out: TransferOptions = {
            "filters": rules(local, page.private, writing=kind == "restore"),
            "extra": NO_LINKS,
        }
        if kind == "copy":  # rclone takes no filters for a single file, which `allowed` has checked
            return storage.upload(local, path, **({} if local.is_file() else left_out))
        entry = storage.stat(path) if path.strip("/") else None
        if entry is None or entry.is_dir:
            return storage.download(path, local, **left_out)
        target = local / entry.name
        if is_private(target, local, page.private) or target.is_symlink():
            what = f"{entry.name!r} may not be written to {here}."
            raise UsageError(what, advice="Choose another folder.")
        return storage.download(path, local)

    source, destination = (here, there) if kind == "copy" else (there, here)
    work = Copying(kind, storage.name, person, begin=begin, source=source, destination=destination)
    form = form_of(request)
    # The browser's Back shows a form with the same `once`: other folders mean another transfer.
    work.storage, work.once = storage.remote_name, form.get("once", "") and str(form)
    return page.jobs.start(work, Copying.run)


def transfers(request: Request) -> Response:
    """GET: every transfer since the page was started."""
    works = page_of(request).jobs.all(Copying, session(request).owner)
    return draw(request, "transfers.html", works=works)


def cancel(request: Request) -> Response:
    """POST: cancel; files already transferred stay."""
    work = _work(request)
    page_of(request).jobs.cancel(work)
    return see_other(request, "transfers", work.id)


def _work(request: Request) -> Copying:
    found = work_of(request, Copying, request.path_params["job"])
    if found is None:
        what = "There is no such transfer; transfers end when this page's program ends."
        raise HTTPException(404, what)
    return found


def transfer(request: Request) -> Response:
    """GET: one transfer and its progress."""
    work = _work(request)
    over = work.over  # read once, before everything that depends on it
    transfer, cancelled = work.transfer, isinstance(work.error, Cancelled)
    result = transfer.wait() if over and transfer is not None else None
    progress = Progress(text="") if transfer is None else transfer.progress
    fraction = 1.0 if result is not None and result.ok else progress.fraction
    shown: dict[str, Any] = {
        "work": work,
        "over": over,
        "progress": progress,
        "result": result,
        "cancelled": cancelled,
        "percent": None if fraction is None else int(fraction * 100),
        "failed": result.failed[:SHOWN_FAILURES] if result else (),
        "error": work.error if over and not cancelled else None,
    }
    return draw(request, "transfer.html", **shown)
