"""The imports of small commands: few before rclone starts, the rest while rclone starts.

The tests count modules instead of milliseconds, because they are the same on every machine. `python
-m tests.bench commands` measures the time.
"""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from pluton_rclone.emulator import Emulator
from tests.connected import connected, emulated_drive

# Prints the modules at the start of the first process and at the end, and runs the command between.
_TOLD = """
import atexit, json, sys
modules = []
def hear(event, arguments):
    if event == "subprocess.Popen" and not modules:
        modules.append(list(sys.modules))
sys.addaudithook(hear)
atexit.register(lambda: print(json.dumps([*modules, list(sys.modules)]), file=sys.stderr))
from pluton_rclone.cli import main
main()
"""
_NEVER = {
    *("pydantic", "requests", "urllib3", "msal", "cryptography", "rich", "rclone_python"),
    *("asyncio", "email", "http", "importlib.metadata", "ssl", "csv", "difflib"),
    "pluton_rclone.rclone.faults",  # the patterns of errors
}
_BESIDE_RCLONE = {
    *("concurrent.futures", "ctypes", "dataclasses", "filelock", "hashlib", "logging", "msgspec"),
    *("secrets", "shutil", "sqlite3"),
    *(f"pluton_rclone.rclone.{name}" for name in ("events", "listing", "results", "tally")),
    *("pluton_rclone.pace.budgets", "pluton_rclone.pace.governor", "pluton_rclone.runs"),
    "pluton_rclone.values.refusals",
}


@pytest.mark.parametrize(
    "words",
    [
        ("ls", "business:docs"),
        ("stat", "business:docs/letter.txt"),
        ("cat", "business:docs/letter.txt"),
        ("copy", "business:docs", "."),
    ],
    ids=lambda words: str(words[0]),
)
def test_a_small_command_imports_little_before_rclone_starts_and_nothing_large_at_all(
    words: tuple[str, ...], cloud: Emulator, tmp_path: Path
) -> None:
    storage = connected(cloud, "business")
    emulated_drive(cloud, "business").write("docs/letter.txt", b"Dear all,\n")
    assert storage.rclone.binary.version  # it is cached: no command asks again

    done = subprocess.run(
        [sys.executable, "-c", _TOLD, *words], capture_output=True, check=True, cwd=tmp_path
    )
    before, after = map(set, json.loads(done.stderr.splitlines()[-1]))

    assert before.isdisjoint(_NEVER | _BESIDE_RCLONE), before & (_NEVER | _BESIDE_RCLONE)
    assert after.isdisjoint(_NEVER), after & _NEVER


def test_the_modules_that_are_not_imported_are_there() -> None:
    assert [name for name in _NEVER | _BESIDE_RCLONE if find_spec(name) is None] == []


_RENEWED = """
import sys
from pluton_rclone.saved.renewal import Conf, renewed_here
renewed_here(Conf(), "business", ())
print("msal" in sys.modules, "pydantic" in sys.modules)
"""


def test_the_process_that_renews_a_token_loads_no_model_of_a_remote(cloud: Emulator) -> None:
    storage = connected(cloud, "business", seconds=1)
    before = storage.section_with_secrets()["token"]
    done = subprocess.run([sys.executable, "-c", _RENEWED], capture_output=True, check=True)
    assert done.stdout.split() == [b"True", b"False"]
    assert storage.section_with_secrets()["token"] != before
