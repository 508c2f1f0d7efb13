"""Run a connection test and kill this process (SIGKILL) at one point of the test: `-m
tests.killed_test STORAGE STEP WHEN` for `tests.forked`.

WHEN is "before", "after" or "during" the step. "during" means as soon as the first request of the
step was answered (only for the steps that ask Microsoft through rclone). STORAGE "new" tests
the remote on stdin, which is not saved.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading

from pluton_rclone import OneDriveRemote, Step, Storages
from pluton_rclone.connection.report import Walk


def main(words: list[str]) -> int:
    name, step, when = words

    def die() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def on_step(done: Step) -> None:
        if done.name == step and when == "after":
            die()

    enter = Walk.step

    def entering(self: Walk, entered: str, title: str):  # type: ignore[no-untyped-def]
        if entered == step and when == "before":
            die()
        if entered == step and when == "during":
            threading.Timer(0.12, die).start()
        return enter(self, entered, title)

    Walk.step = entering  # type: ignore[method-assign,assignment]
    storages = Storages()
    if name == "new":
        storages.test(OneDriveRemote.from_section(json.load(sys.stdin)), on_step)
    else:
        storages[name].test(on_step)
    return 0
