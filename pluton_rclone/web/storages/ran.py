"""What has run with a storage: the strip of its last runs, and one run."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from pluton_rclone.errors import ConfigUnreadable, StorageNotFound, UsageError
from pluton_rclone.runs.store import RunRecord
from pluton_rclone.storages.storage import Storage

from ..plumbing.context import may, page_of, storage_of
from ..plumbing.view import draw

STRIP = 10
SHOWN_FAILURES = 50


def strip(request: Request, storage: Storage) -> list[RunRecord]:
    """The last runs, for those who may read the storage: names of files are in them."""
    if not may(request, "read", storage):
        return []
    try:
        found = page_of(request).storages.runs.last(storage.remote_name, limit=STRIP)
    except ConfigUnreadable:
        return []
    return [one for one in found if _open(request, one)]


def _open(request: Request, one: RunRecord) -> bool:
    """Whether the person may read all storages that it was about."""
    storages = page_of(request).storages
    try:
        return all(may(request, "read", storages.reach(name)) for name in one.run.storages)
    except StorageNotFound:  # one of them is gone
        return False


def run(request: Request) -> Response:
    """GET: one run of a storage."""
    storage, text = storage_of(request, "read"), request.path_params["run"]
    if not (text.isascii() and text.isdigit()):
        raise UsageError("There is no such run.")
    one = page_of(request).storages.runs.get(int(text))
    if storage.remote_name not in one.run.storages or not _open(request, one):
        raise UsageError("There is no such run.")
    failed = one.failed[:SHOWN_FAILURES]
    return draw(request, "run.html", storage=storage, one=one, failed=failed)
