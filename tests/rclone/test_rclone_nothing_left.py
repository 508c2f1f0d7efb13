"""Kills, cancels and crowds: nothing is left behind, mixed up or corrupt."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from pluton_rclone.errors import Cancelled, PlutonRcloneError, RcloneError
from pluton_rclone.rclone.binary import Binary
from pluton_rclone.rclone.engine import Rclone
from pluton_rclone.rclone.transfer import CANCEL
from tests.terminal import PATIENCE

from .conftest import processes

PARENT = """
import sys, time
from pathlib import Path
from pluton_rclone.rclone.engine import Rclone
binary, config, source, target, how = sys.argv[1:]
rclone = Rclone(binary, config=config, flags=["--bwlimit=256k"])
if how == "transfer":
    running = rclone.copy(Path(source), Path(target))
    next(iter(running))
else:
    running = rclone.walk(Path("/usr"))
    next(running)
print("running", flush=True)
time.sleep(1000)
"""


def start_parent(
    binary: Binary, config: Path, source: Path, target: Path, how: str
) -> subprocess.Popen[bytes]:
    argv = [sys.executable, "-c", PARENT, binary.path, str(config), str(source), str(target), how]
    parent = subprocess.Popen(argv, stdout=subprocess.PIPE)
    assert parent.stdout is not None
    assert parent.stdout.readline() == b"running\n"
    return parent


def rclones(mark: str) -> list[int]:
    return [pid for pid in processes(mark) if b"rclone" in _program(pid)]


def all_go(mark: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while rclones(mark):
        assert time.monotonic() < deadline, "an rclone is left after its parent"
        time.sleep(0.01)


def _program(pid: int) -> bytes:
    try:
        return os.path.basename(Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[0])
    except OSError:
        return b""


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    folder.mkdir()
    for number in range(4):
        (folder / f"{number}.bin").write_bytes(os.urandom(3_000_000))
    return folder


AGAIN = pytest.param("transfer", marks=pytest.mark.soak)  # at other moments of the transfer


@pytest.mark.parametrize("how", ["transfer", "listing", *[AGAIN] * 20])
def test_no_rclone_survives_a_sigkill_of_python(
    binary: Binary, config: Path, source: Path, tmp_path: Path, mark: str, how: str
) -> None:
    parent = start_parent(binary, config, source, tmp_path / "target", how)
    assert len(rclones(mark)) == 1
    parent.kill()
    parent.wait()
    assert parent.stdout is not None
    parent.stdout.close()
    all_go(mark)


def test_no_rclone_survives_the_end_of_python(
    binary: Binary, config: Path, source: Path, tmp_path: Path, mark: str
) -> None:
    parent = start_parent(binary, config, source, tmp_path / "target", "transfer")
    parent.send_signal(signal.SIGTERM)
    parent.wait()
    assert parent.stdout is not None
    parent.stdout.close()
    all_go(mark)


def test_ctrl_c_while_waiting_cancels(
    binary: Binary, config: Path, source: Path, tmp_path: Path, mark: str
) -> None:
    code = PARENT.replace('print("running", flush=True)\ntime.sleep(1000)', WAITING)
    argv = [
        sys.executable,
        "-c",
        code,
        binary.path,
        str(config),
        str(source),
        str(tmp_path / "t"),
        "transfer",
    ]
    parent = subprocess.Popen(argv, stdout=subprocess.PIPE)
    assert parent.stdout is not None
    assert parent.stdout.readline() == b"running\n"
    parent.send_signal(signal.SIGINT)
    assert parent.stdout.read() == b"interrupted False\n"
    parent.wait()
    parent.stdout.close()
    assert rclones(mark) == []


WAITING = """
try:
    with running:
        print("running", flush=True)
        running.result()
except KeyboardInterrupt:
    print("interrupted", running.running)
"""


def digests(folder: Path) -> dict[str, str]:
    """Digests by name, without files that rclone has not finished."""
    whole = (path for path in folder.iterdir() if path.is_file() and path.suffix != ".partial")
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in whole}


def test_who_cancels_waits_less_than_two_seconds_for_an_rclone_that_is_polite() -> None:
    assert [number for number, _ in CANCEL] == [signal.SIGINT, signal.SIGTERM, signal.SIGKILL]
    assert sum(seconds for _, seconds in CANCEL[:-1]) < 2


@pytest.mark.parametrize("after", [0, 1, 2])
def test_after_a_cancel_what_is_there_is_whole_and_the_next_run_completes(
    binary: Binary, config: Path, source: Path, tmp_path: Path, after: int
) -> None:
    """Cancelled at once, or after rclone has reported its progress once or twice."""
    target = tmp_path / "target"
    transfer = Rclone(binary, config=config, flags=["--bwlimit=256k"]).copy(source, target)
    progress = iter(transfer)
    for _ in range(after):
        next(progress)
    result = transfer.cancel()
    assert result.ended == "cancelled"
    with pytest.raises(Cancelled):
        transfer.result()
    whole = digests(target) if target.exists() else {}
    assert whole.items() <= digests(source).items()
    Rclone(binary, config=config).copy(source, target).result()
    assert digests(target) == digests(source)


def test_cancelling_what_is_done_changes_nothing(
    rclone: Rclone, source: Path, tmp_path: Path
) -> None:
    transfer = rclone.copy(source, tmp_path / "target")
    transfer.result()
    assert transfer.cancel().ended == "done"


def test_a_transfer_goes_on_when_the_thread_that_started_it_has_ended(
    rclone: Rclone, source: Path, tmp_path: Path
) -> None:
    started = []
    thread = threading.Thread(
        target=lambda: started.append(rclone.copy(source, tmp_path / "target", bwlimit=8_000_000))
    )
    thread.start()
    thread.join()
    assert started[0].result(timeout=PATIENCE).transfers == 4
    assert digests(tmp_path / "target") == digests(source)


def test_8_transfers_at_once_with_two_configurations_and_two_binaries(
    binary: Binary, old_binary: Binary, tmp_path: Path
) -> None:
    """Each configuration has a different place under the same remote name; each transfer has its
    own file."""
    engines = []
    for number, kind in enumerate((binary, old_binary)):
        place = tmp_path / f"place{number}"
        place.mkdir()
        config = tmp_path / f"{number}.conf"
        config.write_text(f"[place]\ntype = alias\nremote = {place}\n")
        engines.append(Rclone(kind, config=config, user_agent=f"test{number}"))
    failures: list[BaseException] = []
    gate = threading.Barrier(8)

    def one(number: int) -> None:
        try:
            source = tmp_path / f"source{number}"
            source.mkdir()
            (source / f"file {number}").write_text(f"content {number}")
            gate.wait()
            result = engines[number % 2].copy(source, "place:").result(timeout=PATIENCE)
            assert (result.transfers, result.bytes) == (1, len(f"content {number}"))
        except (PlutonRcloneError, AssertionError, OSError) as error:
            failures.append(error)

    threads = [threading.Thread(target=one, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    for parity in (0, 1):
        found = {path.name: path.read_text() for path in (tmp_path / f"place{parity}").iterdir()}
        assert found == {f"file {number}": f"content {number}" for number in range(parity, 8, 2)}


def test_a_failure_in_one_does_not_touch_the_other(
    rclone: Rclone, source: Path, tmp_path: Path
) -> None:
    good = rclone.copy(source, tmp_path / "target", bwlimit=12_000_000)
    bad = rclone.copy("nosuchremote:", tmp_path / "other")
    with pytest.raises(Exception, match="no remote"):
        bad.result()
    assert good.result().transfers == 4


def test_importing_and_making_an_engine_is_light_and_starts_nothing() -> None:
    code = """
import threading
from pluton_rclone.rclone.engine import Rclone
Rclone(config="/dev/null")
import sys
assert threading.active_count() == 1
heavy = {"rich", "rclone_python", "msal", "requests", "pydantic", "http.client"}
assert not heavy & set(sys.modules), heavy & set(sys.modules)
"""
    assert subprocess.run([sys.executable, "-c", code], check=True).returncode == 0


def test_an_rclone_that_another_kills_is_an_error(
    rclone: Rclone, source: Path, tmp_path: Path
) -> None:
    transfer = rclone.copy(source, tmp_path / "target", bwlimit=100_000)
    next(iter(transfer))
    os.kill(transfer.pid, signal.SIGKILL)
    with pytest.raises(RcloneError, match="signal 9") as caught:
        transfer.result(timeout=PATIENCE)
    assert caught.value.result.retry_helps
