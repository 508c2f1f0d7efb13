"""A small command line beside the same job by bare rclone: `ls`, `stat`, `cat`, and transfers.

On the emulated OneDrive for Business, which answers at once, so that start-up times are compared.
`python -m tests.bench commands`, with `--runs=` for fewer runs. Goals: bare + 80 ms for `ls`,
`stat` and `cat`; for transfers at most bare + 100 ms.
"""

from __future__ import annotations

import argparse
import compileall
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence

import pluton_rclone
from pluton_rclone.emulator import Emulator
from pluton_rclone.emulator.command import environment
from tests.connected import connected, emulated_drive

from .measure import Numbers, alternate, memory_folder

PROGRAM = (sys.executable, "-c", "import sys; from pluton_rclone.cli import main; sys.exit(main())")


def timed(argv: Sequence[str], before: Callable[[], object]) -> Callable[[], Numbers]:
    def run() -> Numbers:
        before()
        started = time.perf_counter()
        subprocess.run(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
        return {"seconds": time.perf_counter() - started}

    return run


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser("commands", description=__doc__)
    parser.add_argument("--runs", type=int, default=9)
    parser.add_argument("--mebibytes", type=int, default=512, help="of the file that is copied")
    options = parser.parse_args(arguments)
    # as pip does: with PYTHONDONTWRITEBYTECODE a changed module is compiled at each start, in 3 ms
    compileall.compile_dir(pluton_rclone.__path__[0], quiet=1)
    with tempfile.TemporaryDirectory() as home, memory_folder() as folder, Emulator() as cloud:
        os.environ.update(environment(cloud, os.environ), RCLONE_CONFIG=f"{home}/rclone.conf")
        os.environ["XDG_RUNTIME_DIR"] = home  # an empty ledger, without other measurements
        storage = connected(cloud, "business")
        binary, drive = storage.rclone.binary.path, emulated_drive(cloud, "business")
        for number in range(20):
            drive.write(f"docs/letter {number:02}.txt", b"Dear all,\n")
        (same := folder / "same").mkdir()
        for number in range(20):
            (same / f"letter {number:02}.txt").write_bytes(b"Dear all,\n")
        storage.upload(same, "same").result()
        (large := folder / "large.bin").write_bytes(os.urandom(options.mebibytes * 1024**2))
        storage.upload(large, "large").result()
        there = folder / "there" / "large.bin"
        place = storage.remote_name + ":"
        kept = lambda: None  # noqa: E731 - nothing to prepare
        gone = lambda: there.unlink(missing_ok=True)  # noqa: E731
        rows: dict[str, tuple[list[str], list[str], Callable[[], object]]] = {
            "ls of one folder": (["lsjson", place + "docs"], ["ls", place + "docs"], kept),
            "stat of one file": (
                ["lsjson", "--stat", place + "docs/letter 01.txt"],
                ["stat", place + "docs/letter 01.txt"],
                kept,
            ),
            "cat of one file": (
                ["cat", place + "docs/letter 01.txt"],
                ["cat", place + "docs/letter 01.txt"],
                kept,
            ),
            "copy with nothing to do": (
                ["copy", str(same), place + "same"],
                ["copy", str(same), place + "same"],
                kept,
            ),
            f"download of {options.mebibytes} MiB": (
                ["copy", place + "large/large.bin", str(there.parent)],
                ["copy", place + "large/large.bin", str(there.parent)],
                gone,
            ),
        }
        load = os.getloadavg()[0]
        print(f"\nsmall commands, medians of {options.runs} runs, load {load:.1f}")
        for title, (bare, ours, before) in rows.items():
            found = alternate(
                {
                    "bare": timed([binary, *bare], before),
                    "ours": timed([*PROGRAM, *ours], before),
                },
                options.runs,
            )
            bare_s, ours_s = (
                statistics.median(run["seconds"] for run in found[name])
                for name in ("bare", "ours")
            )
            print(
                f"  {title:<26} bare {bare_s * 1000:6.0f} ms, ours {ours_s * 1000:6.0f} ms:"
                f" x{ours_s / bare_s:.2f}, {(ours_s - bare_s) * 1000:+.0f} ms",
                flush=True,
            )


if __name__ == "__main__":
    main(sys.argv[1:])
