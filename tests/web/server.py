"""The page, served on this machine in a thread, as `pluton-rclone web` serves it."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from pluton_rclone import AppRegistration, Storages
from pluton_rclone.web import create_app, one_time_address
from pluton_rclone.web.serving import listen, server

PATIENCE = 120.0  # seconds for the server to answer or to end


@contextmanager
def served(
    app: AppRegistration | None, *, port: int = 0, folders: Sequence[Path] | None = None
) -> Iterator[str]:
    """The one-time address of a running page."""
    sockets = listen(None, port)
    url = f"http://localhost:{sockets[0].getsockname()[1]}"
    made = create_app(Storages(), public_url=url, app=app, local_folders=folders)
    running = server(made)
    thread = threading.Thread(target=running.run, kwargs={"sockets": sockets})
    thread.start()
    try:
        yield one_time_address(made)
    finally:
        running.should_exit = True
        thread.join(PATIENCE)
        for one in sockets:
            one.close()
