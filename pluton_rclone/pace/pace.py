"""How fast an rclone asks of its own accord: values that fit what Microsoft grants, each with its
measurement.

Work and school drives, document libraries: a transfer, a walk or a comparison is governed
(`governor`). An rclone older than 1.68 is paced from the start: TPS and BURST together stay below
both budgets that Microsoft documents, in any minute BURST + 60 x TPS = 600 requests (625 allowed)
and in any five minutes 2,760 (3,000 allowed).

More transfers at once hide the latency; rclone's own limit of 100 calls a second bounds them.
Measured at 60 ms, with `python -m tests.bench.onedrive --work upload --files 2000`: 66 s bare (4
transfers), 49 s with 16 transfers, governed, and no less with 32. Where the budgets are enforced,
200 files in a tenth of Microsoft's time: 123 s bare with 35 refusals, 54 s with none.

BUFFER: rclone reads 16 MiB ahead of each file, which sixteen transfers would hold sixteen times. 4
MiB are as much in all as its own four transfers have: 1,038 MiB of memory became 630 (16 files of
64 MiB, same time). How many transfers and how large a chunk fit the files and the memory of a
transfer is decided when it starts (`chunks`).

Personal drives: Microsoft documents no such budget.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import NamedTuple

TPS = 9
BURST = 60
BUFFER = "4Mi"
_LIMIT = "RCLONE_TPSLIMIT"


class Pace(NamedTuple):
    """Files at once, and requests a second; no `tps`: as many as rclone itself allows."""

    transfers: int
    tps: int | None = None

    def variables(self, inherited: Mapping[str, str] = os.environ) -> dict[str, str]:
        """rclone's variables for it; those that the operator set in the environment are left to
        it."""
        wanted = {
            "TRANSFERS": str(self.transfers),
            "CHECKERS": str(self.transfers),
            "BUFFER_SIZE": BUFFER,
        }
        if self.tps is not None:
            wanted |= {"TPSLIMIT": str(self.tps), "TPSLIMIT_BURST": str(BURST)}
        return {
            f"RCLONE_{name}": value
            for name, value in wanted.items()
            if f"RCLONE_{name}" not in inherited
        }


FULL = Pace(16)
EVEN = Pace(8, TPS)
"""At nine requests a second more than eight transfers only wait for each other."""


def is_chosen(flags: Sequence[str], inherited: Mapping[str, str] = os.environ) -> bool:
    """Whether somebody set a limit: the operator for every rclone, or the caller for this run."""
    return _LIMIT in inherited or any(flag.startswith("--tpslimit") for flag in flags)
