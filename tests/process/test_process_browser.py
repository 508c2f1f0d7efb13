"""An address that is opened in a browser is not visible to others: no command line has it."""

from __future__ import annotations

import os
import re
import stat
import subprocess
import sys
import webbrowser
from html import unescape
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from pluton_rclone.process import browser
from pluton_rclone.process.folders import runtime_folder
from tests.terminal import PATIENCE

ADDRESS = 'https://login.example/authorize?state=s3cret&x=%22\'<&y="quoted"'


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The arguments that the browser got."""
    monkeypatch.setattr(browser, "_MOMENT", PATIENCE)  # a slow disk is no browser that stays
    given: list[str] = []

    def take(address: str) -> bool:
        given.append(address)
        return True

    monkeypatch.setattr(webbrowser, "open", take)
    return given


def page_of(address: str) -> Path:
    assert address.startswith("file:///")
    return Path(urlsplit(address).path)


def test_a_browser_is_given_a_page_that_this_user_alone_can_read(opened: list[str]) -> None:
    assert browser.open_in_browser(ADDRESS)
    (given,) = opened
    assert "s3cret" not in given
    page = page_of(given)
    assert stat.S_IMODE(page.stat().st_mode) == 0o600
    assert stat.S_IMODE(page.parent.stat().st_mode) == 0o700
    found = re.search(r'content="0; url=([^"]+)"', page.read_text())
    assert found is not None
    assert unescape(found[1]) == ADDRESS


def test_the_page_goes_with_the_process_that_made_it(tmp_path: Path) -> None:
    program = (
        "import webbrowser; webbrowser.open = print\n"
        "from pluton_rclone.process import browser; browser._MOMENT = 120.0\n"
        "browser.open_in_browser('http://localhost/')"
    )
    environment = {**os.environ, "XDG_RUNTIME_DIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, check=True
    )
    page = page_of(done.stdout.decode().strip())
    assert page.is_relative_to(tmp_path)
    assert not page.exists()


def test_the_page_of_a_process_that_was_killed_goes_with_the_next_one(opened: list[str]) -> None:
    old, fresh = runtime_folder() / "open-old.html", runtime_folder() / "open-fresh.html"
    for page in (old, fresh):
        page.write_text("")
    os.utime(old, (0, 0))
    browser.open_in_browser(ADDRESS)
    assert not old.exists()
    assert fresh.exists()
    fresh.unlink()


def test_no_browser_a_broken_one_and_a_folder_that_is_full_are_answers(
    monkeypatch: pytest.MonkeyPatch, opened: list[str]
) -> None:
    def fails(address: str) -> bool:
        raise ValueError("No closing quotation")

    with monkeypatch.context() as patch:
        patch.setattr(browser, "runtime_folder", lambda: Path("/proc/nowhere"))
        assert not browser.open_in_browser(ADDRESS)
    monkeypatch.setattr(webbrowser, "open", fails)
    assert not browser.open_in_browser(ADDRESS)
    monkeypatch.setattr(webbrowser, "open", lambda address: False)
    assert not browser.open_in_browser(ADDRESS)
