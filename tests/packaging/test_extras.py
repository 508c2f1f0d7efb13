"""A wheel without extras: a command that needs one says in one line what to install; the others
run."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
from pathlib import Path
from unittest.mock import patch

import pytest
from packaging.requirements import Requirement

from pluton_rclone.cli import run

DECLARED = [Requirement(line) for line in importlib.metadata.requires("pluton-rclone") or []]


def modules_of(extra: str) -> list[str]:
    """The modules that only this extra brings, by their import names."""
    needed = {
        item.name for item in DECLARED if item.marker is None or item.marker.evaluate({"extra": ""})
    }
    return [
        item.name.replace("-", "_")
        for item in DECLARED
        if item.name not in needed
        and item.marker
        and any(item.marker.evaluate({"extra": one}) for one in extra.split(","))
    ]


def without(
    extra: str, *arguments: str, cwd: Path, then: str = "main()"
) -> subprocess.CompletedProcess[str]:
    """The command line in a Python without this extra's packages."""
    program = (
        f"import sys; sys.modules |= dict.fromkeys({modules_of(extra)}); from "
        f"pluton_rclone.cli import main, run; {then}"
    )
    return subprocess.run(
        [sys.executable, "-c", program, *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=300,
    )


@pytest.mark.parametrize(
    ("extra", "arguments"),
    [
        ("web", ["web"]),
        ("emulator", ["emulator"]),
        ("emulator", ["emulator", "--", "true"]),
        ("emulator,web", ["demo", "--web"]),
        ("flows", ["flow", "run", "--no-server", "plan.toml"]),
        ("flows", ["plan", "check", "plan.toml"]),
        ("keyring", ["encrypt", "--keyring"]),
    ],
)
def test_a_command_without_its_extra_says_in_one_line_what_to_install(
    extra: str, arguments: list[str], tmp_path: Path
) -> None:
    ran = without(extra, *arguments, cwd=tmp_path)

    assert ran.returncode == 2
    assert (
        ran.stderr.splitlines()[0]
        == f"ERROR This command needs: pip install 'pluton-rclone[{extra}]'"
    )
    assert "Traceback" not in ran.stderr


def test_what_reads_plans_is_asked_for_on_an_old_python_alone(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with patch.dict(sys.modules, {"tomli": None}):
        assert run(["plan", "check", "plan.toml"]) == 2
    asked = "pip install 'pluton-rclone[flows]'" in capsys.readouterr().err
    assert asked == (sys.version_info < (3, 11)), "newer ones read TOML themselves"


@pytest.mark.parametrize("extra", ["web", "emulator"])
def test_the_other_commands_need_no_extra(extra: str, tmp_path: Path) -> None:
    commands = [["--version"], ["options"], ["schema", "ls"], ["storages", "--help"]]
    then = f"sys.exit(sum(abs(run(words)) for words in {commands}))"
    assert without(extra, cwd=tmp_path, then=then).returncode == 0
