"""Messages about a run, through apprise, to addresses that hold secrets."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable
from pathlib import Path

from pluton_rclone.errors import UsageError

from .context import needs

CREDENTIAL = "pluton-rclone-notify"
_SERVICE = re.compile(r"(?:(failure)\s*=\s*)?(\w[\w+.-]*://.+)")

Tell = Callable[[bool, str, str], list[str]]
"""Called with whether the run failed, a title and a text; the services that did not take it."""


def credential() -> str | None:
    """The file that systemd gives a service (LoadCredential=), if it does."""
    file = Path(os.environ.get("CREDENTIALS_DIRECTORY") or os.devnull, CREDENTIAL)
    return str(file) if file.is_file() else None


def teller(file: str) -> Tell:
    """From a file with an address of apprise on each line. UsageError, which shows none of them."""
    needs("notify", "apprise")
    if "://" in file:
        why = "others on this machine can read a command line, and an address holds secrets"
        advice = "Write the address into a file that only you can read, and name that."
        raise UsageError("--notify takes a file.", why=why, advice=advice)
    try:
        lines = Path(file).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"--notify {file} cannot be read.", why=str(error)) from None
    from apprise import Apprise, AppriseAsset, NotifyType

    logging.getLogger("apprise").disabled = True  # it says whole addresses
    asset = AppriseAsset(app_id="pluton-rclone", app_desc="pluton-rclone", async_mode=False)
    services = []
    for number, line in enumerate(map(str.strip, lines), 1):
        if not line or line.startswith("#"):
            continue
        found = _SERVICE.fullmatch(line)
        service = found and Apprise.instantiate(found[2], asset=asset)
        if not (found and service):
            what = f"Line {number} of {file} is not an address that apprise knows."
            raise UsageError(what, advice="https://appriseit.com/services/ lists them.")
        services.append((found[1] is not None, service))
    if not services:
        raise UsageError(f"There is no address in {file}.")

    def tell(failed: bool, title: str, text: str) -> list[str]:
        kind = NotifyType.FAILURE if failed else NotifyType.SUCCESS
        wanted = [service for only_failures, service in services if failed or not only_failures]
        return [
            str(service.service_name)
            for service in wanted
            if not service.notify(body=text, title=title, notify_type=kind)
        ]

    return tell
