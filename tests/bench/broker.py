"""What the token broker costs: commands with nothing to do, with it and with the whole token lent.

`--expired`: with an expired token, which Python renews in the first case, rclone in the second.
`--by processor` compares the CPU time of all processes, which works on a busy machine, too.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence

from pluton_rclone.emulator import Emulator
from pluton_rclone.emulator.command import environment
from tests.connected import connected, emulated_drive

from .measure import Numbers, alternate, memory_folder, table

START = """\
import sys
from pluton_rclone.cli import main
from pluton_rclone.saved import lent
{}
sys.exit(main())"""
LENDING = {"the whole token lent": "lent._giver = lambda *_: None", "with the broker": ""}


def worked() -> float:
    """CPU seconds of the child processes that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser("broker", description=__doc__)
    parser.add_argument("--runs", type=int, default=21)
    parser.add_argument("--expired", action="store_true")
    parser.add_argument("--by", choices=["seconds", "processor"], default="seconds")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as home, memory_folder() as folder, Emulator() as cloud:
        os.environ.update(environment(cloud, os.environ), RCLONE_CONFIG=f"{home}/rclone.conf")
        os.environ["XDG_RUNTIME_DIR"] = home  # an empty ledger, without other measurements
        storage = connected(cloud, "business")
        drive = emulated_drive(cloud, "business")
        for number in range(20):
            drive.write(f"docs/letter {number:02}.txt", b"Dear all,\n")
            (folder / f"letter {number:02}.txt").write_bytes(b"Dear all,\n")
        storage.upload(folder, "same").result()
        place = storage.remote_name + ":"

        def expire() -> None:
            section = storage.section_with_secrets()
            token = json.dumps({**json.loads(section["token"]), "expiry": "2020-01-01T00:00:00Z"})
            kept = {"token": token, "pluton_sign_in": section["pluton_sign_in"]}
            storage.storages.conf.update(storage.remote_name, kept)

        def timed(lending: str, command: Sequence[str]) -> Callable[[], Numbers]:
            argv = [sys.executable, "-c", START.format(lending), *command]

            def run() -> Numbers:
                if options.expired:
                    expire()
                started, before = time.perf_counter(), worked()
                subprocess.run(argv, stdout=subprocess.DEVNULL, check=True)
                seconds = time.perf_counter() - started
                return {"seconds": seconds, "processor": worked() - before}

            return run

        for title, command in {
            "ls of one folder": ["ls", f"{place}docs"],
            "copy with nothing to do": ["copy", str(folder), f"{place}same"],
        }.items():
            runs = {name: timed(lending, command) for name, lending in LENDING.items()}
            found = alternate(runs, options.runs)
            base = next(iter(LENDING))
            units = {"seconds": "s", "processor": "s"}
            table(title, found, base=base, column=options.by, units=units)


if __name__ == "__main__":
    main(sys.argv[1:])
