"""What goes on in the background: connection tests, savings, waiting for a device code, transfers."""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from pluton_rclone.errors import PlutonRcloneError

if TYPE_CHECKING:
    from pluton_rclone.connection.report import Step
    from pluton_rclone.microsoft.entra.device_code import DeviceCode
    from pluton_rclone.rclone.transfer import Transfer

log = logging.getLogger(__name__)

KEPT = 100  # of what is over, the newest


@dataclass
class Work:
    """Something that runs in a thread of its own. `owner` may look at it (`Session.owner`); None: everybody."""

    kind: str
    title: str
    owner: str | None = None
    id: str = field(default_factory=lambda: secrets.token_urlsafe(16))
    started: float = field(default_factory=time.time)
    over: bool = False
    error: PlutonRcloneError | None = None

    def cancel(self) -> None:
        """End it early, where that is possible."""


@dataclass
class Steps(Work):
    """A connection test, or a saving that begins with one. `storage` is the remote's name once it is saved."""

    steps: list[Step] = field(default_factory=list)
    ok: bool = False
    storage: str | None = None


@dataclass
class Waiting(Work):
    """Waiting for a person who signs in elsewhere: by a device code, or at the address of rclone's own sign-in."""

    code: DeviceCode | None = None
    address: str | None = None
    shown: threading.Event = field(
        default_factory=threading.Event, repr=False
    )  # code or address is there, or never
    stop: threading.Event = field(default_factory=threading.Event, repr=False)

    def cancel(self) -> None:
        self.stop.set()


@dataclass
class Copying(Work):
    """A transfer, which `begin` starts. `source` and `destination` are words for people."""

    begin: Callable[[], Transfer] = field(repr=False, kw_only=True)
    transfer: Transfer | None = field(default=None, repr=False)
    stop: threading.Event = field(default_factory=threading.Event, repr=False)
    source: str = ""
    destination: str = ""
    storage: str | None = None

    def run(self) -> None:
        """Until the end, good or not."""
        self.transfer = self.begin()
        if self.stop.is_set():
            self.transfer.cancel()
        self.error = self.transfer.wait().error

    def cancel(self) -> None:
        self.stop.set()
        if self.transfer is not None:
            self.transfer.cancel()


AnyWork = TypeVar("AnyWork", bound=Work)


class Jobs:
    """All work of one application, found by ids that cannot be guessed."""

    def __init__(self) -> None:
        self._work: dict[str, Work] = {}
        self._threads: dict[str, threading.Thread] = {}
        self._lock = threading.Lock()

    def start(self, work: AnyWork, run: Callable[[AnyWork], Any]) -> AnyWork:
        """Run it in a thread. Its error of ours is kept in `work.error`; any other is logged and said."""
        thread = threading.Thread(target=self._run, args=(work, run), name=f"pluton-{work.kind}", daemon=True)
        with self._lock:
            self._work[work.id] = work
            self._threads[work.id] = thread
            over = [one for one in self._work.values() if one.over]
            for old in sorted(over, key=lambda one: one.started)[: max(0, len(over) - KEPT)]:
                del self._work[old.id]
        thread.start()
        return work

    def find(self, id: str | None, owner: str | None = None) -> Work | None:
        """The work with that id, if this owner may look at it."""
        work = self._work.get(id or "")
        return work if work is not None and work.owner in (None, owner) else None

    def all(self, kind: type[AnyWork], owner: str) -> list[AnyWork]:
        """Work of one kind that this owner may look at, newest first."""
        with self._lock:
            found = [work for work in self._work.values() if isinstance(work, kind)]
        found = [work for work in found if work.owner in (None, owner)]
        return sorted(found, key=lambda work: work.started, reverse=True)

    def close(self) -> None:
        """End what runs, and wait for it."""
        with self._lock:
            running, threads = (
                [work for work in self._work.values() if not work.over],
                list(self._threads.values()),
            )
        for work in running:
            work.cancel()
        for thread in threads:
            thread.join(timeout=30)

    def _run(self, work: AnyWork, run: Callable[[AnyWork], Any]) -> None:
        try:
            run(work)
        except PlutonRcloneError as error:
            work.error = error
        except Exception as error:
            log.exception("%s failed", work.kind)
            work.error = PlutonRcloneError(
                "Something went wrong here that should not.", why=type(error).__name__,
                advice="The server's log says more; please report it.",
            )  # fmt: skip
        finally:
            work.over = True
            with self._lock:
                self._threads.pop(work.id, None)
