"""Opens an address in the user's browser, through a page on disk that redirects, as Jupyter does.

All users of the machine can read a browser's arguments, but only this user can read the page. A
browser that may not read our folder (some snap or flatpak packages) shows an error instead, so the
caller also shows the address to the user.
"""

from __future__ import annotations

import atexit
import contextlib
import html
import os
import tempfile
import threading
import time
from concurrent.futures import wait
from functools import partial
from pathlib import Path

from .aside import aside
from .folders import runtime_folder
from .interrupts import interruptible

KEPT = 600.0  # seconds: the lifetime of a sign-in; a browser may be slow to start
_MOMENT = 1.0  # seconds in which a browser fails if it cannot start
_PREFIX = "open-"
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="referrer" content="no-referrer">
<title>One moment</title>
<meta http-equiv="refresh" content="0; url={0}"></head>
<body><p><a href="{0}">Continue</a></p></body></html>
"""


def open_in_browser(url: str) -> bool:
    """Open `url`. Returns whether a browser took it; does not wait for one that stays in the
    foreground ($BROWSER). The page on disk is removed after ten minutes, or with this process."""
    import webbrowser

    def start() -> bool:
        # ValueError: unbalanced quotes in $BROWSER.
        with contextlib.suppress(webbrowser.Error, OSError, ValueError):
            return webbrowser.open(_page(url).as_uri())
        return False

    with interruptible():
        starting = aside(start, "browser")
        wait([starting], _MOMENT)
    return not starting.done() or starting.result()


def _page(url: str) -> Path:
    folder = runtime_folder()
    for old in folder.glob(f"{_PREFIX}*.html"):  # left by killed processes
        with contextlib.suppress(OSError):
            if time.time() - old.stat().st_mtime > KEPT:
                old.unlink()
    descriptor, name = tempfile.mkstemp(".html", _PREFIX, folder)  # mode 0600
    page = Path(name)
    remove = partial(page.unlink, missing_ok=True)
    atexit.register(remove)
    timer = threading.Timer(KEPT, remove)
    timer.daemon = True
    timer.start()
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(_PAGE.format(html.escape(url)))
    return page
