"""The live display of a running transfer: a bar, and a line for each file in flight."""

from __future__ import annotations

from rich.cells import cell_len, set_cell_size
from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from pluton_rclone.rclone.events import Progress
from pluton_rclone.rclone.transfer import Transfer
from pluton_rclone.values.printable import printable
from pluton_rclone.values.units import counted, human_bytes, human_seconds, waiting

MOST_FILES = 8


def live(transfer: Transfer) -> None:
    """Show the bar and the files in flight, redrawn with each report and erased at the end."""
    # Not the console for sentences: long lines are cut, as wrapped lines would make it jump.
    console = Console(stderr=True, highlight=False)
    with Live(console=console, transient=True, auto_refresh=False) as live:
        for progress in transfer:
            live.update(Group(*picture(progress, console.width, console.height)), refresh=True)


def picture(progress: Progress, width: int, height: int) -> list[Text]:
    """A line for the whole and one for each file in flight, as many as fit, cut to `width`."""
    lines = [_line([_bar(progress.fraction, width), *_counts(progress)], width)]
    if progress.waits_until is not None:
        lines.append(_line([Text(f"  {waiting(progress.waits_until)}", "yellow")], width))
    shown = progress.in_flight[: max(0, min(MOST_FILES, height - 2 - len(lines)))]
    for file in shown:
        done = file.bytes / file.size if file.size > 0 else None
        numbers = f"{'' if done is None else f'{done:4.0%}'}  {human_bytes(file.speed):>10}/s"
        room = max(0, width - len(numbers) - 4)
        name = Text(f"  {set_cell_size(shortened(file.name, room), room)}")
        lines.append(_line([name, Text(numbers, "dim")], width))
    if len(progress.in_flight) > len(shown):
        lines.append(Text(f"  and {len(progress.in_flight) - len(shown)} more", "dim"))
    return lines


def _counts(progress: Progress) -> list[Text]:
    """Files, bytes, speed and time left, if known."""
    parts = [Text(f"{progress.transfers} of {progress.total_transfers} files")]
    if progress.total_bytes:
        parts.append(Text(f"{human_bytes(progress.bytes)} of {human_bytes(progress.total_bytes)}"))
    if progress.speed:
        parts.append(Text(f"{human_bytes(progress.speed)}/s", "cyan"))
    if progress.eta is not None:
        parts.append(Text(f"{human_seconds(progress.eta)} left", "cyan"))
    if progress.checks:
        parts.append(Text(f"{progress.checks} already there"))
    if progress.errors:
        parts.append(Text(counted(progress.errors, "error"), "red"))
    return parts


def _bar(fraction: float | None, line: int) -> Text:
    """A bar filled by the share done; it fills the space that the numbers leave on the line."""
    width = max(0, min(40, line - 75))
    filled = round((fraction or 0.0) * width)
    return Text.assemble(("━" * filled, "green"), ("─" * (width - filled), "dim"))


def _line(parts: list[Text], width: int) -> Text:
    line = Text("  ").join(part for part in parts if part)
    line.truncate(width, overflow="ellipsis")
    return line


def shortened(name: str, room: int) -> str:
    """A path cut at its start to `room` columns, as ends distinguish files. Escaped."""
    name = printable(name)
    if cell_len(name) <= room:
        return name
    while name and cell_len(name) > room - 1:
        name = name[1:]
    return f"…{name}"
