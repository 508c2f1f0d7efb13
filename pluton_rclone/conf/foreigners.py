"""Rclones on this machine that we did not start: whether one may be in the middle of a save.

rclone checks whether the file has changed, and some tenths of a millisecond later creates the
temporary file for its save; between the two, nothing on the disk shows the save. An rclone whose
threads all sleep is not in between. Linux only; elsewhere and across containers, we just wait.

Measured beside four rclones that saved without a pause (`config update`), two processors, load 15:
27 of 296 of our changes were lost without a later check, 5 of 4,539 with a check after 15 ms, 2 of
1,703 after 100 ms, and none of 383 with this.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterable
from pathlib import Path

from .environment import default_path

_PAUSE = 0.002
_AT_WORK = (b"R", b"D")  # the thread runs, waits for a processor, or waits for the disk


def foreign_rclones(path: Path) -> set[int]:
    """The process ids of rclones that use this rclone.conf; our own rclones use private ones."""
    processes = filter(str.isdigit, _list("/proc"))
    rclones = (one for one in processes if _read(f"/proc/{one}/comm").startswith(b"rclone"))
    return {int(one) for one in rclones if _config_of(one) in (None, path)}


def _config_of(process: str) -> Path | None:
    """The file that this rclone uses; None if that is unknown (another user's process)."""
    arguments = os.fsdecode(_read(f"/proc/{process}/cmdline")).split("\0")
    found = None
    for argument, following in zip(arguments, [*arguments[1:], ""], strict=True):
        if argument == "--config":
            found = following
        elif argument.startswith("--config="):
            found = argument.partition("=")[2]
    try:
        folder = os.readlink(f"/proc/{process}/cwd")
        if found is None:
            entries = Path(f"/proc/{process}/environ").read_bytes().split(b"\0")
            pairs = (os.fsdecode(entry).partition("=") for entry in entries if entry)
            values = {name: value for name, _, value in pairs}
            found = os.fspath(default_path(values, os.readlink(f"/proc/{process}/exe")))
        return Path(os.path.realpath(os.path.join(folder, found)))
    except OSError:
        return None


def wait_until_asleep(processes: Iterable[int], seconds: float) -> None:
    """Wait at most `seconds` until each has ended, or all its threads slept twice in a row."""
    deadline = time.monotonic() + seconds
    awake = dict.fromkeys(processes, 0)
    while awake and time.monotonic() < deadline:
        for process in list(awake):
            awake[process] = 0 if is_at_work(process) else awake[process] + 1
            if awake[process] == 2:
                del awake[process]
        if awake:
            time.sleep(_PAUSE)


def is_at_work(process: int) -> bool:
    tasks = f"/proc/{process}/task"
    # "12 (name) S …": the name may contain any character
    states = (_read(f"{tasks}/{task}/stat").rpartition(b") ")[2][:1] for task in _list(tasks))
    return any(state in _AT_WORK for state in states)


def _list(folder: str) -> list[str]:
    with contextlib.suppress(OSError):
        return os.listdir(folder)
    return []


def _read(path: str) -> bytes:
    with contextlib.suppress(OSError), open(path, "rb", buffering=0) as file:
        return file.read()
    return b""
