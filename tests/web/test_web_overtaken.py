"""Pages that something has overtaken: another tab, another page of the host, the command line."""

from __future__ import annotations

import threading
from typing import Any

from pluton_rclone.emulator import Emulator
from tests.connected import connected
from tests.gates import Gate

from .client import PATIENCE, at_the_page
from .test_web_page import posted_by_a_browser


def test_a_name_that_is_taken_while_a_form_is_tested_changes_nothing(cloud: Emulator) -> None:
    storage, other = connected(cloud, name="Before"), connected(cloud, "business", name="Other")
    at, answers = f"/storages/{storage.remote_name}/edit", list[Any]()
    with at_the_page() as anna:
        form = {**posted_by_a_browser(anna.get(at).text), "name": "After", "chunk_size": "20Mi"}
        probe = Gate(cloud, "^PUT ")
        pressed = threading.Thread(target=lambda: answers.append(anna.post(at, form)))
        pressed.start()
        probe.wait()
        other.rename("After")
        probe.open()
        pressed.join(PATIENCE)
    assert [answer.status_code for answer in answers] == [422]
    assert "There is already a storage called" in answers[0].text
    assert (storage.name, str(storage.remote.chunk_size)) == ("Before", "10Mi")
