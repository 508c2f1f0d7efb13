"""Deleting is asked for twice: a sync that would empty its destination stops before its first
deletion.

rclone's own --max-delete first deletes that many. So rclone looks first: the same sync as a dry run
by size alone, which finds the same files to delete, hashes nothing and writes nothing; the price is
a second listing. The sync that follows is bound by --max-delete all the same: a disk that goes away
in between costs what was allowed, no more.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from pluton_rclone.errors import TooManyDeletions, UsageError

from .events import Progress

SHARE, FEW = 50, 10
"""Without another limit, that many percent of the destination's files may go, and so many in any
case."""


class Brake(NamedTuple):
    """What a sync may delete: `most` files, or "N%" of those at the destination; None: SHARE and
    FEW."""

    most: int | str | None = None
    empty_source: bool = False

    @property
    def percent(self) -> int | None:
        """The share, if it is one. UsageError."""
        found = re.fullmatch(r"(\d+)(%?)", "0" if self.most is None else str(self.most))
        if found is None or (found[2] and int(found[1]) > 100):
            what = f"{self.most!r} does not say how much may be deleted."
            raise UsageError(what, advice="Give a number of files, or a share: 75%.")
        return int(found[1]) if found[2] else None

    def judge(self, seen: Progress, *, whole: bool) -> int:
        """How many files the sync may delete, from what its dry run counted. TooManyDeletions.

        rclone counts a file that it would delete as checked, too. Without the `whole` picture
        nothing is deleted.
        """
        there, gone, share = seen.checks, seen.deletes, self.percent
        numbers: dict[str, Any] = {"deletions": gone, "there": there}
        if seen.transfers + seen.renames + there - gone == 0:
            if gone and not self.empty_source:
                raise TooManyDeletions(
                    f"Nothing was done: the source holds no file, and all {gone} at the "
                    "destination would be deleted.",
                    why="a disk that is not mounted looks like that",
                    advice=(
                        "Check the source. If it is meant to be empty, say so: allow-empty-source."
                    ),
                    **numbers,
                )
            most = gone
        elif self.most is None:
            most = max(FEW, there * SHARE // 100)
        else:
            most = int(self.most) if share is None else there * share // 100
        if gone > most:
            what = f"the sync would delete {gone} of the {there} files at the destination, and {most} may go."
            raise TooManyDeletions(f"Nothing was done: {what}", allowed=most, **numbers)
        return most if whole else 0
