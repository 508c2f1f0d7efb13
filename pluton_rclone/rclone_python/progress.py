"""rclone-python's update dictionary and its rich bars, fed by our transfers."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from rclone_python import utils

from pluton_rclone.rclone.events import InFlight, Progress

if TYPE_CHECKING:
    from rich.progress import Progress as Pbar

Place = str | os.PathLike[str]


def update_of(progress: Progress) -> dict[str, Any] | None:
    """What a listener gets: total, sent, progress (0 to 1), transfer_speed, tasks, and rclone's own
    `rclone_output`; None before there is anything to transfer. Bytes, and bytes per second."""
    if progress.total_bytes <= 0:
        return None
    tasks = [{"name": one.name, **_sent(one, one.size)} for one in progress.in_flight]
    whole = _sent(progress, progress.total_bytes)
    return {"tasks": tasks, **whole, "rclone_output": progress.raw}


def _sent(of: Progress | InFlight, total: int) -> dict[str, Any]:
    done = of.bytes / total if total else 0
    return {"total": total, "sent": of.bytes, "progress": done, "transfer_speed": of.speed}


class Bars:
    """The bars of one transfer, in `pbar` if it is given; none if `shown` is not set."""

    def __init__(
        self, doing: str, source: Place, destination: Place, pbar: Pbar | None, *, shown: bool
    ) -> None:
        self._pbar = (pbar or utils.create_progress_bar()) if shown else None
        ends = (utils.shorten_filepath(os.fspath(place), 20) for place in (source, destination))
        told = "{} [bold magenta]{}[/bold magenta] to [bold magenta]{}"
        self._title = told.format(doing, *map(_shown, ends))
        self._files: dict[str, Any] = {}
        self._total: Any = None

    def __enter__(self) -> Bars:
        if self._pbar is not None:
            self._pbar.start()
            self._total = self._pbar.add_task(self._title, total=None)
        return self

    def __exit__(self, *error: object) -> None:
        if self._pbar is not None:
            self._pbar.stop()

    def update(self, update: dict[str, Any]) -> None:
        """Draw the progress. Names are shown literally, also if they look like rich's markup."""
        if self._pbar is not None:
            tasks = [{**task, "name": _shown(task["name"])} for task in update["tasks"]]
            utils.update_tasks(self._pbar, self._total, {**update, "tasks": tasks}, self._files)

    def complete(self) -> None:
        """Fill the bar, hide those of single files."""
        if self._pbar is not None:
            utils.complete_task(self._total, self._pbar)
            for task in self._files.values():
                self._pbar.update(task, visible=False)


def _shown(name: str) -> str:
    from rich.markup import escape

    return escape(name)
