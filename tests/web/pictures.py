"""Pictures of every page, light, dark and on a phone: `python -m tests.web.pictures FOLDER [LOOK ...]`."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from pluton_rclone import AppRegistration
from pluton_rclone.emulator import PUBLIC_CLIENT_ID, Consent, Emulator

from .browser import chromium
from .server import served
from .tour import tour
from .visitor import Visitor

if TYPE_CHECKING:
    from playwright.sync_api import Page

# What most people's systems look like, where Inter is installed (apt-get install fonts-inter); Debian's own is DejaVu.
FONTS = """<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig><match target="pattern"><test name="family"><string>system-ui</string></test>
<edit name="family" mode="prepend" binding="strong"><string>Inter</string></edit></match></fontconfig>"""

LOOKS: dict[str, tuple[str, int]] = {
    "light": ("light", 1200),
    "dark": ("dark", 1200),
    "phone": ("light", 390),
}


def camera(folder: Path, look: str) -> Callable[[Page, str], None]:
    """Takes a picture of the whole page."""

    def take(page: Page, name: str) -> None:
        page.screenshot(path=folder / f"{name}-{look}.png", full_page=True)

    return take


def main(folder: Path, looks: list[str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for look in looks or LOOKS:
        scheme, width = LOOKS[look]
        with tempfile.TemporaryDirectory() as scratch, Emulator() as cloud:
            home = Path(scratch) / "home"
            home.mkdir()
            fonts = Path(scratch) / "browser-home" / ".config" / "fontconfig"
            fonts.mkdir(parents=True)
            (fonts / "fonts.conf").write_text(FONTS)
            os.environ.update(cloud.environment, HOME=str(home), RCLONE_CONFIG=str(home / "rclone.conf"))
            cloud.world.tenant("contoso.onmicrosoft.com").policies.user_consent = Consent.MANAGED
            app = AppRegistration(PUBLIC_CLIENT_ID)
            with (
                served(app, folders=[home]) as address,
                chromium(
                    cloud, Path(scratch), scheme="dark" if scheme == "dark" else "light", width=width
                ) as context,
            ):
                tour(Visitor(context, address, camera(folder, look)), cloud, home)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
