"""Renews constraints.txt: what pip resolves today for the extras, on the oldest and the newest Python found here.

Where the Pythons disagree the lower version is taken, since that one installs on both.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HEAD = "# Pinned versions for `make install`, good for Python 3.10 to 3.13. Renewed by `make lock`.\n"


def resolve(python: str) -> dict[str, str]:
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([python, "-m", "venv", folder], check=True)
        pip = [f"{folder}/bin/python", "-m", "pip", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "install", f"{ROOT}[rclone,web,emulator,dev]"], check=True)
        frozen = subprocess.run(
            [*pip, "freeze", "--exclude", "pluton-rclone"], check=True, capture_output=True, text=True
        )
    return dict(line.split("==") for line in frozen.stdout.split() if "==" in line)


def order(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdigit())


def works(python: str | None) -> bool:
    return python is not None and subprocess.run([python, "--version"], capture_output=True).returncode == 0


found = [python for name in ("python3.10", "python3.13") if works(python := shutil.which(name))] or [
    sys.executable
]
pins: dict[str, str] = {}
for each in found:
    for name, version in resolve(str(each)).items():
        key = name.lower().replace("_", "-")
        pins[key] = min(pins.get(key, version), version, key=order)
(ROOT / "constraints.txt").write_text(
    HEAD + "".join(f"{name}=={version}\n" for name, version in sorted(pins.items()))
)
print(f"constraints.txt: {len(pins)} packages, resolved with {', '.join(map(str, found))}")
