"""How fast rclone may ask: defaults that fit what Microsoft grants, each with its reason and its measurement.

They are variables of rclone, so that everything overrides them: the same variable in the caller's environment, and the
option of a call (`storage.upload(..., tpslimit=50)`).

Work and school drives, document libraries: Microsoft grants a user 3,000 requests in five minutes, and an app in a
small tenant 1,250 resource units a minute; listing a folder, making an upload session and sending a fragment cost two
units each (SharePoint's "how to avoid getting throttled", 2025-10-02). rclone alone asks up to 100 times a second, is
refused, and after each refusal crawls: it takes the Retry-After for the pause between all its next calls, and lets it
shrink by a quarter with each (lib/pacer). So the requests are paced from the start: TPS and BURST together stay below both
budgets, in any minute BURST + 60 x TPS = 600 (625 allowed) and in any five minutes 2,760 (3,000 allowed).
Measured with `python -m tests.bench.onedrive --work upload --files 2000`: where the budgets are enforced, 200 small files
in a tenth of Microsoft's time took bare rclone 123 s with 35 refusals, and 51 s without a single one like this. Where
nobody throttles, or for less work than the budget allows at once, it is up to ten times slower than bare rclone (2,000
small files: 446 s against 66 s); that is the price, and `tpslimit=0` takes it away.

Personal drives: Microsoft documents no such budget. More transfers at once hide the latency; rclone's own limit of 100
calls a second bounds them. Measured at 60 ms, 400 small files: 15.9 s bare (4 transfers), 12.4 s with 16.
"""

from __future__ import annotations

from collections.abc import Mapping

TPS = 9
BURST = 60
_PACED = {
    "RCLONE_TPSLIMIT": str(TPS),
    "RCLONE_TPSLIMIT_BURST": str(BURST),
    # At nine requests a second more than eight transfers only wait for each other.
    "RCLONE_TRANSFERS": "8",
    "RCLONE_CHECKERS": "8",
}
_UNPACED = {"RCLONE_TRANSFERS": "16", "RCLONE_CHECKERS": "16"}


def pace(drive_type: str, environment: Mapping[str, str]) -> dict[str, str]:
    """rclone's variables for a drive of this type; those that `environment` sets are left to it."""
    wanted = _UNPACED if drive_type == "personal" else _PACED
    if "RCLONE_TPSLIMIT" in environment:
        wanted = {name: value for name, value in wanted.items() if name != "RCLONE_TPSLIMIT_BURST"}
    return {name: value for name, value in wanted.items() if name not in environment}
