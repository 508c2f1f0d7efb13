"""rclone-python's update dictionary and rich progress bars, from our transfers."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rclone_python import utils
from rich.markup import escape
from rich.progress import Progress as Pbar

from pluton_rclone.rclone.events import InFlight, Progress

Place = str | os.PathLike[str]


def update_of(progress: Progress) -> dict[str, Any] | None:
    """A listener's update: total, sent, progress (0 to 1), transfer_speed, tasks, and rclone's own
    `rclone_output`; None before there is anything to transfer. Bytes, and bytes per second."""
    if progress.total_bytes <= 0:
        return None
    tasks = [{"name": one.name, **_sent(one, one.size)} for one in progress.in_flight]
    whole = _sent(progress, progress.total_bytes)
    return {"tasks": tasks, **whole, "rclone_output": progress.raw}


def _sent(of: Progress | InFlight, total: int) -> dict[str, Any]:
    done = of.bytes / total if total else 0
    return {"total": total, "sent": of.bytes, "progress": done, "transfer_speed": of.speed}


@contextmanager
def bars(
    doing: str, source: Place, destination: Place, pbar: Pbar | None
) -> Iterator[Callable[[dict[str, Any]], None]]:
    """Yields a function that draws an update, in `pbar` if given. On success the bar is filled, and
    the bars of single files are hidden. Names are shown literally, not as rich markup."""
    drawn = pbar or utils.create_progress_bar()
    ends = (escape(utils.shorten_filepath(os.fspath(place), 20)) for place in (source, destination))
    title = "{} [bold magenta]{}[/bold magenta] to [bold magenta]{}".format(doing, *ends)
    files: dict[str, Any] = {}
    drawn.start()
    try:
        total = drawn.add_task(title, total=None)

        def draw(update: dict[str, Any]) -> None:
            tasks = [{**task, "name": escape(task["name"])} for task in update["tasks"]]
            utils.update_tasks(drawn, total, {**update, "tasks": tasks}, files)

        yield draw
        utils.complete_task(total, drawn)
        for task in files.values():
            drawn.update(task, visible=False)
    finally:
        drawn.stop()
