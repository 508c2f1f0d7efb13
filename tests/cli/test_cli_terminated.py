"""Signals of containers and service managers: SIGTERM cancels, also as process 1; closed
streams."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from pluton_rclone.emulator import PUBLIC_CLIENT_ID, Emulator
from tests.children import children_of
from tests.cli.conftest import Command
from tests.cli.test_cli_interrupt import Frozen, children_left, frozen, saved, source  # noqa: F401
from tests.forked import Forks

PATIENCE = 300


def private_folders(runtime: Path) -> list[Path]:
    return list(runtime.glob("pluton-rclone-*/*"))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_terminated_command_leaves_nothing_behind(
    connected: Command,
    cloud: Emulator,
    frozen: Frozen,  # noqa: F811
    source: Path,  # noqa: F811
    runtime: Path,
    forks: Forks,
    number: signal.Signals,
) -> None:
    before = saved(connected)
    frozen.at("PUT|createUploadSession")
    with tempfile.TemporaryFile() as said:
        streams = (said.fileno(),) * 3
        command = forks.start(["copy", source, "Work files:new"], streams)
        frozen.wait()
        assert private_folders(runtime)
        command.send_signal(number)
        command.send_signal(number)
        assert command.wait(PATIENCE) == 130
        said.seek(0)
        assert said.readlines()[-1] == b"Stopped.\n"
    assert children_left(cloud) == []
    assert private_folders(runtime) == []
    frozen.cloud.faults.latency = 0
    assert saved(connected) == before


def test_as_process_1_it_ends_on_sigterm(
    connected: Command,
    cloud: Emulator,
    frozen: Frozen,  # noqa: F811
    source: Path,  # noqa: F811
    runtime: Path,
) -> None:
    frozen.at("PUT|createUploadSession")
    program = [sys.executable, "-m", "pluton_rclone", "copy", str(source), "Work files:new"]
    argv = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child", *program]
    if os.geteuid() != 0:
        argv[1:1] = ["--user", "--map-root-user"]
    with subprocess.Popen(argv, stderr=subprocess.PIPE, text=True) as outside:
        frozen.wait()
        (inside,) = children_of(outside.pid)
        os.kill(inside, signal.SIGTERM)
        assert outside.wait(PATIENCE) == 130
    assert private_folders(runtime) == []
    assert children_left(cloud) == []


def test_a_ctrl_c_while_rclone_is_being_started_leaves_nothing_behind(
    connected: Command,
    cloud: Emulator,
    source: Path,  # noqa: F811
    runtime: Path,
    forks: Forks,
) -> None:
    """rclone is already running, and removing what was lent to it takes a while."""
    code = (
        "import sys, time\n"
        "from pluton_rclone.cli import main\n"
        "from pluton_rclone.process import folders\n"
        "from pluton_rclone.runs.store import Runs\n"
        "remove = folders.remove\n"
        "def interrupted(*_): raise KeyboardInterrupt\n"
        "def slowly(folder): time.sleep(0.3); remove(folder)\n"
        "Runs.begin, folders.remove = interrupted, slowly\n"
        "main(sys.argv[1:])"
    )
    ran = forks.run("-c", code, "copy", source, "Work files:new")
    assert (ran.returncode, ran.stderr) == (130, b"Stopped.\n")
    assert private_folders(runtime) == []
    assert children_left(cloud) == []


def test_after_a_ctrl_c_nobody_waits_for_a_thread_that_waits_for_others() -> None:
    code = (
        "import threading; from pluton_rclone.cli import leave\n"
        "threading.Thread(target=threading.Event().wait).start()\n"
        "leave(130)"
    )
    assert (
        subprocess.run([sys.executable, "-c", code], timeout=PATIENCE, check=False).returncode
        == 130
    )


def test_a_command_that_runs_in_our_place_gets_the_signal(home: Path) -> None:
    script = home / "waits"
    script.write_text(
        "#!/bin/sh\ntrap 'echo asked to end; exit 9' TERM\necho ready\nwhile :; do sleep 0.05; "
        "done\n"
    )
    script.chmod(0o755)
    code = (
        f"from pluton_rclone.process import terminal; raise "
        f"SystemExit(terminal.foreground([{str(script)!r}], env={{}}))"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as ours:
        assert ours.stdout is not None
        assert ours.stdout.readline() == "ready\n"
        ours.send_signal(signal.SIGTERM)
        assert ours.wait(PATIENCE) == 9
        assert ours.stdout.read() == "asked to end\n"


def test_a_parent_that_ignores_its_children_does_not_stand_in_the_way(home: Path) -> None:
    """An ignored signal is inherited, and some supervisors ignore SIGCHLD: nothing started."""
    (home / "rclone.conf").write_text(f"[here]\ntype = alias\nremote = {home}\n")
    words = [sys.executable, "-m", "pluton_rclone", "ls", "here:"]
    ignoring = ["bash", "-c", "trap '' CHLD; exec \"$@\"", "bash", *words]
    ran = subprocess.run(ignoring, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "rclone.conf" in ran.stdout


# ---- streams that are closed, and texts that steer

HOSTILE = "a\x1b[2J\x9b31m\u202eb\u2066\ttab"
STREAMS = {
    "stdin closed": "<&-",
    "stderr closed": "2>&-",
    "all closed": "<&- >&- 2>&-",
    "stdout full": ">/dev/full",
    "stderr full": "2>/dev/full",
    "both full": ">/dev/full 2>/dev/full",
}


@pytest.mark.parametrize(
    ("arguments", "streams"),
    [
        *(("show nosuch --json", each) for each in STREAMS),
        *(("options --json", each) for each in ("all closed", "stdout full", "both full")),
        # it reads stdin and writes to both other streams what it waits for
        *(("connect x --method token", each) for each in ("all closed", "both full")),
    ],
)
def test_no_traceback_and_no_error_on_stdout(
    cloud: Emulator, home: Path, streams: str, arguments: str
) -> None:
    shell = f'"$0" -m pluton_rclone {arguments} {STREAMS[streams]}'
    environment = {**os.environ, "PLUTON_ONEDRIVE_CLIENT_ID": PUBLIC_CLIENT_ID}
    done = subprocess.run(
        ["/bin/sh", "-c", shell, sys.executable],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr
    assert '"error"' not in done.stdout
    if arguments != "options --json" or ">/dev/full" in STREAMS[streams].split():
        assert done.returncode in (1, 2, 3, 5)


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_names_from_outside_do_not_steer_a_terminal(
    connected: Command, cloud: Emulator, encoding: str, forks: Forks
) -> None:
    name = HOSTILE.replace("\x1b", "").replace(
        "\t", " "
    )  # OneDrive takes no control characters of C0
    cloud.files.drive_of("anna@outlook.com").write(f"backup/{name}", b"")
    for more in ([], ["--json"]):
        environment = {**os.environ, "PYTHONIOENCODING": encoding}
        done = forks.run("ls", "Work files:backup", *more, env=environment)
        assert done.returncode == 0, done.stderr
        assert done.stdout.isascii()
        assert b"202e" in done.stdout


def test_what_is_said_is_printable(capsys: pytest.CaptureFixture[str]) -> None:
    from pluton_rclone.cli.output import Output, tell

    Output(False).say(f"Signed in as {HOSTILE}\nagain")
    tell(HOSTILE)
    Output(True).line({"name": HOSTILE})
    Output(True).result({"name": "ä"})
    said = capsys.readouterr()
    for line in (said.out + said.err).splitlines():
        assert line.replace("\t", "").isprintable()
    assert said.err.splitlines()[1] == "again"
    assert "ä" in said.out


def test_head_ends_a_listing_without_a_word_and_as_others_do(home: Path, cloud: Emulator) -> None:
    shell = '"$0" -m pluton_rclone errors --json | head -c 1; echo " ${PIPESTATUS[0]}"'
    done = subprocess.run(
        ["bash", "-c", shell, sys.executable], capture_output=True, text=True, check=False
    )
    assert (done.stdout.split()[-1], done.stderr) in (
        ("141", ""),
        ("0", ""),
    )  # it may have ended before head
    argv = [sys.executable, "-m", "pluton_rclone", "errors", "--json"]
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(argv, stdout=writing, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writing)
    assert (done.returncode, done.stderr) == (141, "")
