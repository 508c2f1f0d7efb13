"""Deleting is asked for twice: a sync that would empty its destination stops before its first deletion.

rclone's own --max-delete deletes that many files and stops then, and to compare the two sides costs the same whoever
does it. So rclone looks first: the same sync as a dry run by size alone, which finds the same files to delete, hashes
nothing and writes nothing. The sync that follows is bound by --max-delete all the same: a disk that goes away in
between costs what was allowed, and no more.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from pluton_rclone.errors import TooManyDeletions, UsageError

from .events import Progress

SHARE = 50
"""Percent of the destination's files that may go without being asked for…"""
FEW = 10
"""…and so many files may go whatever share they are."""


class Brake(NamedTuple):
    """What a sync may delete: `most` files, or "N%" of those at the destination; None: SHARE, and always FEW."""

    most: int | str | None = None
    empty_source: bool = False

    @property
    def percent(self) -> int | None:
        """The share, if it is one. UsageError."""
        found = re.fullmatch(r"(\d+)(%?)", "0" if self.most is None else str(self.most))
        if found is None or (found[2] and int(found[1]) > 100):
            raise UsageError(
                f"{self.most!r} does not say how much may be deleted.",
                advice="Give a number of files, or a share: 75%.",
            )
        return int(found[1]) if found[2] else None

    def allowed(self, there: int) -> int:
        """How many of `there` files may go."""
        if self.most is None:
            return max(FEW, there * SHARE // 100)
        return int(self.most) if self.percent is None else there * self.percent // 100

    def judge(self, seen: Progress, *, whole: bool) -> int:
        """How many files the sync may delete, from what its dry run counted. TooManyDeletions.

        rclone counts a file that it would delete as checked, too. Without the `whole` picture nothing is deleted.
        """
        there, gone = seen.checks, seen.deletes
        empty = seen.transfers + seen.renames + there - gone == 0
        if empty and gone and not self.empty_source:
            raise TooManyDeletions(
                f"Nothing was done: the source holds no file, and the sync would delete all {gone} at the destination.",
                why="a disk that is not mounted looks like that",
                advice="Check the source. If it is meant to be empty, say so: allow-empty-source.",
                deletions=gone,
                there=there,
            )
        most = gone if empty and self.empty_source else self.allowed(there)
        if gone > most:
            raise TooManyDeletions(
                f"Nothing was done: the sync would delete {gone} of the {there} files at the destination, and {most} may "
                "go.",
                deletions=gone,
                there=there,
                allowed=most,
            )
        return most if whole else 0
