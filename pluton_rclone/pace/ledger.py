"""The budgets of accounts, shared by all processes of a user on this machine: resource units by
cloud, tenant and app, requests by cloud and account.

They are stored in one SQLite file in the runtime folder. No entry needs its writer to stay alive:
requests leave their window, and leases expire. If the file cannot be used, each process counts for
itself.

Measured with 1,500 files and answers after 0.1 s: one, two, four and eight processes take 1.016,
1.015, 1.029 and 1.030 of the time that the budget allows, without a refusal; four bare rclones, at
a quarter of Microsoft's time, 2.36 with 44 refusals."""

from __future__ import annotations

import hashlib
import logging
import os
import threading
import weakref
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from pluton_rclone.process.folders import runtime_folder
from pluton_rclone.process.system import began, held, is_alive, new_private_file
from pluton_rclone.values.drive_ids import normal_drive_id

from .budgets import Budget, Part, Parts, Shelf

if TYPE_CHECKING:
    import sqlite3

log = logging.getLogger(__name__)

BUDGETS: dict[tuple[str, ...], Budget] = {}
FILE = "budgets.sqlite"
_LOCK = threading.Lock()
_TABLE = "CREATE TABLE IF NOT EXISTS parts (key TEXT PRIMARY KEY, part BLOB NOT NULL)"
_PATIENCE = 1.0  # seconds to wait for others, which take a millisecond
_TRIAL = 30.0  # seconds in which a process finds out whether a limit holds
_encode, _decode = msgspec.msgpack.encode, msgspec.msgpack.Decoder(Part).decode


def account_of(section: Mapping[str, str]) -> tuple[str, ...]:
    """The key that remotes with a common budget share: cloud, tenant, app, account. `section` is
    one of rclone.conf, in any spelling. A person's tenant is the domain of their account name."""
    account = section.get("pluton_account_name") or normal_drive_id(section.get("drive_id", ""))
    tenant = section.get("tenant") or account.rpartition("@")[2]
    return section.get("region") or "global", tenant, section.get("client_id", ""), account


def budget_of(section: Mapping[str, str]) -> Budget | None:
    """The account's budget; None for a personal drive, for which Microsoft documents no limits."""
    if section.get("drive_type") == "personal":
        return None
    key = account_of(section)
    with _LOCK:
        if key not in BUDGETS:
            BUDGETS[key] = Budget(shelf=Ledger(key))
        return BUDGETS[key]


class Ledger(Shelf):
    """Stores one account's budget in the file."""

    def __init__(self, key: tuple[str, ...]) -> None:
        cloud, tenant, app, account = key
        boot = ""  # clocks start again with the machine
        with suppress(OSError):
            boot = Path("/proc/sys/kernel/random/boot_id").read_text()
        of = {"units": (cloud, tenant, app), "requests": (cloud, account)}
        self._keys = {counts: _digest(boot, counts, *names) for counts, names in of.items()}
        self._db: sqlite3.Connection | None = None
        self._file: tuple[int, int] | None = None
        self._process = 0
        self._patience = _PATIENCE
        self._is_broken = not boot  # stored times may belong to an earlier boot

    @property
    def owner(self) -> str:
        """This process, with this app and account, since others with the same app or account share
        a part."""
        return " ".join((str(os.getpid()), str(began(os.getpid())), *self._keys.values()))

    def lives(self, owner: str) -> bool:
        pid, start, *_ = owner.split(" ")
        return is_alive(int(pid)) and began(int(pid)) == start

    @contextmanager
    def finding_out(self) -> Iterator[None]:
        with ExitStack() as stack:
            for key in self._keys.values():  # always in the same order, which avoids deadlock
                with suppress(OSError):  # its holder is stopped; go on without the lock
                    lock = held(runtime_folder() / f"{FILE}-{key}.lock", _TRIAL)
                    stack.callback(lock.release)
            yield

    @contextmanager
    def open(self, parts: Parts) -> Iterator[None]:
        before = self._taken(parts)
        try:
            yield
        finally:
            if before is not None:
                self._put(before, parts)

    def _taken(self, parts: Parts) -> dict[str, bytes] | None:
        try:
            db = self._opened()
            if db is None:
                return None
            db.execute(f"PRAGMA busy_timeout = {1000 * self._patience:.0f}")
            db.execute("BEGIN IMMEDIATE")
            self._patience = _PATIENCE
            query = "SELECT key, part FROM parts WHERE key IN (?, ?)"
            stored = dict(db.execute(query, (*self._keys.values(),)))
            for name, key in self._keys.items():
                with suppress(KeyError, msgspec.MsgspecError):  # an unreadable part starts afresh
                    parts[name] = _decode(stored[key])
            return stored
        except BaseException as error:  # noqa: BLE001 - the work goes on after any error
            self._give_up(error)
            return None

    def _put(self, before: dict[str, bytes], parts: Parts) -> None:
        try:
            assert self._db is not None
            now = {key: _encode(parts[name]) for name, key in self._keys.items()}
            rows = [row for row in now.items() if before.get(row[0]) != row[1]]
            self._db.executemany("REPLACE INTO parts (key, part) VALUES (?, ?)", rows)
            self._db.execute("COMMIT")
        except BaseException as error:  # noqa: BLE001 - the work goes on after any error
            self._give_up(error)

    def _opened(self) -> sqlite3.Connection | None:
        """One connection per process; None if the file cannot be used."""
        if self._is_broken or (self._db is not None and self._process == os.getpid()):
            return None if self._is_broken else self._db
        import sqlite3

        path = runtime_folder() / FILE
        with suppress(FileExistsError):
            new_private_file(path).close()
        self._file = _identity(path)
        db = sqlite3.connect(path, timeout=_PATIENCE, isolation_level=None, check_same_thread=False)
        # Not closed at exit: a governor's thread may be in the middle of a call then.
        weakref.finalize(self, db.close).atexit = False
        for line in ("PRAGMA journal_mode = WAL", "PRAGMA synchronous = OFF", _TABLE):
            db.execute(line)
        self._db, self._process = db, os.getpid()
        return db

    def _give_up(self, error: BaseException) -> None:
        with suppress(Exception):
            if self._db is not None:
                self._db.execute("ROLLBACK")
        if not isinstance(error, Exception):  # Ctrl-C: rolled back, others need not wait
            raise error
        log.info("this process counts its requests to Microsoft alone: %s", error)
        self._is_broken = "locked" not in str(error)
        # Damaged, as after a power loss: recreate it. Checked by name, as Python may lack sqlite3.
        if type(error).__name__ == "DatabaseError":
            self._db = None
            with suppress(OSError):
                # unless another process has already replaced it
                mine = self._file == _identity(runtime_folder() / FILE)
                for end in ("", "-wal", "-shm") if mine else ():
                    (runtime_folder() / f"{FILE}{end}").unlink(missing_ok=True)
                self._is_broken = False
        self._patience = 0.0  # its holder may be stopped: wait for it only once


def _identity(path: Path) -> tuple[int, int] | None:
    """The identity of the file at a path; None if there is none."""
    with suppress(OSError):
        found = path.stat()
        return found.st_dev, found.st_ino
    return None


_inherited: list[Budget] = []
"""The parent's budgets: kept alive, as SQLite connections must not be used or closed in a fork."""


def _begin_anew() -> None:
    """Reset a fork, which has none of the parent's threads and may inherit locks that they hold."""
    global _LOCK
    _LOCK = threading.Lock()
    _inherited.extend(BUDGETS.values())
    BUDGETS.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_anew)


def _digest(*names: str) -> str:
    return hashlib.sha256("\n".join(names).encode()).hexdigest()[:16]
