"""The Makefile: what its targets name exists, any PYTHON is understood, an interrupted installation
is repaired, and `clean` knows everything that the others make."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent


def would_run(*words: str) -> str:
    """The commands that make would run, independent of a make that runs these tests."""
    env = {
        name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFL"))
    }
    done = subprocess.run(
        ["make", "-n", *words], cwd=ROOT, env=env, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_everything_that_test_quick_lists_is_there() -> None:
    """If one is missing, pytest runs nothing at all."""
    lines = (ROOT / "tests" / "quick.txt").read_text(encoding="utf-8").splitlines()
    listed = [line for line in lines if line and not line.startswith("#")]
    missing = []
    for line in listed:
        file, _, test = line.partition("::")
        place, name = ROOT / file, test.partition("[")[0]
        if not place.exists() or (name and f"def {name}(" not in place.read_text("utf-8")):
            missing.append(line)

    assert len(listed) > 20
    assert missing == []


@pytest.mark.parametrize(
    ("python", "venv"),
    [
        ("", '.venv "python3"'),
        ("python3", '.venv "python3"'),
        ("python3.12", '.venv-python3.12 "python3.12"'),
        ("/opt/my own/python3.12", '.venv-opt-my-own-python3.12 "/opt/my own/python3.12"'),
        ("/opt/bob's/python3", '.venv-opt-bobs-python3 "/opt/bob\'s/python3"'),
    ],
)
def test_any_python_has_a_venv_and_the_empty_one_is_the_default(python: str, venv: str) -> None:
    said = would_run("-W", "constraints.txt", "install", f"PYTHON={python}")
    assert said == f".ci/venv {venv} constraints.txt .\n"


@pytest.mark.parametrize(("target", "usual"), [("test", 8), ("test-quick", 4)])
def test_how_many_workers_there_are_may_come_from_the_environment(
    target: str, usual: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WORKERS", raising=False)
    assert f" -n {usual} " in would_run(target)
    monkeypatch.setenv("WORKERS", "2")
    assert " -n 2 " in would_run(target)


def test_a_python_in_a_folder_with_a_space_is_found(tmp_path: Path) -> None:
    python = tmp_path / "my own" / "python"
    python.parent.mkdir()
    python.symlink_to(sys.executable)
    found = subprocess.run([ROOT / ".ci/python", python], capture_output=True, text=True)

    assert (found.stdout, found.stderr) == (f"{python}\n", "")


def test_an_interrupted_installation_is_made_anew_also_by_two_at_once(tmp_path: Path) -> None:
    """Ctrl-C during the installation of pip: the venv has a Python but no pip."""
    nothing, folder = tmp_path / "nothing.txt", tmp_path / "venv"
    nothing.touch()
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "python").symlink_to(sys.executable)
    words: list[str | Path] = [ROOT / ".ci/venv", folder, sys.executable, nothing]
    with ExitStack() as stack:  # each is waited for, however long pip takes
        both = [
            stack.enter_context(subprocess.Popen(words, cwd=ROOT, stderr=subprocess.DEVNULL))
            for _ in range(2)
        ]

    assert [one.returncode for one in both] == [0, 0]
    subprocess.run([folder / "bin" / "python", "-c", "import pip"], check=True, timeout=120)
    assert (folder / ".ready").exists()


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """The files that an installation needs, and a venv that is marked as complete."""
    folder = tmp_path / "checkout"
    (folder / ".venv" / "bin").mkdir(parents=True)
    for name in ("Makefile", "bin", ".ci", "pyproject.toml", "constraints.txt"):
        (folder / name).symlink_to(ROOT / name)
    (folder / ".venv" / ".ready").write_text(f"{folder.resolve()}/.venv\n")
    return folder


def has_to_install(folder: Path) -> bool:
    asked = ["make", "-q", "-C", str(folder), "install"]
    env = {"PATH": os.environ["PATH"]}
    return subprocess.run(asked, env=env, capture_output=True, timeout=120).returncode == 1


def test_a_checkout_that_was_moved_is_installed_anew(checkout: Path) -> None:
    """Its commands would fail with "No module named …"; a copy would run the original's code."""
    assert not has_to_install(checkout)
    moved = checkout.rename(checkout.with_name("moved, since"))
    assert has_to_install(moved)


def test_the_checkouts_own_command_builds_the_venv_that_it_runs_in(tmp_path: Path) -> None:
    """Formerly, an exported PYTHON selected another venv, built each time and never used."""
    for name in ("Makefile", "bin/pluton-rclone", "pyproject.toml", "constraints.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    (tmp_path / ".ci").mkdir()
    (tmp_path / ".ci" / "venv").write_text('#!/bin/sh\necho "$1 $2"\nexit 1\n')
    (tmp_path / ".ci" / "venv").chmod(0o755)
    env = {"PATH": os.environ["PATH"], "PYTHON": "python3.12"}
    ran = subprocess.run(
        [tmp_path / "bin" / "pluton-rclone"], env=env, capture_output=True, text=True, timeout=120
    )

    assert ".venv python3\n" in ran.stderr


def test_a_venv_that_checkouts_share_by_a_link_is_left_alone(checkout: Path) -> None:
    shared = (checkout / ".venv").rename(checkout.with_name("shared"))
    (shared / ".ready").write_text(f"{shared.resolve()}\n")
    (checkout / ".venv").symlink_to(shared)

    assert not has_to_install(checkout)


def test_pip_installs_into_the_venv_whatever_is_set_for_it(tmp_path: Path) -> None:
    """Debian's users have `user = true` in pip.conf, which pip refuses in a venv."""
    venv, nothing, said = tmp_path / "venv", tmp_path / "nothing.txt", tmp_path / "said"
    nothing.touch()
    (venv / "bin").mkdir(parents=True)
    (venv / ".ready").touch()
    pip = venv / "bin" / "python"
    pip.write_text(f"#!/bin/sh\nenv | grep -E '^PIP_(USER|TARGET|PREFIX)=' >'{said}'\n")
    pip.chmod(0o755)
    env = os.environ | {"PIP_USER": "1", "PIP_TARGET": "/nowhere", "PIP_PREFIX": "/nowhere"}
    words: list[str | Path] = [ROOT / ".ci/venv", venv, sys.executable, nothing]
    # the stand-in exits like grep: with 0 if one of them is set
    subprocess.run(words, cwd=ROOT, env=env, check=True, timeout=120)

    assert said.read_text() == "PIP_USER=0\n"


def test_the_page_starts_without_the_venvs_scripts() -> None:
    """Their first line has the folder's name: a shell would interpret a quote or a dollar."""
    assert ".venv/bin/python -m pluton_rclone demo --web" in would_run("demo-web")


def test_clean_removes_whatever_git_is_told_to_ignore() -> None:
    ignored = (ROOT / ".gitignore").read_text(encoding="utf-8").split()
    removed = would_run("clean")

    assert [name for name in ignored if name.rstrip("/") not in removed] == []
