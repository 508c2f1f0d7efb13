"""Opens an address in the person's browser, by a page on disk that leads there, as Jupyter does.

Every user of the machine can read a browser's arguments, but only this user the page. A browser
that may not read our folder (some packaged as snap or flatpak) shows an error instead, so the
caller shows the address to the person, too.
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

KEPT = 600.0  # seconds: the life of a sign-in; a browser may be slow to start
_MOMENT = 1.0  # seconds in which a browser says that it does not start
_PREFIX = "open-"
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="referrer" content="no-referrer">
<title>One moment</title>
<meta http-equiv="refresh" content="0; url={0}"></head>
<body><p><a href="{0}">Go on</a></p></body></html>
"""


def open_in_browser(url: str) -> bool:
    """Whether a browser took the address; not waiting for one that stays in the foreground
    ($BROWSER). The page on disk is removed after ten minutes, or with this process."""
    import webbrowser

    def start() -> bool:
        # ValueError: quotation marks in $BROWSER that do not match.
        with contextlib.suppress(webbrowser.Error, OSError, ValueError):
            return webbrowser.open(_page(url).as_uri())
        return False

    with interruptible():
        starting = aside(start, "browser")
        wait([starting], _MOMENT)
    return not starting.done() or starting.result()


def _page(url: str) -> Path:
    folder = runtime_folder()
    for old in folder.glob(f"{_PREFIX}*.html"):  # of a process that was killed
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
