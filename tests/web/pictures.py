"""Pictures of every page, light, dark and on a phone: `python -m tests.web.pictures FOLDER [LOOK
...]`."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from pluton_rclone import AppRegistration
from pluton_rclone.emulator import PUBLIC_CLIENT_ID, Consent, Emulator
from tests.chromium import running

from .server import served
from .tour import tour
from .visitor import Visitor

if TYPE_CHECKING:
    from playwright.sync_api import Page

LOOKS: dict[str, tuple[str, int]] = {
    "light": ("light", 1200),
    "dark": ("dark", 1200),
    "phone": ("light", 390),
}


def camera(folder: Path, look: str) -> Callable[[Page, str], None]:
    """A function that takes a picture of a whole page."""

    def take(page: Page, name: str) -> None:
        page.wait_for_load_state()
        page.screenshot(path=folder / f"{name}-{look}.png", full_page=True)

    return take


def main(folder: Path, looks: list[str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for look in looks or LOOKS:
        scheme, width = LOOKS[look]
        with tempfile.TemporaryDirectory() as scratch, Emulator() as cloud:
            home = Path(scratch) / "home"
            home.mkdir()
            os.environ.update(
                cloud.environment, HOME=str(home), RCLONE_CONFIG=str(home / "rclone.conf")
            )
            cloud.world.tenant("contoso.onmicrosoft.com").policies.user_consent = Consent.MANAGED
            app = AppRegistration(PUBLIC_CLIENT_ID)
            with (
                served(app, folders=[home]) as address,
                running(home) as browser,
                browser.person(
                    cloud,
                    scheme="dark" if scheme == "dark" else "light",
                    width=width,
                ) as context,
            ):
                tour(Visitor(context, address, camera(folder, look)), cloud, home)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
