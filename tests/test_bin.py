"""`bin/pluton-rclone` runs from a checkout: from any folder, through a symlink, without
activation."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

import pluton_rclone
from pluton_rclone import process

SCRIPT = Path(__file__).parent.parent / "bin" / "pluton-rclone"


MODULES = ("pluton_rclone", "click", "runpy", "importlib", "requests", "sitecustomize", "encodings")


@pytest.fixture
def planted(tmp_path: Path) -> Path:
    """A working folder with planted modules; each records in a file that it ran."""
    folder = tmp_path / "working"
    folder.mkdir()
    for name in MODULES:
        (folder / f"{name}.py").write_text("open('ran', 'a').write(__name__ + '\\n')\n")
    return folder


def test_modules_of_the_working_folder_do_not_run(planted: Path) -> None:
    for path in (None, "", ":"):
        environment = {"PATH": "/usr/bin:/bin"} | ({} if path is None else {"PYTHONPATH": path})
        ran = subprocess.run(
            [str(SCRIPT), "options"], cwd=planted, env=environment, capture_output=True
        )
        assert (ran.returncode, ran.stderr) == (0, b"")
    assert not (planted / "ran").exists()


def test_nor_do_they_in_the_world_of_the_emulator(planted: Path, home: Path) -> None:
    client = "00001111-aaaa-2222-bbbb-3333cccc4444"
    connect = ["pluton-rclone", "connect", "demo", "--type", "personal", "--client-id", client]
    ran = subprocess.run(
        [str(SCRIPT), "emulator", "--", *connect], cwd=planted, capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stderr
    assert not (planted / "ran").exists()


@pytest.mark.parametrize("path", ["/usr/bin:/bin", "/nowhere"], ids=["setpriv", "without setpriv"])
def test_nor_do_they_in_a_child(planted: Path, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", path)
    monkeypatch.chdir(planted)
    assert process.run(["/bin/true"], env={}).returncode == 0
    assert not (planted / "ran").exists()


@pytest.mark.parametrize("how", ["directly", "through a symlink"])
def test_it_runs_from_another_folder(how: str, tmp_path: Path) -> None:
    script = SCRIPT
    if how == "through a symlink":
        script = tmp_path / "linked"
        script.symlink_to(SCRIPT)
    ran = subprocess.run(
        [str(script), "--version"],
        cwd=tmp_path,
        env={"PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
    )
    assert (ran.returncode, ran.stdout.strip()) == (
        0,
        f"pluton-rclone, version {pluton_rclone.__version__}",
    )
