"""The real rclone for the tests of this folder, and trees of files."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

RCLONE = Path(sys.executable).with_name("rclone")
PROGRAM = """
import sys, pluton_rclone.preflight as p
for finding in p.preflight(sys.argv[1]):
    print(finding.path, finding.rule.name)
"""
# root without the capability to read everything, for tests of unreadable files
ORDINARY_USER = (
    ["setpriv", "--bounding-set=-dac_override,-dac_read_search", "--"] if os.geteuid() == 0 else []
)


def rclone(
    *arguments: str, environment: Mapping[str, str] | None = None, before: Sequence[str] = ()
) -> subprocess.CompletedProcess[bytes]:
    """Run rclone with these arguments and without this machine's configuration; `before` is put in
    front of the command."""
    keep = {name: value for name, value in os.environ.items() if not name.startswith("RCLONE_")}
    keep["RCLONE_CONFIG"] = os.environ["RCLONE_CONFIG"] if environment is None else "/notfound"
    return subprocess.run(
        [*before, RCLONE, "--retries", "1", "--low-level-retries", "1", *arguments],
        env={**keep, **(environment or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=120,
        check=False,
    )


def unreadable_as_ordinary_user(source: Path) -> list[str]:
    """The findings of preflight in `source` without the right to read everything, as sorted "path
    rule"."""
    done = subprocess.run(
        [*ORDINARY_USER, sys.executable, "-c", PROGRAM, str(source)],
        capture_output=True,
        text=True,
        check=True,
    )
    return sorted(done.stdout.splitlines())


def make(root: Path, files: Mapping[str, bytes]) -> Path:
    """A folder with these files: paths (with surrogates, as in Python) and contents; "x/" is an
    empty folder."""
    for path, content in files.items():
        full = os.fsencode(root) + b"/" + path.encode("utf-8", "surrogateescape")
        os.makedirs(full if path.endswith("/") else os.path.dirname(full), exist_ok=True)
        if not path.endswith("/"):
            with open(full, "wb") as file:
                file.write(content)
    return root


def tree(root: Path | str) -> dict[str, bytes | None]:
    """Everything below a folder: path (with surrogates, as in Python) to content; None for folders
    and special files."""
    found: dict[str, bytes | None] = {}
    top = os.fsencode(root)
    for folder, folders, files in os.walk(top):
        for name in folders:
            found[_below(top, folder, name)] = None
        for name in files:
            full = os.path.join(folder, name)
            ordinary = os.path.isfile(full) and os.path.getsize(full) < 1 << 30
            found[_below(top, folder, name)] = (
                Path(os.fsdecode(full)).read_bytes() if ordinary else None
            )
    return found


def _below(top: bytes, folder: bytes, name: bytes) -> str:
    return os.path.relpath(os.path.join(folder, name), top).decode("utf-8", "surrogateescape")
