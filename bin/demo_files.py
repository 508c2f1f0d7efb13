"""The demo's source folder: a few hundred realistic files, some with awkward names."""

from __future__ import annotations

import os
import random
from pathlib import Path

MIB = 1024 * 1024

AWKWARD_NAMES = (
    "empty file.txt",
    "with spaces and 'quotes' and \"double quotes\".txt",
    "$(touch PWNED).txt",
    "`touch PWNED`.txt",
    "-rf",
    "emoji 🦊 and ünïcödé.md",
    "forbidden on OneDrive: a*b?c<d>e|f\\g.txt",
    "trailing dot.",
    " leading space",
    "~tilde first",
    "hash # and percent %41.txt",
    "line\nbreak.txt",
)


def make_source(folder: Path, *, seed: int = 1) -> None:
    """Write about 300 files (some 70 MiB) below `folder`; the same seed gives the same bytes."""
    dice = random.Random(seed)
    for year in range(2021, 2027):
        for month in range(1, 13):
            place = folder / "photos" / str(year) / f"{month:02}"
            place.mkdir(parents=True)
            for number in range(4):
                (place / f"IMG_{number:04}.jpg").write_bytes(
                    dice.randbytes(dice.randrange(2_000, 30_000))
                )
    names = folder / "awkward names"
    names.mkdir()
    for name in AWKWARD_NAMES:
        (names / name).write_bytes(b"" if name.startswith("empty") else name.encode())
    (folder / "an empty folder").mkdir()
    with open(os.path.join(os.fsencode(names), b"not UTF-8 \xff\xfe.txt"), "wb") as file:
        file.write(b"a name that is no text")
    with (folder / "database dump.sql").open("wb") as file:
        for _ in range(60):
            file.write(dice.randbytes(MIB))
