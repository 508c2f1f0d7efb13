"""axe-core, the accessibility checker, run in a page; fetched once from npm into .cache/, never
committed."""

from __future__ import annotations

import functools
import subprocess
import tarfile
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock

from tests import outside

if TYPE_CHECKING:
    from playwright.sync_api import Page

VERSION = "4.14.1"
CACHE = Path(__file__).parents[2] / ".cache"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


@functools.cache
def source() -> str:
    """axe-core's script."""
    archive = CACHE / f"axe-core-{VERSION}.tgz"
    CACHE.mkdir(exist_ok=True)
    with FileLock(CACHE / "axe-core.lock"):
        if not archive.exists():  # downloads go to a separate folder: a file here is complete
            with tempfile.TemporaryDirectory(dir=CACHE) as work:
                pack = ["npm", "pack", "--silent", f"axe-core@{VERSION}"]
                subprocess.run(pack, cwd=work, env=outside.ENVIRONMENT, check=True, timeout=300)
                Path(work, archive.name).rename(archive)
    with tarfile.open(archive) as opened:
        file = opened.extractfile("package/axe.min.js")
        assert file is not None
        return file.read().decode()


def violations(page: Page) -> list[str]:
    """The violations that axe finds in the page as it is now: "rule: what (where)"."""
    if not page.evaluate("typeof axe !== 'undefined'"):
        # through the DevTools protocol, so that the page's policy stays as it is
        page.context.new_cdp_session(page).send("Runtime.evaluate", {"expression": source()})
    # only violations: transferring the passes would be most of the work on a page without faults
    found: list[dict[str, Any]] = page.evaluate(
        "tags => axe.run(document, {runOnly: tags, resultTypes: ['violations']})"
        ".then(result => result.violations)",
        RULES,
    )
    return [
        f"{violation['id']}: {violation['help']} ({node['html'][:200]})"
        for violation in found
        for node in violation["nodes"]
    ]
