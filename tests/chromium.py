"""Debian's headless Chromium: found, started once for the tests of a module, and driven by
Playwright."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pytest

from pluton_rclone.emulator.browser import trust

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext

    from pluton_rclone.emulator import Emulator

FLAGS = (
    "--no-sandbox",  # root has none
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
# Playwright's default flag that lets every pop-up through.
POP_UPS = "--disable-popup-blocking"
PATIENCE = 120_000.0
"""Milliseconds until a wait fails: long, for a busy machine."""


def find_chromium() -> str:
    """The path of Debian's Chromium; FileNotFoundError says how to install it."""
    found = shutil.which("chromium") or shutil.which("chromium", path="/usr/bin:/usr/lib/chromium")
    if found is None:
        raise FileNotFoundError(
            "the tests of the page need a browser: apt-get install chromium libnss3-tools"
        )
    return found


class Chromium:
    """One browser, which starts when the first person needs it: starting and ending it takes 2 s of
    CPU."""

    def __init__(self, home: Path, end: ExitStack) -> None:
        self._home = home
        self._end = end
        self._browser: Browser | None = None

    def _started(self, cloud: Emulator | None) -> Browser:
        from playwright.sync_api import sync_playwright

        if cloud is not None:  # all emulators of this process have one CA
            trust(cloud, self._home)
        kept = ("PATH", "LANG", "TMPDIR")
        inherited = {name: value for name, value in os.environ.items() if name in kept}
        browser = self._end.enter_context(sync_playwright()).chromium.launch(
            executable_path=find_chromium(),
            headless=True,
            timeout=PATIENCE,
            args=FLAGS,
            ignore_default_args=[POP_UPS],
            env={**inherited, "HOME": str(self._home)},
        )
        self._end.callback(browser.close)
        return browser

    @contextmanager
    def person(
        self,
        cloud: Emulator | None,
        *,
        scheme: Literal["light", "dark"] = "light",
        width: int = 1200,
        height: int = 900,
        scripts: bool = True,
    ) -> Iterator[BrowserContext]:
        """An empty profile for which the emulator is Microsoft; if `cloud` is None, an ordinary one
        without the emulator."""
        self._browser = self._browser or self._started(cloud)
        with self._browser.new_context(
            # as arguments(cloud) of emulator/browser.py, but only for this profile
            proxy=None if cloud is None else {"server": cloud.proxy_url, "bypass": "localhost"},
            viewport={"width": width, "height": height},
            color_scheme=scheme,
            java_script_enabled=scripts,
            reduced_motion="reduce",
        ) as context:
            context.set_default_timeout(PATIENCE)
            yield context


@contextmanager
def running(home: Path) -> Iterator[Chromium]:
    """A browser whose HOME is the empty `home`, which keeps its CA (emulator/browser.py)."""
    with ExitStack() as end:
        yield Chromium(home, end)


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    """Scope module, not session: while Playwright runs, nothing else in this thread has a loop."""
    with running(tmp_path_factory.mktemp("browser")) as browser:
        yield browser
