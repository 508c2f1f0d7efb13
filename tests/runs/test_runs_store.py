"""The records of runs: none is lost between processes, and a problem with the file does not affect
a run."""

from __future__ import annotations

import json
import os
import signal
import socket
import sqlite3
import stat
import subprocess
import sys
import time
from contextlib import closing
from datetime import datetime, timezone
from pathlib import Path

import pytest

from pluton_rclone.errors import ConfigLocked, ConfigUnreadable, QuotaFull, UsageError
from pluton_rclone.rclone.results import CheckResult, FailedFile, TransferResult
from pluton_rclone.runs import store
from pluton_rclone.runs.run import Run
from pluton_rclone.runs.store import FAILURES, KEPT, KEPT_DAYS, Runs
from tests.conf.mounts import inside_mount, inside_small_disk
from tests.forked import Forks
from tests.terminal import PATIENCE

RUN = Run(command="copy", storages=("work", "inner"), source="/srv", destination="work:data")
PROCESSES, EACH = 8, 12

WRITER = """
import sys
from pathlib import Path
from pluton_rclone.runs.run import Run
from pluton_rclone.runs.store import Runs

sys.stdin.readline()
for number in range(int(sys.argv[2])):
    run = Run(command="copy", storages=("work",), destination=f"work:{sys.argv[3]}/{number}")
    Runs(Path(sys.argv[1])).begin(run, print).exited(0)
"""
KILLED = """
import sys, time
from pathlib import Path
from pluton_rclone.runs.run import Run
from pluton_rclone.runs.store import Runs

recording = Runs(Path(sys.argv[1])).begin(Run(command="copy", storages=("work",), destination="w:"))
print("begun", flush=True)
time.sleep(600)
"""


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Runs:
    monkeypatch.setattr(store, "_said", set())
    return Runs(tmp_path / "rclone.conf")


def result(*failed: FailedFile) -> TransferResult:
    error = QuotaFull("The drive is full.", why="token=hunter2") if failed else None
    ended = "failed" if failed else "done"
    return TransferResult(ended, 1, 100, 3, 0, 2, 0, 0, 0, 1.5, failed, error=error)


def test_a_run_is_recorded_with_all_that_was_counted(runs: Runs) -> None:
    file = FailedFile("a.txt", QuotaFull("It does not fit."), retry_helps=False)
    recording = runs.begin(RUN)
    assert [one.ended for one in runs.last()] == ["running"]
    recording.transferred(result(file))
    (found,) = runs.last("inner")
    assert found == runs.get(found.id)
    assert (found.run, found.ended, found.exit_code) == (RUN, "failed", QuotaFull.exit_code)
    assert (found.bytes, found.files, found.deletes, found.failures) == (100, 3, 2, 1)
    assert found.failed == [file.record()]
    assert abs((datetime.now(timezone.utc) - found.began).total_seconds()) < 3600
    assert found.error is not None
    assert found.error["what"] == "The drive is full."
    assert "hunter2" not in json.dumps(found.record())
    assert runs.last("other") == []


def test_a_run_is_the_storages_whose_drive_it_was_on_also_under_another_name(
    tmp_path: Path,
) -> None:
    """Formerly, they belonged to the name: its next owner saw them, and a rename lost them."""
    drives = {"work": ["b!anna"], "inner": []}
    runs = Runs(tmp_path / "rclone.conf", drives.get)
    runs.begin(RUN).exited(0)
    drives = {"office": drives["work"], "work": ["b!bert"], "inner": []}
    runs = Runs(tmp_path / "rclone.conf", drives.get)
    runs.renamed("work", "office")
    runs.begin(RUN)
    assert [[one.id for one in runs.last(name)] for name in drives] == [[1], [2], [2, 1]]
    assert [one.id for one in runs.last("work", limit=1)] == [2]
    assert runs.get(1).drives == {"work": ["b!anna"], "inner": []}
    assert runs.get(1, "office") == runs.get(1)
    with pytest.raises(UsageError):
        runs.get(1, "work")
    assert [one.id for one in Runs(tmp_path / "rclone.conf").last("work")] == [2, 1]


def test_a_run_of_which_no_drive_was_recorded_is_found_by_its_storages_name(
    runs: Runs, tmp_path: Path
) -> None:
    """As in the first versions of the records."""
    runs.begin(RUN)
    with closing(sqlite3.connect(runs.path)) as db, db:
        db.execute("UPDATE runs SET told = NULL")
    now = Runs(tmp_path / "rclone.conf", lambda name: ["b!bert"])
    assert [one.id for one in now.last("work")] == [1]
    assert now.is_of("work", now.get(1))


def test_of_a_file_that_was_removed_meanwhile_no_other_run_gets_the_end(runs: Runs) -> None:
    first = runs.begin(RUN)
    runs.path.unlink()
    second = runs.begin(RUN)
    first.exited(3)
    assert [(one.id, one.ended) for one in runs.last()] == [(1, "running")]
    second.exited(0)
    assert [(one.id, one.ended) for one in runs.last()] == [(1, "done")]


def test_every_end_is_told_apart(runs: Runs) -> None:
    runs.begin(RUN).transferred(result())
    runs.begin(RUN).compared(CheckResult(3, ("a",), ("b",)))
    runs.begin(RUN).compared(CheckResult(3))
    runs.begin(RUN).exited(3)
    with pytest.raises(KeyboardInterrupt), runs.begin(RUN):
        raise KeyboardInterrupt
    with pytest.raises(QuotaFull), runs.begin(RUN):
        raise QuotaFull("Full.")
    with pytest.raises(ZeroDivisionError), runs.begin(RUN):
        raise ZeroDivisionError
    ends = [(one.ended, one.exit_code) for one in reversed(runs.last())]
    assert ends == [
        ("done", 0), ("differs", 7), ("done", 0), ("failed", 3), ("cancelled", 130), ("failed", 4),
        ("failed", 1),
    ]  # fmt: skip


def test_a_comparison_keeps_what_differs_with_where_it_is_missing(runs: Runs) -> None:
    failed = FailedFile("d", QuotaFull("d cannot be read."), False)
    runs.begin(RUN).compared(CheckResult(3, ("a",), ("b",), ("c",), (failed,)))
    (found,) = runs.last()
    assert found.failures == 4
    assert [(one["path"], one["what"]) for one in found.failed] == [
        ("a", "a differs."),
        ("b", "b is missing at the source."),
        ("c", "c is missing at the destination."),
        ("d", "d cannot be read."),
    ]


def test_of_very_many_failures_the_first_are_kept_and_all_are_counted(runs: Runs) -> None:
    files = [FailedFile(str(n), QuotaFull("Full."), False) for n in range(FAILURES + 5)]
    runs.begin(RUN).transferred(result(*files))
    (found,) = runs.last()
    assert (len(found.failed), found.failures) == (FAILURES, FAILURES + 5)


def test_a_dry_run_is_not_recorded(runs: Runs) -> None:
    runs.begin(RUN.dry()).transferred(result())
    assert runs.last() == []
    assert not runs.path.exists()


def test_the_file_is_for_this_user_alone_under_any_umask(runs: Runs) -> None:
    before = os.umask(0)
    try:
        recording = runs.begin(RUN)
        with closing(sqlite3.connect(runs.path)) as open_elsewhere:
            open_elsewhere.execute("SELECT * FROM runs").fetchall()
            recording.exited(0)
            files = [*runs.path.parent.iterdir()]
            assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    finally:
        os.umask(before)
    assert [file.name for file in runs.path.parent.iterdir()] == ["rclone.conf.runs.sqlite"]


def test_a_run_is_kept_for_ninety_days_and_the_file_stays_small(
    runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = runs.begin(RUN)
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + KEPT_DAYS * 86_400 + 60)
    runs.begin(RUN)
    assert [one.id for one in runs.last()] == [2]
    old.exited(0)  # its record is gone: nothing happens
    monkeypatch.undo()
    with closing(sqlite3.connect(runs.path)) as db, db:
        db.execute("UPDATE sqlite_sequence SET seq = ?", (KEPT + 50,))
        assert db.execute("SELECT count(*) FROM storages").fetchone() == (2,)
    runs.begin(RUN)
    assert [one.id for one in runs.last()] == [KEPT + 51]


def test_a_clock_that_is_years_ahead_for_a_while_does_not_empty_the_history(
    runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(20):
        runs.begin(RUN).exited(0)
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 10 * 366 * 86_400)
    runs.begin(RUN).exited(0)
    monkeypatch.undo()
    runs.begin(RUN).exited(0)
    assert [one.id for one in runs.last()] == [*range(22, 2, -1)]
    assert [one.ended for one in runs.last()] == ["done"] * 20


def test_of_many_processes_at_once_no_record_is_lost_and_nobody_hears_of_a_lock(
    runs: Runs, forks: Forks
) -> None:
    conf = runs.path.with_name("rclone.conf")
    reading, writing = os.pipe()
    with open(reading), open(conf.with_name("said"), "w+b") as said:
        streams = (reading, said.fileno(), said.fileno())
        writers = [
            forks.start(("-c", WRITER, conf, EACH, number), streams) for number in range(PROCESSES)
        ]
        os.close(writing)  # all make the file and write at once
        assert [writer.wait(PATIENCE) for writer in writers] == [0] * PROCESSES
        assert said.seek(0, os.SEEK_END) == 0
    found = runs.last(limit=1000)
    assert {one.run.destination for one in found} == {
        f"work:{process}/{number}" for process in range(PROCESSES) for number in range(EACH)
    }
    assert {one.ended for one in found} == {"done"}


def test_a_killed_run_did_not_end(runs: Runs) -> None:
    conf = str(runs.path.with_name("rclone.conf"))
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, conf], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        assert runs.get(1).ended == "running"
        process.send_signal(signal.SIGKILL)
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # ended, not yet reaped
        assert runs.get(1).ended == "did not end"
    assert runs.get(1).ended == "did not end"
    assert runs.get(1).bytes is None


def test_a_run_of_another_machine_is_taken_to_go_on_for_a_day(
    runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where its clock is ahead of ours."""
    runs.begin(RUN)
    monkeypatch.setattr(socket, "gethostname", lambda: "elsewhere")
    assert runs.get(1).ended == "running"
    now = time.time()
    for passed, ended in ((90_000, "did not end"), (-3600, "running"), (-90_000, "did not end")):
        monkeypatch.setattr(time, "time", lambda passed=passed: now + passed)
        assert runs.get(1).ended == ended


def damaged(runs: Runs) -> None:
    runs.begin(RUN)
    data = runs.path.read_bytes()
    runs.path.write_bytes(data[:100] + b"\xff" * (len(data) - 100))


def no_database(runs: Runs) -> None:
    runs.path.write_bytes(b"rclone " * 1000)


def a_folder(runs: Runs) -> None:
    runs.path.mkdir()


@pytest.mark.parametrize("trouble", [damaged, no_database, a_folder])
def test_a_file_that_cannot_be_used_is_said_once_and_ends_no_run(
    trouble: object, runs: Runs
) -> None:
    assert callable(trouble)
    trouble(runs)
    said: list[str] = []
    for _ in range(2):
        with runs.begin(RUN, said.append) as recording:
            recording.exited(0)
    assert len(said) == 1
    assert str(runs.path) in said[0]
    with pytest.raises(ConfigUnreadable, match="cannot be read"):
        runs.last()


def test_a_full_disk_is_said_once_and_ends_no_run(
    runs: Runs, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    said: list[str] = []
    recording = runs.begin(RUN, said.append)

    def full(*given: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(Runs, "_use", full)
    recording.exited(0)
    runs.begin(RUN, said.append).exited(0)
    assert (len(said), caplog.records) == (1, [])


def test_where_nobody_listens_a_warning_says_it(
    runs: Runs, caplog: pytest.LogCaptureFixture
) -> None:
    no_database(runs)
    for _ in range(2):
        runs.begin(RUN).exited(0)
    (told,) = caplog.messages
    assert told.startswith(f"Runs are not recorded: {runs.path} cannot be written")


def newer(db: sqlite3.Connection) -> None:
    db.execute("PRAGMA user_version = 9")
    db.execute("ALTER TABLE runs ADD COLUMN more TEXT")
    db.execute("UPDATE runs SET run = json_set(run, '$.more', 1), told = '{\"more\": 1}'")


def test_the_file_of_a_newer_version_is_read_as_far_as_it_is_understood_and_not_written(
    runs: Runs,
) -> None:
    runs.begin(RUN).exited(0)
    with closing(sqlite3.connect(runs.path)) as db, db:
        newer(db)
    said: list[str] = []
    runs.begin(RUN, said.append).exited(0)
    assert len(said) == 1
    assert "newer" in said[0]
    (found,) = runs.last(notice=said.append)
    assert (found.ended, len(said)) == ("done", 1)
    with pytest.raises(UsageError, match="more was not kept"):
        found.run.as_command()


@pytest.mark.parametrize(
    "change", ["run = 'no JSON'", "began = 1e300", "told = '[1]'", "ended = NULL, owner = 'x'"]
)
def test_of_records_that_cannot_be_read_the_others_are(runs: Runs, change: str) -> None:
    for _ in range(3):
        runs.begin(RUN).exited(0)
    with closing(sqlite3.connect(runs.path)) as db, db:
        db.execute(f"UPDATE runs SET {change} WHERE id = 2")
    said: list[str] = []
    assert [one.id for one in runs.last(notice=said.append)] == [3, 1]
    assert len(said) == 1
    assert str(runs.path) in said[0]
    with pytest.raises(ConfigUnreadable, match="cannot be read"):
        runs.get(2)


READER = """
import json, sys
from pathlib import Path
from pluton_rclone.runs.run import Run
from pluton_rclone.runs.store import Runs

runs, said = Runs(Path(sys.argv[1])), []
found = [one.id for one in runs.last()]
with runs.begin(Run(command="copy", storages=("work",), destination="w:"), said.append) as one:
    one.exited(0)
print(json.dumps({"found": found, "said": said}))
"""


def test_in_a_read_only_place_the_runs_are_read_and_no_run_fails(runs: Runs) -> None:
    runs.begin(RUN).exited(0)
    folder, conf = runs.path.parent, str(runs.path.with_name("rclone.conf"))
    argv = inside_mount(folder, folder, [sys.executable, "-c", READER, conf], options="ro")
    ran = subprocess.run(argv, capture_output=True, text=True, check=True)
    seen = json.loads(ran.stdout)
    assert seen["found"] == [1]
    assert len(seen["said"]) == 1


def test_on_a_full_disk_the_runs_are_read_and_no_run_fails(tmp_path: Path) -> None:
    script = f"""
import os, sys
sys.argv[1] = {str(tmp_path / "rclone.conf")!r}
{WRITER}
with open({str(tmp_path / "full")!r}, "wb", buffering=0) as file:
    try:
        while file.write(bytes(4096)):
            pass
    except OSError:
        pass
{READER}"""
    argv = inside_small_disk(tmp_path, "1m", [sys.executable, "-c", script, "", "1", "first"])
    ran = subprocess.run(argv, input="\n", capture_output=True, text=True, check=True)
    seen = json.loads(ran.stdout)
    assert seen["found"] == [1]
    assert len(seen["said"]) == 1
    assert "Free space" in seen["said"][0]


def test_a_file_that_another_program_keeps_is_said_and_waited_for_once(
    runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "_PATIENCE", 0.1)
    runs.begin(RUN).exited(0)
    said: list[str] = []
    with closing(sqlite3.connect(runs.path, isolation_level=None)) as other:
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        runs.begin(RUN, said.append).exited(0)
        monkeypatch.setattr(store, "_PATIENCE", 3600)
        runs.begin(RUN, said.append).exited(0)
        with pytest.raises(ConfigLocked, match="now"):
            runs.last()
    assert len(said) == 1
    runs.begin(RUN, said.append).exited(0)
    assert [one.id for one in runs.last()] == [2, 1]
    monkeypatch.setattr(store, "_PATIENCE", 0.1)
    with closing(sqlite3.connect(runs.path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        runs.begin(RUN, said.append).exited(0)
    assert len(said) == 2  # it was waited for again


def test_where_there_is_no_folder_for_it_there_is_no_record(tmp_path: Path) -> None:
    runs = Runs(tmp_path / "nowhere" / "rclone.conf")
    said: list[str] = []
    runs.begin(RUN, said.append).exited(0)
    assert (said, runs.last()) == ([], [])


def test_a_run_that_is_not_there_is_said(runs: Runs) -> None:
    runs.begin(RUN).exited(0)
    for id in (7, 10**30):
        with pytest.raises(UsageError, match=f"no run {id}"):
            runs.get(id)
    assert [runs.last(name) for name in ("", "other", "\udcff")] == [[], [], []]
    assert len(runs.last("work", limit=10**30)) == 1
