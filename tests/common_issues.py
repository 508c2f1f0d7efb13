"""The four failures of the guide's "Common Issues", provoked in the emulator: `python -m
tests.common_issues` prints them.

Each shows a real command of `pluton-rclone`, with the real MSAL and the real rclone, as a person
sees it.
"""

from __future__ import annotations

import os
import shlex
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from pluton_rclone.emulator import PUBLIC_CLIENT_ID, Consent, Emulator
from pluton_rclone.emulator.command import environment

from .connected import ANNA, BERT, connected
from .forked import Forks, forking

Prepare = Callable[[Emulator], None]


def _nothing(cloud: Emulator) -> None:
    """Leave the world as it is."""


def _no_drive(cloud: Emulator) -> None:
    cloud.world.person(BERT).licensed = False


def _managed_consent(cloud: Emulator) -> None:
    cloud.world.person(BERT).tenant.policies.user_consent = Consent.MANAGED


def _idle(cloud: Emulator) -> None:
    connected(cloud, "personal", name="OneDrive Personal Backups", seconds=-1)
    cloud.world.advance(91 * 24 * 3600)


# the guide's heading: (the person, whether they consent, the change to the world, the command)
ISSUES: Mapping[str, tuple[str, bool, Prepare, list[str]]] = {
    "Authorization Failed": (ANNA, False, _nothing, ["connect", "OneDrive Personal Backups"]),
    "Drive Not Found": (BERT, True, _no_drive, ["connect", "Work", "--type", "business"]),
    "Sites.Read.All Permission": (
        BERT,
        True,
        _managed_consent,
        ["connect", "Team", "--site", "https://contoso.sharepoint.com/sites/Backups"],
    ),
    "Token Expired": (ANNA, True, _idle, ["ls", "OneDrive Personal Backups:"]),
}


def screen(issue: str, forks: Forks) -> tuple[str, int]:
    """The screen that the person sees, including the command, and the exit code."""
    person, accept, prepare, arguments = ISSUES[issue]
    with tempfile.TemporaryDirectory(prefix="common-issues-") as folder, Emulator() as cloud:
        kept = dict(os.environ)
        os.environ.update(
            environment(cloud, os.environ, person=person, accept=accept),
            RCLONE_CONFIG=str(Path(folder) / "rclone.conf"),
            PLUTON_ONEDRIVE_CLIENT_ID=PUBLIC_CLIENT_ID,
            NO_COLOR="1",
        )
        try:
            prepare(cloud)
            done = forks.run(*arguments)
        finally:
            os.environ.clear()
            os.environ.update(kept)
    said = (done.stdout + done.stderr).decode()
    return f"$ pluton-rclone {shlex.join(arguments)}\n{said}", done.returncode


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, forking(Path(folder)) as forks:
        for issue in ISSUES:
            text, code = screen(issue, forks)
            print(f"--- {issue} (exit code {code})\n{text}")


if __name__ == "__main__":
    main()
