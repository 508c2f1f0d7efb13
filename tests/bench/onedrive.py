"""A storage beside bare rclone with its defaults, on the emulated OneDrive for Business, in two
worlds.

(a) every answer takes 60 ms; (b) in addition, Microsoft's documented budgets are enforced, in a
tenth of Microsoft's time: a tenth of the budgets, windows a tenth as long, a tenth of the files.
The rates are Microsoft's own; the limits that we know are scaled in the same way. Run with `python
-m tests.bench.onedrive`; `--files 2000 --items 100000` is the full size, and `--scale 1` is
Microsoft's own time, which takes more than an hour. A listing is also compared with bare rclone
reading the delta feed, which may leave entries out.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from pluton_rclone import Storage
from pluton_rclone.emulator import Emulator
from pluton_rclone.emulator.command import environment
from tests.connected import connected, emulated_drive

LATENCY = 0.060
STORAGE = """
import sys
from pluton_rclone import Storages
from pluton_rclone.pace.budgets import LIMITS, Budget, Limit
from pluton_rclone.pace.ledger import BUDGETS, account_of
name, scale, *given = sys.argv[1:]
storage = Storages()[name]
BUDGETS[account_of(storage.section_with_secrets())] = Budget(
    [Limit(limit.amount / int(scale), limit.seconds / int(scale), limit.counts) for limit in LIMITS]
)
"""
"""Our storage; if time is scaled, so are the limits that we know."""
WALK = STORAGE + "print(sum(1 for _ in storage.walk(given[0], by=given[1])))"
UPLOAD = STORAGE + "print(storage.upload(given[0], 'up').result().transfers)"


class Figure(NamedTuple):
    """One run: seconds, requests, refusals (429)."""

    seconds: float
    requests: int
    refused: int


@contextmanager
def world(name: str) -> Iterator[tuple[Emulator, Storage]]:
    """A new emulated Microsoft with one business storage and an empty ledger of budgets; "b" has
    budgets."""
    kept = dict(os.environ)
    with tempfile.TemporaryDirectory() as folder, Emulator() as cloud:
        os.environ.update(
            environment(cloud, os.environ),
            RCLONE_CONFIG=str(Path(folder) / "rclone.conf"),
            XDG_RUNTIME_DIR=folder,
        )
        try:
            yield cloud, connected(cloud, "business")
        finally:
            os.environ.clear()
            os.environ.update(kept)


def measured(
    name: str, scale: int, fill: Callable[[Emulator], None], work: Callable[[Storage], None]
) -> Figure:
    """Fill the drive, then measure `work` in that world, whose time runs `scale` times as fast."""
    with world(name) as (cloud, storage):
        fill(cloud)
        cloud.faults.latency = LATENCY
        if name == "b":
            cloud.budgets.enable(time_scale=scale, share=1 / scale)
        first, started = len(cloud.requests), time.perf_counter()
        work(storage)
        seconds = time.perf_counter() - started
        requests = cloud.requests[first:]
        return Figure(seconds, len(requests), sum(request.status == 429 for request in requests))


def bare(*arguments: str) -> Callable[[Storage], None]:
    """rclone with its defaults."""

    def work(storage: Storage) -> None:
        argv = [storage.rclone.binary.path, *arguments]
        subprocess.run(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)

    return work


def ours(script: str, scale: int, wanted: int, *given: str) -> Callable[[Storage], None]:
    """Our script in a separate process, like bare rclone: here it would compete with the emulator.

    It must do all the `wanted` work: a fast but incomplete run is worth nothing.
    """

    def work(storage: Storage) -> None:
        argv = [sys.executable, "-c", script, storage.remote_name, str(scale), *given]
        done = subprocess.run(argv, stdout=subprocess.PIPE, check=True)
        if int(done.stdout) != wanted:
            raise SystemExit(f"{int(done.stdout)} were done instead of {wanted}")

    return work


def compare(
    title: str,
    name: str,
    scale: int,
    folder: Path,
    count: int,
) -> None:
    """Upload with both, one after the other, and print the ratio."""
    theirs = measured(name, scale, nothing, bare("copy", str(folder), "business:up"))
    mine = measured(name, scale, nothing, ours(UPLOAD, scale, count, str(folder)))
    print(
        f"({name}) {title:<34} bare {theirs.seconds:6.1f} s {theirs.requests:5} requests "
        f"{theirs.refused:3} refused | "
        f"ours {mine.seconds:6.1f} s {mine.requests:5} requests {mine.refused:3} refused | "
        f"{theirs.seconds / mine.seconds:.2f} x",
        flush=True,
    )


def files(folder: Path, count: int, size: int) -> Path:
    for number in range(count):
        path = folder / f"folder {number % 20}" / f"{number}.bin"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(os.urandom(size))
    return folder


def tree(folders: int, each: int, top: str) -> Callable[[Emulator], None]:
    def fill(cloud: Emulator) -> None:
        drive = emulated_drive(cloud, "business")
        for folder in range(folders):
            for number in range(each):
                drive.write(f"{top}folder {folder}/{number}", b"")

    return fill


def list_drive(name: str, scale: int, items: int, each: int, top: str) -> None:
    """List the same drive with bare rclone, with bare rclone from its delta feed, and with us."""
    folders = items // each
    filled, place = tree(folders, each, top), top.rstrip("/")
    title = f"{folders * each} files in {folders} folders, {'deep inside' if top else 'root'}"
    candidates: dict[str, Callable[[Storage], None]] = {
        "bare": bare("lsjson", "-R", f"business:{place}"),
        "bare, delta": bare("lsjson", "-R", "--onedrive-delta", "--fast-list", f"business:{place}"),
        "ours": ours(WALK, scale, folders * (each + 1), place, "auto"),
    }
    if place:
        candidates["ours, feed"] = ours(WALK, scale, folders * (each + 1), place, "feed")
    figures = {who: measured(name, scale, filled, work) for who, work in candidates.items()}
    mine = figures["ours"]
    print(f"({name}) listing of {title}")
    for who, figure in figures.items():
        print(
            f"      {who:<12} {figure.seconds:7.1f} s {figure.requests:6} requests "
            f"{figure.refused:4} refused"
            f" | ours {figure.seconds / mine.seconds:6.2f} x faster,"
            f" {figure.requests / mine.requests:6.1f} x fewer requests",
            flush=True,
        )


def uploads(name: str, scale: int, count: int, large: int) -> None:
    """Upload small files, and in world (a) one large file."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = files(Path(temporary) / "small", count, 2000)
        compare(f"upload of {count} small files", name, scale, folder, count)
        if name == "a":
            folder = files(Path(temporary) / "large", 1, large * 1024 * 1024)
            compare(f"upload of one file, {large} MiB", name, scale, folder, 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", default="upload,list", help="what is done [upload,list]")
    parser.add_argument(
        "--files", type=int, default=200, help="small files to upload, before scaling [200]"
    )
    parser.add_argument("--large", type=int, default=1024, help="MiB of the large file [1024]")
    parser.add_argument(
        "--items", type=int, default=10_000, help="files to list, before scaling [10000]"
    )
    parser.add_argument("--each", default="50,5", help="files in each folder that is listed [50,5]")
    parser.add_argument("--where", default="root,deep", help="where the folders lie [root,deep]")
    parser.add_argument("--worlds", default="ab", help="which worlds [ab]")
    parser.add_argument(
        "--scale", type=int, default=10, help="how much faster time runs in world b [10]"
    )
    given = parser.parse_args()
    for name in given.worlds:
        scale = given.scale if name == "b" else 1
        if "upload" in given.work:
            uploads(name, scale, max(1, given.files // scale), given.large)
        if "list" in given.work:
            for each in map(int, given.each.split(",")):
                for where in given.where.split(","):
                    top = "" if where == "root" else "deep/er/"
                    list_drive(name, scale, max(each, given.items // scale), each, top)


def nothing(cloud: Emulator) -> None:
    """Leave the drive empty."""


if __name__ == "__main__":
    main()
