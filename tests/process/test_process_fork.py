"""os.fork() below us, as some servers do: the parent keeps what it holds, and no lock is inherited
locked."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import pluton_rclone

HEAD = """
import os, signal, sys, threading, warnings
warnings.simplefilter("ignore")
from pathlib import Path
from pluton_rclone import process
from pluton_rclone.conf.conf import Conf
from pluton_rclone.rclone.engine import Rclone

def fork_and_leave():
    pid = os.fork()
    if pid == 0:
        signal.alarm(300)
        sys.exit(7)  # unwinds every `with` of the parent
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7

config = Path(sys.argv[1])
"""

LOAN = """
conf = Conf(config)
with conf.private(["one"]) as private:
    fork_and_leave()
    assert private.path.exists(), "removed"
    text = private.path.read_text()
    # as rclone does
    private.path.write_text(text.replace(conf.section("one")["token"], sys.argv[2]))
assert conf.section("one")["token"] == sys.argv[2]
assert not private.path.exists()
"""

CHILD = """
with process.start(["/bin/cat"], env={}, stdin=iter(lambda: (gate.wait(), b"")[1], b"")) \\
        if (gate := threading.Event()) else None as child:
    fork_and_leave()
    assert not child.ended
    gate.set()
    assert child.wait(300) == 0
"""

ENDPOINT = """
from pluton_rclone.microsoft.entra.browser import LoopbackReceiver
with LoopbackReceiver() as receiver:
    fork_and_leave()
"""

PASSWORD = """
from pluton_rclone.conf.shared import SharedConfig
Conf(config).encrypt("geheim")
asked, gate = threading.Event(), threading.Event()
shared = SharedConfig(config, lambda: (asked.set(), gate.wait(300), "geheim")[2])
person = threading.Thread(target=shared.document)
person.start()
asked.wait()
pid = os.fork()
if pid == 0:
    signal.alarm(300)
    assert Conf(config, password="geheim").names() == ["one"]
    os._exit(7)
gate.set()
assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
person.join()
"""

FORKS = """
from pluton_rclone.rclone.binary import Binary
script = config.with_name("rclone")
script.write_text("#!/bin/sh\\necho rclone v1.75.2\\n")
script.chmod(0o755)
conf = Conf(config)
def version(): return str(Binary(script).version), conf.names()
over = threading.Event()
def busy():
    while not over.is_set():
        version()
threads = [threading.Thread(target=busy) for _ in range(2)]
for thread in threads: thread.start()
for _ in range(int(sys.argv[2])):
    pid = os.fork()
    if pid == 0:
        signal.alarm(300)
        version()
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
over.set()
for thread in threads: thread.join()
"""

OLD = '{"access_token":"a","refresh_token":"r","expiry":"2026-01-01T00:00:00Z"}'
NEW = '{"access_token":"b","refresh_token":"s","expiry":"2026-02-01T00:00:00Z"}'


def run(code: str, folder: Path, argument: str = "") -> None:
    config = folder / "rclone.conf"
    config.write_text(f"[one]\ntype = onedrive\ntoken = {OLD}\n")
    argv = [sys.executable, "-c", HEAD + code, str(config), argument]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("code", [LOAN, CHILD, ENDPOINT], ids=["loan", "child", "server"])
def test_a_forked_child_that_leaves_takes_nothing_of_the_parents_along(
    code: str, home: Path
) -> None:
    run(code, home, NEW)


def test_a_fork_while_a_password_is_asked_for_does_not_wait_for_it(home: Path) -> None:
    run(PASSWORD, home)


@pytest.mark.attack
def test_children_forked_by_one_thread_while_others_work_do_not_hang(home: Path) -> None:
    run(FORKS, home, "40")


def test_no_module_but_the_command_lines_has_a_cached_property() -> None:
    """Until Python 3.12, one has a lock, which a child forked meanwhile inherits locked."""
    root = Path(pluton_rclone.__file__).parent
    found = {
        str(path.relative_to(root))
        for path in root.rglob("*.py")
        if "cached_property\n" in path.read_text() and path.parts[len(root.parts)] != "cli"
    }
    assert {path for path in found if not path.startswith("emulator")} == set()
