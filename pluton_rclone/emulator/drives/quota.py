"""How much a drive may hold, and how Graph reports it.

Sources: quota-facet.json, quota-empty-composed.json, quota-exceeded-composed.json, and quota_states
of limits.json.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Any


class Told(enum.Enum):
    """What clients see of the quota."""

    KNOWN = "known"
    UNKNOWN = "unknown"  # all zeros, as some SharePoint libraries answer: means "not reported"
    RESTRICTED = "restricted"  # no quota member at all: the organisation does not show it


@dataclass
class Quota:
    """The room on a drive: `total` bytes are enforced, whatever clients are told."""

    total: int
    told: Told = Told.KNOWN
    state: str | None = None  # instead of the computed normal, nearing, critical, exceeded
    verbatim: dict[str, Any] | None = None  # the whole member instead of a computed one

    def facet(
        self, used: int, deleted: int, *, personal: bool, files: int
    ) -> dict[str, Any] | None:
        """The `quota` member of a drive; None if the drive has none."""
        if self.told is Told.RESTRICTED:
            return None
        if self.told is Told.UNKNOWN:
            return {
                "deleted": 0,
                "fileCount": 0,
                "remaining": 0,
                "state": "normal",
                "total": 0,
                "used": 0,
            }
        if self.verbatim is not None:
            return dict(self.verbatim)
        remaining = max(0, self.total - used)
        facet: dict[str, Any] = {
            "deleted": deleted,
            "remaining": remaining,
            "state": self.state or self._computed_state(remaining),
            "total": self.total,
            "used": used,
        }
        if personal:
            facet["storagePlanInformation"] = {"upgradeAvailable": True}
        else:
            facet["fileCount"] = files
        return facet

    def _computed_state(self, remaining: int) -> str:
        if remaining == 0:
            return "exceeded"
        if remaining * 100 < self.total:
            return "critical"
        return "nearing" if remaining * 10 < self.total else "normal"
