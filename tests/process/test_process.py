"""Processes: started without a shell, always drained, always reaped, and always ended."""

from __future__ import annotations

import gc
import io
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest

from pluton_rclone import process
from pluton_rclone.errors import UsageError
from pluton_rclone.process.pipes import Source
from pluton_rclone.process.spawning import dying_with_us
from tests.limits import no_free_files
from tests.terminal import PATIENCE

ENV = {"PATH": os.environ["PATH"]}
SH = "/bin/sh"


def ignore(block: bytes) -> None:
    """Drain the block without using it."""


def python(code: str) -> list[str]:
    return [sys.executable, "-I", "-S", "-c", textwrap.dedent(code)]


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def settles(condition: Callable[[], bool]) -> bool:
    """Whether the condition becomes true; it waits long, for a busy machine."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.005)
    return True


def goes(pid: int) -> bool:
    return settles(lambda: not is_running(pid))


def test_output_and_exit_code() -> None:
    done = process.run([SH, "-c", "echo out; echo err >&2; exit 3"], env=ENV)
    assert done == process.Completed(3, b"out\n", b"err\n")


def test_arguments_reach_the_program_as_they_are() -> None:
    hostile = [
        "$(touch PWNED)",
        "`id`",
        "a b",
        "-rf",
        "it's",
        '"',
        "new\nline",
        "*",
        os.fsdecode(b"\xff\xfe"),
    ]
    done = process.run(
        python("import os,sys; os.write(1, b'\\0'.join(map(os.fsencode, sys.argv[1:])))") + hostile,
        env=ENV,
    )
    assert done.stdout.split(b"\0") == [os.fsencode(argument) for argument in hostile]


def test_the_environment_is_what_was_given_and_nothing_else() -> None:
    done = process.run(["/usr/bin/env"], env={"ONLY": "this"})
    lines = {
        line
        for line in done.stdout.splitlines()
        if not line.startswith((b"PWD=", b"_=", b"SHLVL=", b"OLDPWD="))
    }
    assert lines == {b"ONLY=this"}


def test_no_open_file_of_ours_is_inherited(tmp_path: Path) -> None:
    with open(tmp_path / "secret", "w") as file:
        os.set_inheritable(file.fileno(), True)
        done = process.run([SH, "-c", "ls /proc/self/fd"], env=ENV)
        assert str(file.fileno()).encode() not in done.stdout.split()[:-1] or file.fileno() < 3


def fed(stdin: Source, *argv: str) -> process.Completed:
    return process.collected(partial(process.start, argv, env=ENV, stdin=stdin), PATIENCE)


def test_stdin_is_closed_unless_something_is_fed() -> None:
    assert process.run(["/bin/cat"], env=ENV).stdout == b""


@pytest.mark.parametrize("kind", ["bytes", "file", "blocks"])
def test_stdin_is_fed_from(kind: str) -> None:
    content = os.urandom(3_000_000)
    source: dict[str, Source] = {
        "bytes": content,
        "file": io.BytesIO(content),
        "blocks": (content[at : at + 70_000] for at in range(0, len(content), 70_000)),
    }
    assert fed(source[kind], "/bin/cat").stdout == content


def test_a_source_that_fails_does_not_look_like_the_end_of_the_data(tmp_path: Path) -> None:
    def broken() -> Iterator[bytes]:
        yield b"half"
        raise ValueError("the source broke")

    target = tmp_path / "target"
    with pytest.raises(ValueError, match="the source broke"):
        fed(broken(), SH, "-c", f"cat > {target}.part && mv {target}.part {target}")
    assert not target.exists()


def test_a_child_that_does_not_read_its_stdin_is_no_error_of_ours() -> None:
    assert fed(b"x" * 5_000_000, SH, "-c", "exit 7").returncode == 7


def test_both_pipes_are_drained_whoever_floods_them() -> None:
    flood = (
        "import os\nfor _ in range(800): os.write(1, b'o'*65536); os.write(2, b'e'*65535+b'\\n')"
    )
    seen = [0]

    def count(block: bytes) -> None:
        seen[0] += len(block)

    with process.start(python(flood), env=ENV, on_stdout=count) as child:
        assert child.wait(PATIENCE) == 0
    assert seen[0] == 800 * 65536
    assert len(child.stderr_tail) <= process.TAIL_LINES * (process.TAIL_LINE_BYTES + 1)


def test_lines_of_stdout_come_as_they_are_written() -> None:
    with process.start([SH, "-c", "echo one; sleep 30; echo two"], env=ENV) as child:
        assert next(child.stdout) == b"one"
        assert not child.ended
    assert child.ended


def test_a_reader_that_does_not_read_stops_the_child_not_the_memory() -> None:
    with process.start(["/usr/bin/yes"], env=ENV) as child:
        assert child.read(10)
        time.sleep(0.2)
        assert not child.ended


def test_a_program_that_is_not_there() -> None:
    with pytest.raises(FileNotFoundError):
        process.start(["/nowhere/at/all"], env=ENV)


def test_a_program_that_is_not_executable(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("")
    with pytest.raises(PermissionError):
        process.start([str(tmp_path / "x")], env=ENV)


def test_an_argument_that_no_program_can_be_given_is_refused() -> None:
    with pytest.raises(UsageError, match="NUL"):
        process.start([sys.executable, "a\0b"], env={})


def test_a_program_without_its_path_is_refused() -> None:
    with pytest.raises(UsageError):
        process.start(["ls"], env=ENV)


def test_where_sigchld_is_ignored_nothing_is_started() -> None:
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        with pytest.raises(UsageError, match="SIGCHLD") as refused:
            process.run(["/bin/true"], env=ENV)
    finally:
        signal.signal(signal.SIGCHLD, before)
    assert "SIGCHLD" in refused.value.advice
    assert refused.value.next_step is None  # no command's help covers it


@pytest.mark.parametrize(
    "number", [signal.SIGHUP, signal.SIGSEGV, signal.SIGKILL, signal.SIGTERM, signal.SIGPIPE]
)
def test_death_by_a_signal_is_a_negative_exit_code(number: int) -> None:
    assert process.run([SH, "-c", f"kill -{number} $$"], env=ENV).returncode == -number


def test_a_time_limit() -> None:
    with pytest.raises(TimeoutError):
        process.run(["/bin/sleep", "1000"], env=ENV, timeout=0.1)


def test_what_a_callback_raises_ends_the_child_and_comes_out() -> None:
    def broken(line: bytes) -> None:
        raise LookupError("callback")

    with (
        process.start([SH, "-c", "echo x >&2; sleep 1000"], env=ENV, on_stderr=broken) as child,
        pytest.raises(LookupError),
    ):
        child.wait(PATIENCE)
    assert child.returncode == -signal.SIGKILL


def test_cancel_climbs_the_ladder() -> None:
    ladder = [(signal.SIGINT, 0.2), (signal.SIGTERM, 0.2), (signal.SIGKILL, PATIENCE)]
    deaf = python(
        """
        import signal, time
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        print(flush=True)
        time.sleep(1000)
        """
    )
    with process.start(deaf, env=ENV) as child:
        next(child.stdout)
        child.cancel(ladder)
        assert child.returncode == -signal.SIGKILL
    polite = python(
        """
        import signal
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])  # as in ANSWERS_CTRL_C
        print(flush=True)
        signal.sigwait([signal.SIGINT])
        raise SystemExit(42)
        """
    )
    with process.start(polite, env=ENV) as child:
        next(child.stdout)
        child.cancel([(signal.SIGINT, PATIENCE), *ladder])
        assert child.returncode == 42


def test_killing_takes_the_helpers_along() -> None:
    helpers = "trap '' INT TERM; sleep 1000 & echo $!; sleep 1000"
    with process.start([SH, "-c", helpers], env=ENV) as child:
        helper = int(next(child.stdout))
        child.cancel([(signal.SIGKILL, PATIENCE)])
    assert goes(helper)


def test_a_helper_that_holds_the_pipes_does_not_hold_us_for_ever() -> None:
    with process.start([SH, "-c", "sleep 1000 & echo $!"], env=ENV) as child:
        helper = int(next(child.stdout))
        assert goes(child.pid)
        with pytest.raises(TimeoutError):
            child.wait(0.2)
        child.cancel([(signal.SIGINT, 0.1), (signal.SIGKILL, PATIENCE)])
        assert child.returncode == 0
    assert goes(helper)


def test_there_are_no_zombies() -> None:
    children = [process.start(["/bin/true"], env=ENV, on_stdout=ignore) for _ in range(10)]
    for child in children:
        child.wait(PATIENCE)
    assert not any(Path(f"/proc/{child.pid}").exists() for child in children)


def test_ctrl_c_on_the_terminal_reaches_python_alone() -> None:
    with process.start(["/bin/sleep", "1000"], env=ENV) as child:
        assert os.getsid(child.pid) != os.getsid(0)


def test_watch_is_asked_until_it_says_enough() -> None:
    answers: list[float | None] = [0.01, 0.01, 0.01, None]
    with process.start(["/bin/sleep", "1000"], env=ENV, watch=lambda: answers.pop(0)) as child:
        child.wait(PATIENCE)
    assert answers == []


def test_a_child_outlives_the_thread_that_started_it() -> None:
    started: list[process.Child] = []
    thread = threading.Thread(
        target=lambda: started.append(process.start(["/bin/sleep", "1000"], env=ENV))
    )
    thread.start()
    thread.join()
    with started[0] as child:
        time.sleep(0.3)
        assert is_running(child.pid)


PARENT = """
import sys, threading, time
from pluton_rclone import process
child = process.start(["/bin/sleep", "1000"], env={"PATH": "/bin"})
print(child.pid, flush=True)
time.sleep(1000)
"""


# Of util-linux before 2.33, as in Amazon Linux 2; busybox's fails in the same way.
OLD_SETPRIV = """\
#!/bin/sh
echo "setpriv: unrecognized option '$1'" >&2
exit 1
"""


def older_setpriv(folder: Path) -> str:
    (folder / "setpriv").write_text(OLD_SETPRIV)
    (folder / "setpriv").chmod(0o755)
    return str(folder)


def test_a_setpriv_that_is_too_old_keeps_nothing_from_starting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", f"{older_setpriv(tmp_path)}:{os.environ['PATH']}")
    assert process.run(["/bin/echo", "here"], env=ENV) == (0, b"here\n", b"")


def test_a_moment_without_free_files_does_not_change_how_later_children_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Formerly, setpriv then counted as too old for as long as the program lived."""
    mine = shutil.copy(str(shutil.which("setpriv")), tmp_path)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with no_free_files():
        assert dying_with_us(["x"])[0] == sys.executable
    assert dying_with_us(["x"])[0] == mine


@pytest.mark.parametrize("setpriv", ["with setpriv", "without setpriv", "with an old setpriv"])
def test_a_child_does_not_survive_a_sigkill_of_its_parent(setpriv: str, tmp_path: Path) -> None:
    """If setpriv cannot, Python itself sets the parent-death signal."""
    path = os.environ["PATH"] if setpriv == "with setpriv" else str(tmp_path)
    if setpriv == "with an old setpriv":
        older_setpriv(tmp_path)
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT], stdout=subprocess.PIPE, env={"PATH": path}
    )
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    assert is_running(pid)
    parent.kill()
    parent.wait()
    parent.stdout.close()
    assert goes(pid)


def test_who_lost_its_parent_before_it_began_never_begins(tmp_path: Path) -> None:
    """The gap between fork and the parent-death signal: the command starts under another parent."""
    for name in ("PATH with setpriv", ""):
        guarded = guarded_argv(
            ["/usr/bin/touch", str(tmp_path / "began")],
            os.environ["PATH"] if name else str(tmp_path),
        )
        stranger = guarded.index(str(os.getpid()))
        guarded[stranger] = "1"
        subprocess.run(guarded, env=ENV, check=False)
        assert not (tmp_path / "began").exists()
        guarded[stranger] = str(os.getpid())
        subprocess.run(guarded, env=ENV, check=True)
        assert (tmp_path / "began").exists()
        (tmp_path / "began").unlink()


def guarded_argv(argv: list[str], path: str) -> list[str]:
    before = os.environ["PATH"]
    os.environ["PATH"] = path
    try:
        return dying_with_us(argv)
    finally:
        os.environ["PATH"] = before


def test_a_forked_program_starts_children_of_its_own() -> None:
    """os.fork() copies no threads: the new process needs its own spawner."""
    code = """
    import os, warnings
    warnings.simplefilter("ignore", DeprecationWarning)
    from pluton_rclone import process
    process.run(["/bin/true"], env={})
    pid = os.fork()
    if pid == 0:
        done = process.run(["/bin/echo", "from the fork"], env={}, timeout=100)
        os.write(1, done.stdout)
        os._exit(0)
    os.waitpid(pid, 0)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=True,
    )
    assert done.stdout == "from the fork\n"


def test_no_thread_to_be_had_is_an_error_and_leaves_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    process.run(["/bin/true"], env=ENV)  # the spawner now exists
    started: list[int] = []

    def refuse(child: process.Child, *_: object) -> threading.Thread:
        started.append(child.pid)
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(process.Child, "_thread", refuse)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        with pytest.raises(RuntimeError):
            process.start(["/bin/sleep", "1000"], env=ENV)
        gc.collect()
    assert not is_running(started[0])


def test_many_at_once_from_many_threads() -> None:
    results: dict[int, bytes] = {}

    def one(number: int) -> None:
        results[number] = process.run(["/bin/echo", str(number)], env=ENV).stdout

    threads = [threading.Thread(target=one, args=(number,)) for number in range(32)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == {number: f"{number}\n".encode() for number in range(32)}


def test_a_program_that_waits_for_every_child_is_not_told_that_all_is_well() -> None:
    """Formerly, the status of a failed rclone was 0."""
    code = """
import os, sys
from pluton_rclone import errors, process
# What holds stderr until the child is gone keeps us from waiting for it ourselves.
held = "(while kill -0 $$ 2>/dev/null; do sleep 0.01; done) >&2 & exit 7"
child = process.start(["/bin/sh", "-c", held], env={"PATH": os.defpath}, on_stdout=print)
os.waitpid(child.pid, 0)
try:
    print(child.wait(60))
except errors.UsageError as error:
    print(child.returncode, error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("1 ")
    assert "that of ours is lost" in done.stdout


# ---- paused --------------------------------------------------------------------------------------

COUNTING = python("""
    import itertools, sys, time
    for number in itertools.count():
        print(number, flush=True)
        time.sleep(0.005)
""")


def stands_still(child: process.Child) -> bool:
    return Path(f"/proc/{child.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


def test_a_paused_child_stands_still_until_it_is_resumed() -> None:
    with process.start(COUNTING, env=ENV) as child:
        lines = child.stdout
        next(lines)
        child.pause()
        assert child.paused
        assert settles(lambda: stands_still(child))
        child.pause()  # no effect
        child.resume()
        assert not child.paused
        assert settles(lambda: not stands_still(child))
        child.resume()  # no effect
        assert int(next(lines)) > 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_paused_child_hears_the_signal_that_ends_it(number: int) -> None:
    with process.start(COUNTING, env=ENV, on_stdout=ignore) as child:
        child.pause()
        assert settles(lambda: stands_still(child))
        child.signal(number)
        assert child.wait(PATIENCE) != 0
        assert not child.paused


def test_a_child_that_is_being_ended_is_not_paused_any_more() -> None:
    with process.start([SH, "-c", "trap '' INT; sleep 60"], env=ENV) as child:
        child.signal(signal.SIGINT)
        child.pause()
        assert not child.paused


def test_a_child_that_has_ended_cannot_be_paused() -> None:
    with process.start([SH, "-c", "exit 0"], env=ENV) as child:
        child.wait(PATIENCE)
        child.pause()
        assert not child.paused


def test_what_must_not_stop_half_way_and_stands_still_is_left_to_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, renewed_by_forks: Callable[..., None]
) -> None:
    monkeypatch.setattr(process, "PATIENCE", 0.01)
    file = tmp_path / "pid"
    renewed_by_forks([SH, "-c", 'echo $$ >"$FILE"; exec sleep 600'], env={**ENV, "FILE": str(file)})
    assert settles(lambda: file.exists() and file.read_text().endswith("\n"))
    pid = int(file.read_text())
    assert is_running(pid)
    os.kill(pid, signal.SIGKILL)
    assert goes(pid)
    assert settles(lambda: not Path(f"/proc/{pid}").exists())


def test_all_children_are_stopped_in_order_and_at_once() -> None:
    polite = [SH, "-c", "trap 'exit 7' INT; echo; while :; do sleep 0.01; done"]
    ladder = [(signal.SIGINT, PATIENCE), (signal.SIGKILL, PATIENCE)]
    with ExitStack() as stack:
        children = [
            stack.enter_context(process.start(polite, env=ENV, ladder=ladder)) for _ in "ab"
        ]
        for child in children:
            assert next(child.stdout) == b""
        process.stop_all()
        process.end_all()
        assert all(child.ended for child in children)
        assert [(child.wait(PATIENCE), child.stopped) for child in children] == [(7, True)] * 2
