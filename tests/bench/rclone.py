"""Driving rclone, beside bare rclone and rclone-python 0.1.25 in the same run: listing, copies,
small operations, imports.

`python -m tests.bench rclone`, with `--tables=listing,copy,operations,imports`, `--runs=`,
`--entries=` for less.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from pluton_rclone.rclone.binary import find_binary

from .measure import Numbers, alternate, available_memory, memory_folder, python, table

BINARY = find_binary().path
os.environ["PATH"] = os.path.dirname(BINARY) + os.pathsep + os.environ["PATH"]
os.environ["RCLONE_CONFIG"] = os.devnull

TABLES = ("listing", "copy", "operations", "imports")

OURS = f"""
import json, resource, sys, time
from pathlib import Path
from pluton_rclone.rclone.engine import Rclone
rclone = Rclone({BINARY!r}, config="/dev/null")
def done(**numbers):
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({{"seconds": time.perf_counter() - started, "peak": peak, **numbers}}))
places = list(map(Path, sys.argv[1:]))
started = time.perf_counter()
"""
THEIRS = """
import json, resource, sys, time
from rclone_python import rclone
def done(**numbers):
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": time.perf_counter() - started, "peak": peak, **numbers}))
places = sys.argv[1:]
started = time.perf_counter()
"""

# ---- listing -------------------------------------------------------------------------------------

WALK = """
first = count = 0
for entry in rclone.walk(places[0]):
    count += 1
    if count == 1:
        first = time.perf_counter() - started
done(first=first * 1000, entries=count)
"""
LS = """
entries = rclone.ls(places[0], args=["-R"])
done(first=(time.perf_counter() - started) * 1000, entries=len(entries))
"""


def make_tree(root: Path, entries: int) -> None:
    """Make `entries` entries: folders of 999 empty files each."""
    root.mkdir()
    for number in range(entries // 1000):
        path = root / f"folder {number:05}"
        path.mkdir()
        inside = os.open(path, os.O_RDONLY)
        for file in range(999):
            os.close(
                os.open(f"document {file:04}.txt", os.O_CREAT | os.O_WRONLY, 0o644, dir_fd=inside)
            )
        os.close(inside)


def bare_listing(root: Path) -> Callable[[], Numbers]:
    """The time until bare rclone has written the whole listing to /dev/null."""

    def run() -> Numbers:
        started = time.perf_counter()
        subprocess.run([BINARY, "lsjson", "-R", str(root)], stdout=subprocess.DEVNULL, check=True)
        return {"seconds": time.perf_counter() - started}

    return run


def first_line(root: Path) -> Numbers:
    """The time until bare rclone prints its first entry, read from a pipe."""
    started = time.perf_counter()
    with subprocess.Popen(
        [BINARY, "lsjson", "-R", str(root)], stdout=subprocess.PIPE, bufsize=0
    ) as process:
        assert process.stdout is not None
        seen = b""
        while b"{" not in seen:
            seen += process.stdout.read(4096)
        first = time.perf_counter() - started
        process.kill()
    return {"seconds": first, "first": first * 1000}


def listing(folder: Path, runs: int, entries: int) -> None:
    root = folder / "tree"
    make_tree(root, entries)
    candidates: dict[str, Callable[[], Numbers]] = {
        "bare rclone lsjson -R > /dev/null": bare_listing(root),
        "pluton-rclone walk": lambda: python(OURS + WALK, str(root)),
        "rclone-python ls": lambda: python(THEIRS + LS, str(root)),
    }
    units = {"seconds": "s", "peak": "MiB peak", "first": "ms to first", "entries": "entries"}
    bare = next(iter(candidates))
    found = alternate(candidates, runs)
    table(f"listing {entries:,} local entries", found, base=bare, column="seconds", units=units)
    few: dict[str, Callable[[], Numbers]] = {
        "bare rclone, its first entry": lambda: first_line(root),
        "pluton-rclone walk, first entry": lambda: python(OURS + FIRST, str(root)),
    }
    units = {"first": "ms to first"}
    table(
        "the first entry of it",
        alternate(few, runs),
        base=next(iter(few)),
        column="seconds",
        units=units,
    )
    shutil.rmtree(root)


FIRST = """
entries = rclone.walk(places[0])
next(entries)
first = time.perf_counter() - started
entries.close()
done(first=first * 1000, seconds=first)
"""

# ---- copies --------------------------------------------------------------------------------------

COPY = """
reports = sum(1 for progress in rclone.copy(*places))
done(reports=reports)
"""
COPY_THEIRS = """
reports = []
rclone.copy(*places, show_progress=False, listener=lambda update: reports.append(0))
done(reports=len(reports))
"""


def copies(folder: Path, runs: int, title: str, source: Path) -> None:
    target = folder / "target"

    def bare() -> Numbers:
        started = time.perf_counter()
        subprocess.run([BINARY, "copy", str(source), str(target)], check=True)
        return {"seconds": time.perf_counter() - started}

    def cleared(run: Callable[[], Numbers]) -> Callable[[], Numbers]:
        def cleared_run() -> Numbers:
            numbers = run()
            shutil.rmtree(target)
            return numbers

        return cleared_run

    candidates = {
        "bare rclone copy": cleared(bare),
        "bare rclone copy, again": cleared(bare),
        "pluton-rclone copy with progress": cleared(
            lambda: python(OURS + COPY, str(source), str(target))
        ),
        "rclone-python copy with listener": cleared(
            lambda: python(THEIRS + COPY_THEIRS, str(source), str(target))
        ),
    }
    units = {"seconds": "s", "peak": "MiB peak", "reports": "reports"}
    table(
        title, alternate(candidates, runs), base="bare rclone copy", column="seconds", units=units
    )


def copy(folder: Path, runs: int) -> None:
    small = folder / "small"
    small.mkdir()
    for number in range(10_000):
        if number % 100 == 0:
            (small / f"{number // 100:03}").mkdir()
        (small / f"{number // 100:03}" / f"file {number:05}.bin").write_bytes(os.urandom(2000))
    copies(folder, runs, "copy of 10,000 small files", small)
    shutil.rmtree(small)
    gib = 4 if available_memory() > 11 * 1024**3 else 1
    large = folder / "large"
    large.mkdir()
    with open(large / "file.bin", "wb") as file:
        block = os.urandom(16 * 1024**2)
        for _ in range(gib * 64):
            file.write(block)
    copies(folder, runs, f"copy of one file of {gib} GiB", large)
    shutil.rmtree(large)


# ---- small operations ----------------------------------------------------------------------------

ONE_SHOT = """
for _ in range(200):
    rclone.list(places[0])
done()
"""
ONE_SHOT_THEIRS = """
for _ in range(200):
    rclone.ls(places[0])
done()
"""


def operations(folder: Path, runs: int) -> None:
    small = folder / "few"
    small.mkdir()
    for number in range(10):
        (small / f"file {number}").write_bytes(b"x")

    def rate(code: str) -> Callable[[], Numbers]:
        def run() -> Numbers:
            numbers = dict(python(code, str(small)))
            return {**numbers, "rate": 200 / numbers["seconds"]}

        return run

    candidates = {
        "rclone-python": rate(THEIRS + ONE_SHOT_THEIRS),
        "pluton-rclone": rate(OURS + ONE_SHOT),
    }
    units = {"rate": "operations/s", "seconds": "s", "peak": "MiB peak"}
    title = "200 listings of a folder with 10 files"
    table(title, alternate(candidates, runs), base="rclone-python", column="rate", units=units)
    shutil.rmtree(small)


# ---- imports -------------------------------------------------------------------------------------


def imports(folder: Path, runs: int) -> None:
    def importing(code: str) -> Callable[[], Numbers]:
        def run() -> Numbers:
            started = time.perf_counter()
            subprocess.run([sys.executable, "-c", code], check=True, cwd=folder)
            return {"ms": (time.perf_counter() - started) * 1000}

        return run

    codes = (
        "import rclone_python.rclone",
        "from pluton_rclone import Storages",
        "import pydantic",
        "pass",
    )
    candidates = {code: importing(code) for code in codes}
    title = "importing, start and end of the interpreter included"
    table(title, alternate(candidates, runs), base=codes[0], column="ms", units={"ms": "ms"})


def main() -> None:
    parser = argparse.ArgumentParser(prog="tests.bench rclone", description=__doc__)
    parser.add_argument("--tables", default=",".join(TABLES), help="which, separated by commas")
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--entries", type=int, default=1_000_000)
    options = parser.parse_args()
    chosen = options.tables.split(",")
    with memory_folder() as folder:
        if "listing" in chosen:
            listing(folder, options.runs, options.entries)
        if "copy" in chosen:
            copy(folder, options.runs)
        if "operations" in chosen:
            operations(folder, options.runs)
        if "imports" in chosen:
            imports(folder, options.runs)


if __name__ == "__main__":
    main()
