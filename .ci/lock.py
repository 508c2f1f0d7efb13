"""Renew the pinned versions, each with its hashes, for every Python from 3.10 on.

constraints.txt   what `make install` installs: the newest versions, marked where Pythons differ
.ci/floors.txt    what `make floors` installs: the lowest versions that pyproject.toml declares
.ci/third-parties.txt  the clients with which `make third-parties` tests the emulator
.ci/tools.txt     what `make lock` and `make dist-check` use

uv resolves for all Pythons at once; then the pip of every available Python tries each file. The
files are written only if every step succeeded. Otherwise the old ones stay, and the error names the
step that failed.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
UV = Path(sys.executable).with_name("uv")
RESOLVE = [
    "--universal",
    "--python-version=3.10",
    "--generate-hashes",
    "--no-header",
    "--no-annotate",
    "--upgrade",
]
FILES = {
    "constraints.txt": (
        "The newest versions, for `make install`",
        ["--all-extras", "pyproject.toml"],
    ),
    ".ci/floors.txt": (
        "The lowest versions that pyproject.toml declares, for `make floors`",
        [
            "--extra=rclone",
            "--extra=web",
            "--extra=emulator",
            "--resolution=lowest-direct",
            "pyproject.toml",
        ],
    ),
    ".ci/third-parties.txt": (
        "Other clients of OneDrive, for `make third-parties`",
        ["--constraint=constraints.txt", ".ci/third-parties.in"],
    ),
    ".ci/tools.txt": ("For `make lock` and `make dist-check`", [".ci/tools.in"]),
}


class Failed(Exception):
    """A step that failed; the message is the command and its output."""


def run(*command: str | Path) -> str:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        raise Failed(f"{' '.join(map(str, command))}\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.stdout


def resolved(name: str) -> str:
    """The text of one file, with a first line that says what it is."""
    purpose, arguments = FILES[name]
    pins = run(UV, "pip", "compile", "--quiet", *RESOLVE, *arguments)
    return f"# {purpose}: every Python from 3.10 on, with hashes. Renewed by `make lock`.\n{pins}"


def check(python: str, texts: dict[str, str], folder: Path) -> None:
    """Check that this Python's pip finds all that each text pins; otherwise raise Failed."""
    venv = folder / "venv"
    run(python, "-m", "venv", "--clear", venv)
    for name, text in texts.items():
        file = folder / Path(name).name
        file.write_text(text)
        pip = [
            venv / "bin" / "python",
            "-m",
            "pip",
            "--quiet",
            "--disable-pip-version-check",
            "install",
        ]
        run(*pip, "--dry-run", "--only-binary=:all:", "--require-hashes", "-r", file)


def main() -> None:
    texts = {name: resolved(name) for name in FILES}
    found = dict(line.split(maxsplit=1) for line in run(".ci/python").splitlines())
    with tempfile.TemporaryDirectory() as folder:
        for version, python in found.items():
            check(python, texts, Path(folder))
            print(f"pip of Python {version} finds all", flush=True)
    for name, text in texts.items():
        (ROOT / name).write_text(text)
        print(f"{name}: {text.count('==')} pins")


try:
    main()
except Failed as failed:
    sys.exit(f"Nothing was written. This did not work:\n{failed}")
