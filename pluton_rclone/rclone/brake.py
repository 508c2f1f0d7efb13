"""Stops a sync that would empty its destination, before its first deletion.

rclone's own --max-delete deletes that many files before it stops. So the same sync runs first as a
dry run that compares sizes only: it finds the same files to delete, without hashing or writing, at
the cost of a second listing. The sync itself still has --max-delete, in case a disk is unmounted in
between: a few more than the dry run counted, for files that users delete meanwhile.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from pluton_rclone.errors import TooManyDeletions, UsageError

if TYPE_CHECKING:
    from .events import Progress

SHARE, FEW = 50, 10
"""The limit by default: SHARE percent of the destination's files, or FEW files if that is more."""


class Brake(NamedTuple):
    """The limit for a sync's deletions: `most` files, or "N%" of the destination's, or None."""

    most: int | str | None = None
    empty_source: bool = False

    @classmethod
    def of(cls, most: int | str | None, empty_source: bool) -> Brake | None:
        """The brake for a sync; None if everything may be deleted. Raises UsageError."""
        brake = cls(most, empty_source)
        return None if brake.percent == 100 and empty_source else brake

    @property
    def percent(self) -> int | None:
        """The N of `most` if it is "N%", else None. Raises UsageError."""
        found = re.fullmatch(r"(\d+)(%?)", "0" if self.most is None else str(self.most))
        if found is None or (found[2] and int(found[1]) > 100):
            what = f"{self.most!r} is not a limit for deletions."
            raise UsageError(what, advice="Give a number of files, or a percentage: 75%.")
        return int(found[1]) if found[2] else None

    def judge(self, seen: Progress, *, whole: bool) -> int:
        """How many files the sync may delete, from the counts of its dry run: 0 unless that read
        everything (`whole`). rclone also counts a file that it would delete as checked. Raises
        TooManyDeletions."""
        there, gone, share = seen.checks, seen.deletes, self.percent
        numbers: dict[str, Any] = {"deletions": gone, "there": there, "retry": False}
        if seen.transfers + seen.renames + there - gone == 0:
            if gone and not self.empty_source:
                what = f"the source has no files; all {gone} at the destination would be deleted."
                raise TooManyDeletions(
                    f"Nothing was done: {what}",
                    why="an unmounted disk looks like this",
                    advice="Check the source. If it should be empty, choose allow-empty-source.",
                    **numbers,
                )
            most = gone
        elif self.most is None:
            most = max(FEW, there * SHARE // 100)
        else:
            most = int(self.most) if share is None else there * share // 100
        if gone > most:
            what = f"the sync would delete {gone} of the {there} files at the destination"
            told = f"Nothing was done: {what}; the limit is {most}."
            raise TooManyDeletions(told, allowed=most, **numbers)
        return min(most, gone + FEW) if whole else 0
