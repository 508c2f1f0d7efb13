"""Saved storages: their list, health and space; one storage's page, runs, test, and removal."""

from __future__ import annotations

import shlex
from contextlib import suppress
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from pluton_rclone import errors
from pluton_rclone.runs.record import RunRecord
from pluton_rclone.storages.storage import Storage
from pluton_rclone.values.token_text import MASKED

from ..plumbing.context import (
    kept,
    may,
    page_of,
    permitted,
    see_other,
    session,
    storage_of,
    work_of,
)
from ..plumbing.guard import Action
from ..plumbing.jobs import Copying, Steps
from ..plumbing.view import Caught, draw, steps_view
from .files import SHOWN_FAILURES

SHOWN_RUNS = 10
_ACTIONS: dict[str, Action] = {"test": "write", "repair": "change"}


def storages(request: Request) -> Response:
    """GET: all storages, drafts of new ones, and running transfers."""
    page, mine = page_of(request), session(request)
    found: list[Storage] = []
    with Caught() as caught:
        found = [storage for storage in page.storages.values() if may(request, "see", storage)]
    running = [work for work in page.jobs.all(Copying, mine.owner) if not work.over]
    drafts = [draft for draft in mine.drafts.values() if not draft.saved and draft.storage is None]
    drafts.sort(key=lambda draft: -draft.changed)
    shown: dict[str, Any] = {"drafts": drafts, "running": running, "path": str(page.storages.path)}
    shown["storages"] = [
        {**storage.record(), "permitted": permitted(request, storage, "read", "write")}
        for storage in found
    ]
    may_add = may(request, "add")
    return draw(request, "storages.html", error=caught.error, may_add=may_add, **shown)


def storage(request: Request) -> Response:
    """GET: one storage."""
    found, query = storage_of(request), request.query_params
    shown: dict[str, Any] = {
        **steps_view(work_of(request, Steps, query.get("test"))),
        "storage": found,
        "record": found.record(),
        "draft": None,
        "section": found.masked_section(),
        "masked": MASKED,
        "config": str(page_of(request).storages.path),
        "export": f"pluton-rclone export {shlex.quote(found.remote_name)}",
        "repairable": _repairable(found),
        "permitted": permitted(request, found, "read", "write", "change", "remove"),
        "new": query.get("new") == "yes",
        "runs": _last_runs(request, found),
    }
    return draw(request, "storage.html", **shown)


def _repairable(found: Storage) -> bool:
    """Whether its drive is missing, or rclone cannot read its encoding."""
    try:
        found.remote  # noqa: B018 - the property is read for its errors
    except errors.OptionInvalid as problem:
        return problem.details.get("option") in ("drive_id", "encoding")
    except errors.PlutonRcloneError as problem:
        return problem.next_step is errors.NextStep.REPAIR
    return False


def health(request: Request) -> HTMLResponse:
    """GET: whether a storage works, and the space on it."""
    found = storage_of(request)
    seen = page_of(request).healths.of(found)
    lost = seen.error is not None and seen.error.next_step is errors.NextStep.REPAIR
    shown: dict[str, Any] = {"record": found.record(), "seen": seen}
    shown |= {"repairable": lost and not _repairable(found)}
    shown["permitted"] = permitted(request, found, "change")
    return draw(request, "health.html", error=seen.error, **shown)


def _last_runs(request: Request, storage: Storage) -> list[RunRecord]:
    """The last runs, if the person may read the storage: they contain file names."""
    if not may(request, "read", storage):
        return []
    try:
        found = page_of(request).storages.runs.last(storage.remote_name, limit=SHOWN_RUNS)
    except errors.ConfigError:
        return []
    return [one for one in found if _open(request, storage, one)]


def _open(request: Request, storage: Storage, one: RunRecord) -> bool:
    """Whether the person, who may read this storage, may read all storages of the run."""
    storages = page_of(request).storages
    here = storages.runs.drives(storage.remote_name)
    renamed = storage.remote_name not in one.run.storages

    def is_open(name: str) -> bool:
        with suppress(errors.StorageNotFound):
            if storages.runs.is_of(name, one):
                return may(request, "read", storages.reach(name))
        return renamed and one.drives.get(name) == here  # otherwise it is gone

    return all(map(is_open, one.run.storages))


def run(request: Request) -> Response:
    """GET: one run of a storage."""
    storage, text = storage_of(request, "read"), request.path_params["run"]
    if not (text.isascii() and text.isdigit() and len(text) < 20):
        raise errors.UsageError("There is no such run.")
    one = page_of(request).storages.runs.get(int(text), storage.remote_name)
    if not _open(request, storage, one):
        raise errors.UsageError("There is no such run.")
    return draw(request, "run.html", storage=storage, one=one, failed=one.failed[:SHOWN_FAILURES])


def begin(request: Request, kind: str) -> Response:
    """POST: start the connection test, or the search for a missing drive with its test."""
    found, page = storage_of(request, _ACTIONS[kind]), page_of(request)
    again = kept(request, _ACTIONS[kind], found)

    def run(work: Steps) -> None:
        storage = again()
        work.ok = (storage.test if kind == "test" else storage.repair)(work.hear).ok
        page.healths.forget(storage.remote_name)

    work = page.jobs.start(Steps(kind, found.name, owner=session(request).owner), run)
    return see_other(request, "storages", found.remote_name, more=f"?test={work.id}#test")


def remove(request: Request) -> Response:
    """GET: ask. POST: remove the storage from rclone.conf; its files stay where they are."""
    found, page = storage_of(request, "remove"), page_of(request)
    if request.method == "POST":
        found.remove()
        page.healths.forget(found.remote_name)
        return see_other(request, "")
    record, config = found.record(), str(page.storages.path)
    return draw(request, "remove.html", storage=found, record=record, config=config)
