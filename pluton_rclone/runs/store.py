"""The records of all runs of one rclone.conf: a SQLite file beside it, written by many processes.

If the file cannot be used (a full disk, a read-only folder, damage), that is reported once and
never prevents a run; its readable part is still read."""

from __future__ import annotations

import json
import logging
import os
import re
import time
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pluton_rclone import errors
from pluton_rclone.conf import system
from pluton_rclone.process.system import exit_code, give_to_owner, new_private_file
from pluton_rclone.rclone.commands import is_dry
from pluton_rclone.rclone.results import CheckResult, FailedFile, TransferResult
from pluton_rclone.rclone.runner import nothing
from pluton_rclone.values.redaction import redact

from .record import COLUMNS, RunRecord, read, this_process
from .run import Run

if TYPE_CHECKING:
    import sqlite3

log = logging.getLogger(__name__)

T = TypeVar("T")

KEPT_DAYS = 90
KEPT = 10_000
"""The most runs kept: one a minute would fill the file."""
_GO_AT_ONCE = 2
"""The most expired runs deleted with each new one: a clock that is years ahead loses no more."""
FAILURES = 1_000
"""The most failed files of a run kept with their errors; all are counted."""
_PATIENCE = 10.0  # seconds to wait for other processes' writes
_VERSION = 1
"""The file's version. A newer version's file is read as far as it is understood, not written."""
_SCHEMA = f"""
PRAGMA user_version = {_VERSION};
CREATE TABLE runs (
  id INTEGER PRIMARY KEY AUTOINCREMENT, run TEXT NOT NULL, began REAL NOT NULL, owner TEXT NOT NULL,
  seconds REAL, ended TEXT, exit_code INTEGER, bytes INTEGER, files INTEGER, deletes INTEGER,
  failures INTEGER, told TEXT
);
CREATE TABLE storages (name TEXT NOT NULL, run INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE);
CREATE INDEX began ON runs (began);
CREATE INDEX of_storage ON storages (name, run);
CREATE INDEX of_run ON storages (run);
"""
_ADVICE = "Free space on its disk, and make it readable and writable; if damaged, remove it."
_said: set[Path] = set()
_Row = tuple[int | None, float]  # its id, and when the run began
Drives = Callable[[str], list[str] | None]
"""The ids, as `normal_drive_id` spells them, of the drives below the remote of this name now; None
if there is no such remote."""
Bases = Callable[[str], list[tuple[str, str]] | None]
"""The path and id ("" if unknown) of the base folder at which the remote of this name begins now,
in each of these drives; None if there is no such remote."""


class Recording:
    """A run in progress. Call one of its methods at the end of the run; as a context manager, it
    records an exception that leaves the block."""

    def __init__(
        self,
        runs: Runs,
        row: _Row | None,
        notice: Callable[[str], None],
        where: dict[str, Any],
    ) -> None:
        self._runs, self._row, self._notice, self._where = runs, row, notice, where
        self._began = time.monotonic()

    def __enter__(self) -> Recording:
        return self

    def __exit__(self, kind: object, error: BaseException | None, _: object) -> None:
        if error is not None:
            self.broke_off(error)

    def transferred(self, result: TransferResult) -> None:
        counts = {"bytes": result.bytes, "files": result.transfers, "deletes": result.deletes}
        self._end(result.ended, result.error, None, result.failed, result.notices, **counts)

    def compared(self, result: CheckResult) -> None:
        found, files = result.differences, result.matching + len(result.differing)
        ended, code = ("differs", 7) if found else ("done", 0)
        self._end(ended, None, code, found, files=files)

    def exited(self, code: int) -> None:
        """A separate program, such as restic, has ended; -N means by signal N."""
        self._end("failed" if code else "done", None, exit_code(code))

    def broke_off(self, error: BaseException) -> None:
        """The run raised `error`."""
        known = error if isinstance(error, errors.PlutonRcloneError) else None
        if known is None:
            known = errors.Cancelled("Stopped.")  # Ctrl-C, or the caller gave up the rest
            if isinstance(error, Exception):
                known = errors.PlutonRcloneError("It failed.", why=type(error).__name__)
        self._end("cancelled" if isinstance(known, errors.Cancelled) else "failed", known)

    def _end(
        self,
        ended: str,
        error: errors.PlutonRcloneError | None,
        code: int | None = None,
        failed: Sequence[FailedFile] = (),
        notices: Sequence[str] = (),
        **counts: int,
    ) -> None:
        if self._row is None:
            return
        kept = [file.record() for file in failed[:FAILURES]]
        told = {"error": error and error.record(), "failed": kept, "notices": notices}
        known = {
            **dict.fromkeys(("bytes", "files", "deletes"), 0),
            **counts,
            "failures": len(failed),
            "seconds": round(time.monotonic() - self._began, 3),
            "ended": ended,
            "exit_code": code if code is not None else 0 if error is None else error.exit_code,
            "told": json.dumps({**_redacted(told), **self._where}, default=str),
        }
        names = ", ".join(f"{name} = :{name}" for name in known)
        # in a file recreated meanwhile, the id may belong to another run
        change = f"UPDATE runs SET {names} WHERE id = :id AND began = :began"
        values = {**known, "id": self._row[0], "began": self._row[1]}
        self._runs.write(lambda db: db.execute(change, values), self._notice)


class Runs:
    """The runs of the rclone.conf at `conf`; `drives` and `bases` look up its remotes."""

    def __init__(
        self,
        conf: Path,
        drives: Drives = lambda name: None,
        bases: Bases = lambda name: None,
    ) -> None:
        self.path = conf.with_name(f"{conf.name}.runs.sqlite")
        self.drives = drives
        self.bases = bases

    # ---- recording ----

    def begin(self, run: Run, notice: Callable[[str], None] = nothing) -> Recording:
        """Record the start of a run. A dry run is not recorded. `notice` is called if runs cannot
        be recorded, once until they can be again."""
        if is_dry(run.options) or not self.path.parent.is_dir():
            return Recording(self, None, notice, {})
        now = time.time()
        where = {"drives": _known(self.drives, run), "bases": _known(self.bases, run)}
        row = (json.dumps(run.record()), now, this_process(), json.dumps(where))

        def insert(db: sqlite3.Connection) -> _Row:
            old = "SELECT id FROM runs WHERE began < ? ORDER BY id LIMIT ?"
            too_old = now - KEPT_DAYS * 86_400
            db.execute(f"DELETE FROM runs WHERE id IN ({old})", (too_old, _GO_AT_ONCE))
            columns = "INSERT INTO runs (run, began, owner, told) VALUES (?, ?, ?, ?)"
            id = db.execute(columns, row).lastrowid
            db.execute("DELETE FROM runs WHERE id <= ?", ((id or 0) - KEPT,))
            names = {(name, id) for name in run.storages}
            db.executemany("INSERT INTO storages (name, run) VALUES (?, ?)", names)
            return id, now

        return Recording(self, self.write(insert, notice), notice, where)

    def renamed(self, storage: str, new_name: str) -> None:
        """A remote was renamed: its runs are also found by the new name."""
        copied = "INSERT INTO storages SELECT ?, run FROM storages WHERE name = ?"
        if self.path.exists():
            self.write(lambda db: db.execute(copied, (new_name, storage)), nothing)

    def write(
        self, change: Callable[[sqlite3.Connection], T], notice: Callable[[str], None]
    ) -> T | None:
        """Make a change, atomically; None, with a notice, if the file cannot be written."""
        try:
            if not self.path.exists():
                self._make()
            done = self._use(lambda db: change(_understood(db)), "BEGIN IMMEDIATE")
            _said.discard(self.path)  # worth waiting for again
            return done
        except Exception as error:  # noqa: BLE001 - the run matters more than its record
            if self.path not in _said:
                _said.add(self.path)
                why = f"{self.path} cannot be written ({error}). {_ADVICE}"
                tell = log.warning if notice is nothing else notice
                tell(f"Runs are not recorded: {why}")
            return None

    def _make(self) -> None:
        """Create the file atomically: complete, private to this user, ready for many writers."""
        import sqlite3

        new = self.path.with_name(f".{self.path.name}.{os.urandom(8).hex()}")
        with new_private_file(new) as file:
            give_to_owner(file.fileno(), new.parent)
        try:
            with closing(sqlite3.connect(new)) as db:
                db.execute("PRAGMA journal_mode = WAL")
                db.executescript(_SCHEMA)
            with suppress(FileExistsError):  # another process has just made it
                system.create(new, self.path)
        finally:
            new.unlink(missing_ok=True)

    def _use(self, act: Callable[[sqlite3.Connection], T], begin: str, how: str = "mode=rw") -> T:
        import sqlite3

        address = f"{self.path.absolute().as_uri()}?{how}"
        patience = 0.0 if self.path in _said else _PATIENCE  # another process may hold it for long
        until = time.monotonic() + patience
        while True:
            try:
                with closing(sqlite3.connect(address, timeout=patience, uri=True)) as db, db:
                    db.executescript(f"PRAGMA synchronous=NORMAL; PRAGMA foreign_keys=ON; {begin}")
                    return act(db)
            except sqlite3.OperationalError as error:
                # While another process opens or closes the file, SQLite itself does not wait.
                if "locked" not in str(error) or time.monotonic() > until:
                    raise
                time.sleep(0.02)

    # ---- reading ----

    def last(
        self,
        storage: str | None = None,
        *,
        limit: int = 20,
        notice: Callable[[str], None] = nothing,
    ) -> list[RunRecord]:
        """The last runs, newest first: all, or those of one remote (`is_of`). `notice` is called if
        some cannot be read. ConfigUnreadable or ConfigLocked if none can be read."""
        return self._select("true", (), notice, storage, min(limit, KEPT))

    def get(self, id: int, storage: str | None = None) -> RunRecord:
        """One run by id, of any remote or of one. UsageError if there is none; ConfigUnreadable,
        ConfigLocked."""
        if abs(id) < 2**63:  # SQLite's range of integers
            for found in self._select("id = ?", (id,), nothing, storage):
                return found
        advice = f"Runs are kept for {KEPT_DAYS} days, {KEPT} at most."
        raise errors.UsageError(f"There is no run {id}.", advice=advice)

    def is_of(self, storage: str, run: RunRecord) -> bool:
        """Whether the remote of this name, or of an earlier name, is on the same drives as in the
        run, or either is unknown. Otherwise another remote has taken the name."""
        now, then = self.drives(storage), run.drives.get(storage)
        if now is None or not run.drives:
            return True
        if storage in run.run.storages:
            return then is None or now == then
        return now in run.drives.values()

    def has_base_of(self, storage: str, run: RunRecord) -> bool:
        """Whether the run's paths in the remote of this name still mean the same place: the remote
        begins at the same path, or at the same folder after a move, or either is unknown; or the
        run names nothing below its base folder."""
        now, then = self.bases(storage), run.bases.get(storage)
        if now is None or then is None:
            return True
        words = run.run.source or "", run.run.destination, *run.run.options
        below = re.compile(rf"(?:^|=){re.escape(storage)}[:,]")
        if any(path for path, _ in now) and not any(map(below.search, words)):
            return True  # NAME:/path, in the drive's own remote
        pairs = zip(now, then, strict=False)
        return all(one[0] == other[0] or one[1] == other[1] != "" for one, other in pairs)

    def _select(
        self,
        where: str,
        values: tuple[Any, ...],
        notice: Callable[[str], None],
        storage: str | None = None,
        most: int = 1,
    ) -> list[RunRecord]:
        if storage is not None:
            where += " AND id IN (SELECT run FROM storages WHERE name = ?)"
            values = (*values, os.fsencode(storage).decode(errors="replace"))
        columns = f"run, owner, told, {', '.join(COLUMNS)}"
        query = f"SELECT {columns} FROM runs WHERE {where} ORDER BY id DESC"
        found: list[RunRecord] = []
        problems: list[Exception] = []

        def look(db: sqlite3.Connection) -> None:
            for row in db.execute(query, values):  # as far as a damaged file can be read
                if len(found) == most:
                    break
                try:
                    one = read(*row)
                    if storage is None or self.is_of(storage, one):
                        found.append(one)
                except Exception as error:  # noqa: BLE001 - the others can be read
                    problems.append(error)

        try:
            if self.path.exists():
                self._read(look)
        except Exception as error:  # noqa: BLE001 - any error is reported
            problems.append(error)
        if problems and not found:
            if "locked" in str(problems[0]):
                what = f"The records of runs in {self.path} cannot be read now."
                raise errors.ConfigLocked(what, why="another program has locked the file")
            what = f"The records of runs in {self.path} cannot be read."
            raise errors.ConfigUnreadable(what, why=str(problems[0]), advice=_ADVICE)
        if problems:
            notice(f"Some of the runs in {self.path} cannot be read ({problems[0]}). {_ADVICE}")
        return found

    def _read(self, act: Callable[[sqlite3.Connection], None]) -> None:
        import sqlite3

        try:
            self._use(act, "BEGIN")
        except sqlite3.OperationalError as error:
            # in a read-only folder or on a full disk, SQLite cannot create its files beside it
            if not re.search("open|disk", str(error)) or not self.path.is_file():
                raise
            self._use(act, "BEGIN", "mode=ro&immutable=1")


def _understood(db: sqlite3.Connection) -> sqlite3.Connection:
    """The same connection. ValueError if the file's version is newer than ours."""
    if db.execute("PRAGMA user_version").fetchone()[0] > _VERSION:
        raise ValueError("a newer pluton-rclone created it: update this one")
    return db


def _known(find: Callable[[str], T | None], run: Run) -> dict[str, T]:
    """The results of `find` for the storages of a run, without None."""
    found = ((name, find(name)) for name in run.storages)
    return {name: each for name, each in found if each is not None}


def _redacted(value: Any) -> Any:
    """The same JSON with secrets in its strings replaced."""
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, dict):
        return {key: _redacted(one) for key, one in value.items()}
    return [_redacted(one) for one in value] if isinstance(value, list | tuple) else value
