"""Debian's headless Chromium at the page: found, started with trust for the emulated Microsoft, and
driven by Playwright."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pluton_rclone.emulator.browser import arguments, trust

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext

    from pluton_rclone.emulator import Emulator

FLAGS = (
    "--no-sandbox",  # as root there is none
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
# Playwright would let every pop-up through.
POP_UPS = "--disable-popup-blocking"


def find_chromium() -> str:
    """Debian's browser; FileNotFoundError says how to get it."""
    found = shutil.which("chromium") or shutil.which("chromium", path="/usr/bin:/usr/lib/chromium")
    if found is None:
        raise FileNotFoundError(
            "the tests of the page need a browser: apt-get install chromium libnss3-tools"
        )
    return found


@contextmanager
def chromium(
    cloud: Emulator | None,
    folder: Path,
    *,
    scheme: Literal["light", "dark"] = "light",
    width: int = 1200,
    height: int = 900,
    scripts: bool = True,
) -> Iterator[BrowserContext]:
    """A browser of its own, with an empty profile in `folder`, that meets the emulator as
    Microsoft; an ordinary one, which knows nothing of it, if `cloud` is None."""
    from playwright.sync_api import sync_playwright

    home = folder / "browser-home"
    home.mkdir(parents=True, exist_ok=True)
    if cloud is not None:
        trust(cloud, home)
    inherited = {
        name: value for name, value in os.environ.items() if name in ("PATH", "LANG", "TMPDIR")
    }
    with sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            folder / "profile",
            executable_path=find_chromium(),
            headless=True,
            timeout=120_000,
            args=[*FLAGS, *(arguments(cloud) if cloud is not None else ())],
            ignore_default_args=[POP_UPS],
            env={**inherited, "HOME": str(home)},
            viewport={"width": width, "height": height},
            color_scheme=scheme,
            java_script_enabled=scripts,
            reduced_motion="reduce",
        )
        context.set_default_timeout(120_000)
        try:
            yield context
        finally:
            context.close()
