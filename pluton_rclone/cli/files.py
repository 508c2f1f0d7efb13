"""Commands about files: `ls`, `copy`, `check`, `about`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ..errors import Corrupted, UsageError
from ..units import human_bytes
from .app import common
from .output import Output
from .places import Place, parse_place, parse_storage_place
from .storages import open_storages

if TYPE_CHECKING:
    from ..rclone.listing import Entry


@click.command()
@click.argument("place", metavar="NAME:PATH")
@click.option("-R", "--recursive", is_flag=True, help="Everything below, not just the folder itself.")
@common
def ls(place: str, recursive: bool, config: str | None, binary: str | None, as_json: bool) -> None:
    """List a folder of a storage. A leading / in the path starts at the drive's root.

    \b
    pluton-rclone ls work:backup
    pluton-rclone ls work:/TeamFolder -R --json
    """
    output = Output(as_json)
    storage, path = parse_storage_place(place, open_storages(config, binary))
    entries = storage.walk(path) if recursive else iter(storage.list(path))
    for entry in entries:
        if as_json:
            output.line(entry_record(entry))
        else:
            when = f"{entry.modified:%Y-%m-%d %H:%M}" if entry.modified else ""
            size = "" if entry.is_dir else human_bytes(entry.size)
            print(f"{size:>10}  {when:<16}  {printable(entry.path)}{'/' if entry.is_dir else ''}")


def entry_record(entry: Entry) -> dict[str, object]:
    """A file or folder as JSON."""
    return {
        "path": entry.path,
        "name": entry.name,
        "size": None if entry.is_dir or entry.size < 0 else entry.size,
        "modified": entry.modified.isoformat() if entry.modified else None,
        "is_dir": entry.is_dir,
        "id": entry.id,
    }


@click.command()
@click.argument("source", metavar="SRC")
@click.argument("destination", metavar="DST")
@click.option("-n", "--dry-run", is_flag=True, help="Only say what would be copied.")
@common
def copy(
    source: str, destination: str, dry_run: bool, config: str | None, binary: str | None, as_json: bool
) -> None:
    """Copy a folder's content, or a file, into a folder: NAME:PATH is in a storage, all else on this machine.

    What is there already, with the same size and time, is not transferred again; nothing is deleted. With --json
    every progress report is a line on stdout, the result is the last.

    \b
    pluton-rclone copy /srv/data "OneDrive Personal Backups:laptop/data"
    pluton-rclone copy work:laptop/data /restore
    """
    from .progress import follow

    output, storages = Output(as_json), open_storages(config, binary)
    start, end = parse_place(source, storages), parse_place(destination, storages)
    rclone, names = storages.rclone(*remote_names(start, end)), (location(start), location(end))
    with rclone.copy(*names, dry_run=dry_run) as transfer:
        result = follow(transfer, output)
    if as_json:
        output.result({"result": result.record()})
    for planned in result.planned if not as_json else ():
        if not planned.action.startswith("set directory"):  # times of folders: nobody asked for those
            print(f"would {planned.action}: {printable(planned.path)}")
    if result.error is not None:
        for failed in result.failed:
            output.say(f"  failed  {printable(failed.path)}: {failed.error}")
        raise result.error
    verb = "would be transferred" if dry_run else "transferred"
    output.say(
        f"{result.transfers} files {verb} ({human_bytes(result.bytes)}), {result.checks} already there, "
        f"in {result.duration:.1f} s"
    )


@click.command()
@click.argument("source", metavar="SRC")
@click.argument("destination", metavar="DST")
@click.option("--one-way", is_flag=True, help="Do not mind files that are only in DST.")
@common
def check(
    source: str, destination: str, one_way: bool, config: str | None, binary: str | None, as_json: bool
) -> None:
    """Compare two folders, every file by its hash. Exit code 7 when they differ.

    \b
    pluton-rclone check /srv/data "OneDrive Personal Backups:laptop/data"
    """
    output, storages = Output(as_json), open_storages(config, binary)
    start, end = parse_place(source, storages), parse_place(destination, storages)
    rclone = storages.rclone(*remote_names(start, end))
    result = rclone.check(location(start), location(end), direction="one_way" if one_way else "both")
    if as_json:
        output.result(result.record())
    for title, names in (
        ("differs", result.differing),
        ("only in DST", result.missing_on_source),
        ("only in SRC", result.missing_on_destination),
        ("failed", tuple(f"{failed.path}: {failed.error}" for failed in result.failed)),
    ):
        for name in names:
            output.say(f"  {title:<12} {printable(name)}")
    different = len(result.differing) + len(result.missing_on_source) + len(result.missing_on_destination)
    if not result.same:
        raise Corrupted(
            f"{different} files differ, {len(result.failed)} could not be compared, {result.matching} are the same.",
            advice="Copy again, then check again.",
        )
    output.say(f"{result.matching} files are the same, compared by hash; none differs")


@click.command()
@click.argument("name")
@common
def about(name: str, config: str | None, binary: str | None, as_json: bool) -> None:
    """Show how much room there is on a storage's drive.

    \b
    pluton-rclone about "OneDrive Personal Backups"
    """
    room = open_storages(config, binary)[name].about()
    if as_json:
        Output(as_json).result(
            {"total": room.total, "used": room.used, "free": room.free, "trashed": room.trashed}
        )
        return
    for title, size in (
        ("Total", room.total),
        ("Used", room.used),
        ("Free", room.free),
        ("Recycle bin", room.trashed),
    ):
        print(f"{title:<12} {human_bytes(size)}")


def remote_names(*places: Place) -> list[str]:
    """The remotes that a command needs. UsageError when none of the places is in a storage."""
    names = [place.storage.remote_name for place in places if place.storage is not None]
    if not names:
        raise UsageError("Neither SRC nor DST is in a storage.", advice="Write one of them as NAME:path.")
    return names


def location(place: Place) -> str:
    """The place as rclone reads it."""
    from ..rclone.locations import local

    return local(place.path) if place.storage is None else place.storage.at(place.path)


def printable(text: str) -> str:
    """A file's name for a terminal: what would steer it is shown as an escape."""
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)
