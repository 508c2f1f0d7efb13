"""Whether each storage works, and its free room: Microsoft's answer, kept for a minute."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

from pluton_rclone.errors import PlutonRcloneError
from pluton_rclone.microsoft.graph.drives import Quota
from pluton_rclone.storages.storage import Storage

REMEMBERED = 60.0  # seconds: each look renews a token and starts an rclone


@dataclass(frozen=True)
class Seen:
    """What a look at a storage found."""

    error: PlutonRcloneError | None = None
    warnings: tuple[str, ...] = ()
    quota: Quota = Quota("unknown")  # noqa: RUF009 - frozen

    @property
    def percent(self) -> int | None:
        """How much of the room is used; None where Microsoft does not say."""
        if not self.quota.total or self.quota.used is None:
            return None
        return min(100, round(100 * self.quota.used / self.quota.total))


class Healths:
    """The last look at every storage. Two people who look at once cause one look."""

    def __init__(self) -> None:
        self._seen: dict[str, tuple[float, Seen]] = {}
        self._locks: dict[str, threading.Lock] = {}
        self._lock = threading.Lock()

    def of(self, storage: Storage) -> Seen:
        name = storage.remote_name
        with self._lock:
            lock = self._locks.setdefault(name, threading.Lock())
        with lock:
            until, seen = self._seen.get(name, (0.0, Seen()))
            if time.monotonic() >= until:
                seen = _look(storage)
                self._seen[name] = time.monotonic() + REMEMBERED, seen
            return seen

    def forget(self, name: str) -> None:
        """Look again the next time: something was changed."""
        self._seen.pop(name, None)


def _look(storage: Storage) -> Seen:
    try:
        report = storage.check_health()
        failed = next((step.error for step in report.steps if step.status == "failed"), None)
        if failed is not None:
            return Seen(failed)
        return Seen(None, tuple(step.text for step in report.warnings), storage.drive().quota)
    except PlutonRcloneError as error:
        return Seen(error)
