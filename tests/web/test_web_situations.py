"""The same situations as at the command line, as a person sees them on the page."""

from __future__ import annotations

import html
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from pluton_rclone.emulator import Emulator
from tests.cli import test_cli_situations as played
from tests.cli.test_cli_situations import Scene
from tests.connected import connected

from .client import at_the_page, until_over

# the emulated situation; parts of the page's error and of its advice
TABLE: tuple[tuple[Callable[[Scene], AbstractContextManager[None]], str, str], ...] = (
    (played.a_full_drive, "not transferred", "Free up space on the drive"),
    (played.a_token_without_refresh, "there's no refresh token", "Re-authorize the storage"),
    (played.permission_to_read_only, "for reading only", "with permission to write"),
    (played.a_growing_file, "changed while it was being read", "when no program writes to it"),
    (played.a_name_that_is_taken_for_ever, "this name is taken", "such as a OneNote notebook"),
)


@pytest.mark.parametrize(
    ("play", "what", "advice"), TABLE, ids=lambda value: getattr(value, "__name__", "")
)
def test_a_copy_that_fails_says_on_the_page_what_helps(
    cloud: Emulator,
    tmp_path: Path,
    play: Callable[[Scene], AbstractContextManager[None]],
    what: str,
    advice: str,
) -> None:
    connected(cloud, "personal", name="home")
    storage = connected(cloud, "business", name="work")
    source = tmp_path / "source"
    source.mkdir()
    for number in range(3):
        (source / str(number)).write_bytes(b"x" * 10_000)
    scene = Scene(cloud, source, NotImplemented, NotImplemented)
    with play(scene), at_the_page(local_folders=[source]) as anna:
        copy = anna.post(
            f"/storages/{storage.remote_name}/copy", {"local": str(source), "path": "x"}
        )
        until_over(anna)
        shown = html.unescape(copy.text + anna.get(copy.url.path).text)
    assert what in shown
    assert advice in shown
    assert "pluton-rclone " not in shown
    assert "https://graph" not in shown
