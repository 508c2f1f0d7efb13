"""The page, served on this machine in a thread, as `pluton-rclone web` serves it."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from pluton_rclone import AppRegistration, Storages
from pluton_rclone.web.serving import prepare

PATIENCE = 120.0  # seconds for the server to answer or to end


@contextmanager
def served(
    app: AppRegistration | None, *, port: int = 0, folders: Sequence[Path] | None = None
) -> Iterator[str]:
    """The one-time address of a page that runs."""
    up = threading.Event()
    ready = prepare(Storages(), port=port, app=app, local_folders=folders, on_ready=lambda _: up.set())
    thread = threading.Thread(target=ready.server.run, kwargs={"sockets": ready.sockets})
    thread.start()
    try:
        assert up.wait(PATIENCE), "the page did not come up"
        yield ready.address
    finally:
        ready.server.should_exit = True
        thread.join(PATIENCE)
        for one in ready.sockets:
            one.close()
