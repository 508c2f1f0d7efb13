"""How fast an rclone asks of its own accord: values that fit what Microsoft grants, and why.

Work and school drives, document libraries: a transfer, a walk or a comparison is governed
(`governor`). An rclone older than 1.68 is paced from the start: in any minute BURST + 60 x TPS =
600 requests (625 allowed) and in any five minutes 2,760 (3,000 allowed).

More transfers at once hide the latency, up to rclone's own 100 calls a second. Measured at 60 ms
(`python -m tests.bench.onedrive --work upload --files 2000`): 66 s bare (4 transfers), 49 s with 16
transfers, governed, and no less with 32. With enforced budgets, 200 files in a tenth of Microsoft's
time: 123 s bare with 35 refusals, 54 s with none.

BUFFER: 16 files with rclone's 16 MiB of read-ahead took 1,038 MiB of memory, with 4 MiB 630 (files
of 64 MiB, same time). `chunks` fits files at once and chunk size when a transfer starts.

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
        """rclone's variables for it, without those that the operator set in the environment."""
        many = str(self.transfers)
        wanted = {"TRANSFERS": many, "CHECKERS": many, "BUFFER_SIZE": BUFFER}
        if self.tps is not None:
            wanted |= {"TPSLIMIT": str(self.tps), "TPSLIMIT_BURST": str(BURST)}
        variables = {f"RCLONE_{name}": value for name, value in wanted.items()}
        return {name: value for name, value in variables.items() if name not in inherited}


FULL = Pace(16)
EVEN = Pace(8, TPS)
"""At nine requests a second more than eight transfers only wait for each other."""


def is_chosen(flags: Sequence[str], inherited: Mapping[str, str] = os.environ) -> bool:
    """Whether somebody set a limit: the operator for every rclone, or the caller for this run."""
    return _LIMIT in inherited or any(flag.startswith("--tpslimit") for flag in flags)
