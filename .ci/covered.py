"""The branch coverage of the last `make coverage`, by room: each line and each branch that a test
process executed. Commands, rclones and forks that the tests start are not counted.
"""

from __future__ import annotations

import collections
import json
import tempfile
from pathlib import Path, PurePosixPath

from coverage import Coverage

FIELDS = ("num_statements", "missing_lines", "num_branches", "missing_branches")


def room(path: str) -> str:
    """The folder of a module; the emulator is one room."""
    folder = PurePosixPath(path).parent.relative_to("pluton_rclone")
    return "emulator" if folder.parts[:1] == ("emulator",) else str(folder)


def main() -> None:
    measured = Coverage()
    measured.combine()
    measured.save()
    with tempfile.NamedTemporaryFile() as file:
        measured.json_report(outfile=file.name)
        files = json.loads(Path(file.name).read_text())["files"]
    rooms: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
    for path, found in files.items():
        for name in (room(path), "everything"):
            rooms[name].update({field: found["summary"][field] for field in FIELDS})
    print(f"{'room':24} {'lines':>7} {'missed':>7} {'branches':>9} {'missed':>7} {'covered':>8}")
    for name in sorted(rooms, key=lambda name: (name == "everything", name)):
        lines, no_lines, branches, no_branches = (rooms[name][field] for field in FIELDS)
        covered = 1 - (no_lines + no_branches) / max(lines + branches, 1)
        print(f"{name:24} {lines:7} {no_lines:7} {branches:9} {no_branches:7} {covered:8.1%}")


main()
