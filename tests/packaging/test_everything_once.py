"""The additions of `make once` on each Python: every module can be imported by itself, and every
command explains itself."""

from __future__ import annotations

import pkgutil
import subprocess
import sys

import pytest

import pluton_rclone
from pluton_rclone.cli import run
from pluton_rclone.cli.app import COMMANDS

MODULES = [
    module.name for module in pkgutil.walk_packages(pluton_rclone.__path__, "pluton_rclone.")
]

IMPORT_ALL = """
import importlib, sys
for name in sys.argv[1:]:
    if not name.endswith("__main__"):
        importlib.import_module(name)
"""


def test_every_module_can_be_imported_without_a_warning() -> None:
    assert len(MODULES) > 50
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", IMPORT_ALL, *MODULES], capture_output=True, text=True
    )

    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_every_command_explains_itself(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([command, "--help"]) == 0
    assert f"Usage: pluton-rclone {command}" in capsys.readouterr().out
