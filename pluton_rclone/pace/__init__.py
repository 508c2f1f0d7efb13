"""How fast rclone may ask: defaults that fit what Microsoft grants, each with its reason and its measurement.

They are variables of rclone, so that everything overrides them: the same variable in the caller's environment, and the
option of a call (`storage.upload(..., tpslimit=50)`), which also switches the governor off.

Work and school drives, document libraries: a transfer, a walk or a comparison is governed (`governor`). Whatever else is
started (a session, restic's rclone, an rclone older than 1.68) is paced from the start: TPS and BURST together stay below
both budgets that Microsoft documents, in any minute BURST + 60 x TPS = 600 requests (625 allowed) and in any five
minutes 2,760 (3,000 allowed).

More transfers at once hide the latency; rclone's own limit of 100 calls a second bounds them. Measured at 60 ms, with
`python -m tests.bench.onedrive --work upload --files 2000`: 66 s bare (4 transfers), 49 s with 16 transfers, governed,
and no less with 32. Where the budgets are enforced, 200 files in a tenth of Microsoft's time: 123 s bare with 35
refusals, 54 s with none.

BUFFER: rclone reads 16 MiB ahead of each file, which sixteen transfers would hold sixteen times. 4 MiB are as much in all
as its own four transfers have: 1,038 MiB of memory became 630 (16 files of 64 MiB, same time). How many transfers and
how large a chunk fit the files and the memory of a transfer is decided when it starts (`chunks`).

Personal drives: Microsoft documents no such budget.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pluton_rclone.rclone import asked
from pluton_rclone.rclone.commands import TRANSFERS
from pluton_rclone.values.versions import Feature

if TYPE_CHECKING:
    from pluton_rclone.rclone.binary import Binary
    from pluton_rclone.rclone.commands import Command
    from pluton_rclone.storages.storage import Storage

    from .budgets import Budget
    from .canary import Canary
    from .governor import Governor

TPS = 9
BURST = 60
BUFFER = "4Mi"
_PACED = {
    "RCLONE_TPSLIMIT": str(TPS),
    "RCLONE_TPSLIMIT_BURST": str(BURST),
    # At nine requests a second more than eight transfers only wait for each other.
    "RCLONE_TRANSFERS": "8",
    "RCLONE_CHECKERS": "8",
    "RCLONE_BUFFER_SIZE": BUFFER,
}
_UNPACED = {"RCLONE_TRANSFERS": "16", "RCLONE_CHECKERS": "16", "RCLONE_BUFFER_SIZE": BUFFER}
_LONG = TRANSFERS | {"check", "delete", "size"}
"""Commands that may ask for more than a budget holds; with a recursive lsjson."""


def pace(drive_type: str, environment: Mapping[str, str]) -> dict[str, str]:
    """rclone's variables for a drive of this type; those that `environment` sets are left to it."""
    wanted = _UNPACED if drive_type == "personal" else _PACED
    if "RCLONE_TPSLIMIT" in environment:
        wanted = {name: value for name, value in wanted.items() if name != "RCLONE_TPSLIMIT_BURST"}
    return {name: value for name, value in wanted.items() if name not in environment}


class Governed:
    """The pace of one storage's rclones that are governed: what is left of the account's budget, and who asks."""

    def __init__(self, budget: Budget, canary: Callable[[], Canary]) -> None:
        self.budget = budget
        self.canary = canary

    def environment(
        self,
        command: Command,
        binary: Binary,
        environment: Mapping[str, str],
        flags: Sequence[str],
        socket: Path,
    ) -> dict[str, str] | None:
        """The variables for a run that can be governed; None for one that cannot, or needs not."""
        address = asked.address(socket)
        if (
            not (command.words[0] in _LONG or "--recursive" in command.flags)
            or environment.get("RCLONE_TPSLIMIT") != _PACED["RCLONE_TPSLIMIT"]
            or asked.VARIABLE in environment
            or any(flag.startswith("--tpslimit") for flag in (*flags, *command.flags))
            or address is None
            or not hasattr(signal, "SIGSTOP")
            or not Feature.METRICS.known_to(binary.version)
        ):
            return None
        others = {
            name: value
            for name, value in environment.items()
            if not name.startswith("RCLONE_TPSLIMIT") and _PACED.get(name) != value
        }
        ours = {name: value for name, value in _UNPACED.items() if name not in os.environ}
        return {**ours, **others, asked.VARIABLE: address}

    def governor(self, socket: Path, on_line: Callable[[bytes], None]) -> Governor:
        """`on_line` gets a line of log, in rclone's words, when rclone is made to wait."""
        from .governor import Governor

        return Governor(socket, self.budget, self.canary, lambda seconds: on_line(_waiting(seconds)))


def _waiting(seconds: float) -> bytes:
    import json

    text = f"Too many requests for Microsoft: rclone stands still. Trying again in {seconds:.0f} seconds."
    return json.dumps({"level": "notice", "msg": text}).encode()


_BUDGETS: dict[tuple[str, str], Budget] = {}
_LOCK = threading.Lock()


def governed(storage: Storage) -> Governed:
    """All storages of one account and one app in this process share a budget, as they do at Microsoft."""
    from .budgets import Budget

    section = storage.section_with_secrets()
    account = section.get("pluton_account_name") or section.get("drive_id", "")
    with _LOCK:
        budget = _BUDGETS.setdefault((section.get("client_id", ""), account), Budget())

    def canary() -> Canary:
        from .canary import Canary

        return Canary(storage)

    return Governed(budget, canary)
