"""Preflight of a million files, beside `find -printf '%s %y %p\\n'` on the same tree in the same
run.

Median of alternating runs, each in a separate process; the tree is in memory if there is a
/dev/shm. Run with `python -m tests.bench.preflight`; `--files` and `--runs` reduce the work.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

FIND = ["find", "-printf", "%s %y %p\\n"]
SCAN = """
import sys
from pluton_rclone.preflight import preflight
prefix = "personal/bert_contoso_onmicrosoft_com/Documents"
scan = preflight(sys.argv[1], prefix=prefix, base="backup/laptop", quota_free=10**15)
for _ in scan:
    pass
summary = scan.summary
print(summary.files, sum(summary.by_rule.values()))
"""


def camera(number: int) -> str:
    """A name such as machines generate."""
    return f"IMG_20240612_{number:08}.jpeg"


def people(number: int) -> str:
    """A name such as people choose: every third has letters beyond ASCII, every third a character
    that rclone translates."""
    return (
        f"Übersicht für März {number:06}.xlsx",
        f"report 12:30 {number:06}.pdf",
        f"会議メモ{number:06}.txt",
    )[number % 3]


def make_tree(root: Path, files: int, folders: int, name: Callable[[int], str]) -> None:
    """Make `files` small files, evenly in `folders` folders, a hundred of which share a parent."""
    for folder in range(folders):
        path = root / f"project {folder // 100:03}" / f"part {folder % 100:02}"
        path.mkdir(parents=True)
        inside = os.open(path, os.O_RDONLY)
        for number in range(folder * files // folders, (folder + 1) * files // folders):
            file = os.open(name(number), os.O_CREAT | os.O_WRONLY, 0o644, dir_fd=inside)
            os.ftruncate(file, number % 5000)
            os.close(file)
        os.close(inside)


def run(arguments: list[str], output: int | None) -> tuple[float, int, str]:
    """Run a program; return seconds, peak memory in KiB and its output."""
    started = time.perf_counter()
    process = subprocess.Popen(arguments, stdout=output, text=True)
    printed = process.stdout.read() if process.stdout is not None else ""
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{arguments[0]} failed with {process.returncode}")
    return seconds, usage.ru_maxrss, printed


def compare(root: Path, runs: int) -> None:
    """Alternate the two on the tree and print both, their ratio and the memory."""
    find = [FIND[0], str(root), *FIND[1:]]
    scan = [sys.executable, "-c", SCAN, str(root)]
    bare, ours, memory = [], [], []
    printed = ""
    for _ in range(runs):
        bare.append(run(find, subprocess.DEVNULL)[0])
        seconds, peak, printed = run(scan, subprocess.PIPE)
        ours.append(seconds)
        memory.append(peak)
    ratios = [mine / other for mine, other in zip(ours, bare, strict=True)]
    seen, findings = printed.split()
    print(
        f"  find {statistics.median(bare):.2f} s ({min(bare):.2f}–{max(bare):.2f}),"
        f" preflight {statistics.median(ours):.2f} s ({min(ours):.2f}–{max(ours):.2f}):"
        f" {statistics.median(ratios):.2f} x find ({min(ratios):.2f}–{max(ratios):.2f}), at most 6 "
        "wanted;"
        f" peak memory {max(memory) / 1024:.0f} MiB; {int(seen):,} files, {findings} findings"
    )


def main(arguments: list[str] | None = None) -> None:
    """Make the trees, measure, remove the trees."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.preflight", description=__doc__)
    parser.add_argument("--files", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args(arguments)
    few = options.files // 5
    trees: list[tuple[str, int, int, Callable[[int], str]]] = [
        ("camera names, 100 to a folder", options.files, max(1, options.files // 100), camera),
        (
            "names beyond ASCII and translated ones, 100 to a folder",
            few,
            max(1, few // 100),
            people,
        ),
        ("two to a folder", few, max(1, few // 2), camera),
        ("all in one folder", few, 1, camera),
    ]
    memory = Path("/dev/shm")
    for title, files, folders, name in trees:
        root = Path(tempfile.mkdtemp(prefix="preflight-", dir=memory if memory.is_dir() else None))
        try:
            make_tree(root, files, folders, name)
            print(f"preflight, {files:,} files, {title}, {options.runs} runs:", flush=True)
            compare(root, options.runs)
        finally:
            shutil.rmtree(root)


if __name__ == "__main__":
    main()
