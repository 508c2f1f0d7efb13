"""The page's program ends while it waits for Microsoft in a connection test."""

from __future__ import annotations

import signal
import threading
from contextlib import suppress
from http.client import HTTPException

from pluton_rclone.emulator import Emulator
from pluton_rclone.process.folders import runtime_folder
from tests.connected import connected
from tests.gates import Gate

from .attackers import attacked
from .test_web_page import posted_by_a_browser


def test_ctrl_c_in_a_test_leaves_no_folder_with_a_token(cloud: Emulator) -> None:
    """The thread that tests gets no answer, and is not waited for."""
    storage = connected(cloud)
    before, already = storage.section_with_secrets(), set(runtime_folder().iterdir())
    at = f"/storages/{storage.remote_name}/edit"
    with attacked() as page:
        form = {**posted_by_a_browser(page.get(at)), "chunk_size": "20Mi"}
        drive = Gate(cloud, "^GET .*/drives/")

        def press() -> None:
            with suppress(OSError, HTTPException):
                page.post(at, **form)

        pressed = threading.Thread(target=press)
        pressed.start()
        drive.wait()
        assert set(runtime_folder().iterdir()) > already
        assert page.stop(signal.SIGINT) == 130
        pressed.join()
    assert set(runtime_folder().iterdir()) == already
    after = storage.section_with_secrets()
    assert {**after, "token": before["token"]} == before
