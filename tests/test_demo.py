"""The demo runs completely; meanwhile, every command line on this machine is searched for its
secrets."""

from __future__ import annotations

import os
import threading
import webbrowser
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import demo
import pytest

from pluton_rclone.emulator import Emulator
from pluton_rclone.emulator.entra.sessions import Sessions
from tests.children import children_of


class CommandLines:
    """The command lines of this process's descendants, sampled while a test runs."""

    def __init__(self) -> None:
        self.seen: set[bytes] = set()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self) -> CommandLines:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._over.wait(0.01):
            self.seen.update(command_lines_below(os.getpid()))


def command_lines_below(pid: int) -> Iterator[bytes]:
    for child in children_of(pid):
        try:
            yield Path(f"/proc/{child}/cmdline").read_bytes()
        except OSError:
            continue
        yield from command_lines_below(child)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "a folder of mine"
    for number in range(40):
        (folder / f"{number % 4}").mkdir(parents=True, exist_ok=True)
        (folder / f"{number % 4}" / f"file {number}.bin").write_bytes(
            bytes([number]) * number * 1000
        )
    return folder


# Python's webbrowser starts the browser and never waits for it, as intended. As an error, the
# warning would leave a zombie.
@pytest.mark.filterwarnings("ignore:subprocess .* is still running:ResourceWarning")
def test_the_demo_ends_well_and_no_secret_is_in_any_command_line(
    source: Path,
    home: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    worlds: list[Emulator] = []

    class Watched(Emulator):
        def start(self) -> Emulator:
            worlds.append(self)
            return super().start()

    monkeypatch.setattr(demo, "Emulator", Watched)
    monkeypatch.setattr(webbrowser, "_tryorder", None)  # $BROWSER is read once in a process
    (tmp_path / "demo").mkdir()
    with patch.dict(os.environ), CommandLines() as lines:
        demo.demonstrate(tmp_path / "demo", source)

    said = "".join(capfd.readouterr())
    world = worlds[0].world
    secrets = [*world.access_tokens, *world.part(Sessions).refresh_tokens]
    assert any(b"rclone\0" in line for line in lines.seen), "the watcher saw no rclone at all"
    assert secrets
    for secret in secrets:
        assert not any(secret.encode() in line for line in lines.seen)
        assert secret not in said
    assert "the second run sent 0 uploads" in said
    assert "40 files are the same, compared by hash" in said
    uploads = [request for request in worlds[0].requests if request.method == "PUT"]
    assert uploads
    assert all("rclone/v1.75.2" in request.user_agent for request in uploads)
