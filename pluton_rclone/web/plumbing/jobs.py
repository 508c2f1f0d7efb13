"""Background work: connection tests, saving, waiting for a device code, transfers.

Each job costs an rclone (70 MB): a few of a kind run at once, the others wait, and the owner with
the fewest running jobs is next."""

from __future__ import annotations

import atexit
import logging
import os
import secrets
import threading
import time
import weakref
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeVar

from pluton_rclone.connection.report import Step
from pluton_rclone.errors import Cancelled, PlutonRcloneError, UsageError
from pluton_rclone.microsoft.entra.device_code import DeviceCode
from pluton_rclone.rclone.transfer import Transfer

log = logging.getLogger(__name__)

UNEXPECTED = "An unexpected error occurred."
KEPT = 50  # finished jobs, the newest of each owner
GRACE = 7.0  # seconds for running jobs to end
UNFINISHED = 20  # jobs per owner, including those that wait


@dataclass
class Work:
    """A job that runs in its own thread, at most `at_once` of a kind. Only `owner`
    (`Session.owner`) may see it; None for everyone."""

    at_once: ClassVar[int] = 4
    kind: str
    title: str
    owner: str | None = None
    id: str = field(default_factory=lambda: secrets.token_urlsafe(16))
    once: str = field(default="", kw_only=True)  # the form that requested it
    started: float = field(default_factory=time.time)
    over: bool = False
    error: PlutonRcloneError | None = None
    stop: threading.Event = field(default_factory=threading.Event, repr=False)

    def cancel(self) -> None:
        """End it early, if possible."""
        self.stop.set()


@dataclass
class Steps(Work):
    """A connection test, or saving, which begins with one."""

    steps: list[Step] = field(default_factory=list)
    ok: bool = False

    def hear(self, step: Step) -> None:
        """A step has ended. Raises Cancelled after a cancellation, so that nothing is saved."""
        self.steps.append(step)
        if self.stop.is_set():
            raise Cancelled("It was cancelled before anything was saved.")


@dataclass
class Waiting(Work):
    """Waiting for a person to sign in with a device code, or at rclone's own address."""

    at_once: ClassVar[int] = 40
    code: DeviceCode | None = None
    address: str | None = None
    shown: threading.Event = field(default_factory=threading.Event, repr=False)  # or never will be


@dataclass
class Copying(Work):
    """A transfer, which `begin` starts. `source` and `destination` are for display."""

    begin: Callable[[], Transfer] = field(repr=False, kw_only=True)
    transfer: Transfer | None = field(default=None, repr=False)
    source: str = ""
    destination: str = ""
    storage: str | None = None

    def run(self) -> None:
        """Run until it ends, successfully or not."""
        self.transfer = self.begin()
        if self.stop.is_set():
            self.cancel()
        self.error = self.transfer.wait().error

    def cancel(self) -> None:
        super().cancel()
        if self.transfer is not None:
            with suppress(TimeoutError):  # `run` waits for it
                self.transfer.cancel()


AnyWork = TypeVar("AnyWork", bound=Work)


class Jobs:
    """All work of one application, found by ids that cannot be guessed."""

    def __init__(self) -> None:
        self._work: dict[str, Work] = {}
        self._waiting: list[tuple[Work, Callable[[Any], Any]]] = []
        self._threads: dict[str, threading.Thread] = {}
        self._lock = threading.RLock()

    def start(self, work: AnyWork, run: Callable[[AnyWork], Any]) -> AnyWork:
        """Run a job in a thread when its turn comes. `work.error` keeps an error of ours; any other
        is also logged. A form that already started a job starts no second one. UsageError if the
        owner has too many unfinished jobs."""
        with self._lock:
            mine = [one for one in self._work.values() if one.owner == work.owner]
            for one in mine:
                if work.once and one.once == work.once and isinstance(one, type(work)):
                    return one
            if sum(not one.over for one in mine) >= UNFINISHED:
                advice = "Try again when some of it has finished."
                raise UsageError("Too much is running already.", advice=advice)
            _unclosed.add(self)
            for old in [one for one in mine if one.over][:-KEPT]:
                del self._work[old.id]
            self._work[work.id] = work
            self._waiting.append((work, run))
            self._go_on()
        return work

    def _go_on(self) -> None:
        """Start the jobs that may run. The lock is held."""
        while True:
            running = [self._work[id] for id in self._threads]
            many = Counter(type(one) for one in running)
            ready = [one for one in self._waiting if many[type(one[0])] < one[0].at_once]
            if not ready:
                return
            owners = Counter(one.owner for one in running)
            entry = min(ready, key=lambda entry: owners[entry[0].owner])
            self._waiting.remove(entry)
            work, name = entry[0], f"pluton-{entry[0].kind}"
            thread = threading.Thread(target=self._run, args=entry, name=name, daemon=True)
            try:
                thread.start()  # it needs the lock to end
                self._threads[work.id] = thread
            except RuntimeError as error:
                advice = "Try again when this server is less busy."
                work.error = PlutonRcloneError("It could not start.", why=str(error), advice=advice)
                work.over = True

    def cancel(self, work: Work | None) -> None:
        """End it early, if possible; a waiting job ends at once."""
        if work is None:
            return
        with self._lock:
            for entry in [entry for entry in self._waiting if entry[0] is work]:
                self._waiting.remove(entry)
                work.error, work.over = Cancelled("It was cancelled before it started."), True
        work.cancel()

    def find(self, kind: type[AnyWork], id: str | None, owner: str) -> AnyWork | None:
        """The work of a kind with that id, if this owner may see it."""
        work = self._work.get(id or "")
        return work if isinstance(work, kind) and work.owner in (None, owner) else None

    def all(self, kind: type[AnyWork], owner: str) -> list[AnyWork]:
        """The work of one kind that this owner may see, newest first."""
        with self._lock:
            found = [work for id in self._work if (work := self.find(kind, id, owner)) is not None]
        return sorted(found, key=lambda work: work.started, reverse=True)

    def close(self) -> None:
        """End all work at once, and wait for that, within the ten seconds that a container has.
        Called at Python's exit if not before."""
        _unclosed.discard(self)
        with self._lock:
            for work, _ in [*self._waiting]:  # otherwise the end of another job would start them
                self.cancel(work)
            running = [one for one in self._work.values() if not one.over]
        for work in running:
            try:
                threading.Thread(target=self.cancel, args=[work], daemon=True).start()
            except RuntimeError:  # at exit, Python 3.12 and later start no threads
                self.cancel(work)
        self.wait(GRACE)

    def wait(self, seconds: float) -> bool:
        """Whether all running work ends within that time."""
        until = time.monotonic() + seconds
        while True:
            with self._lock:  # the next job is started before the lock is released
                threads = [*self._threads.values()]
            if not threads or time.monotonic() >= until:
                return not threads
            threads[0].join(max(0.0, until - time.monotonic()))

    def _run(self, work: AnyWork, run: Callable[[AnyWork], Any]) -> None:
        try:
            run(work)
        except PlutonRcloneError as error:
            work.error = error
        except Exception as error:
            log.exception("%s failed", work.kind)
            advice, why = "See the server's log, and please report it.", type(error).__name__
            work.error = PlutonRcloneError(UNEXPECTED, why=why, advice=advice)
        finally:
            with self._lock:
                self._threads.pop(work.id, None)
                work.over = True  # finished work may be forgotten, but not while it is listed
                self._go_on()


_unclosed: weakref.WeakSet[Jobs] = weakref.WeakSet()
if hasattr(os, "register_at_fork"):  # the new process does not have the threads
    os.register_at_fork(after_in_child=_unclosed.clear)


@atexit.register
def _close() -> None:
    """Close at exit: a mounted page does not learn of the server's end unless it is passed on."""
    for jobs in [*_unclosed]:
        jobs.close()
