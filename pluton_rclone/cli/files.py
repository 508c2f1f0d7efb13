"""Commands that look at files: `ls`, `tree`, `stat`, `cat`, `about`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from pluton_rclone.errors import UsageError
from pluton_rclone.values.printable import printable
from pluton_rclone.values.units import counted, human_bytes

from .app import common
from .output import Output, tell
from .places import Place, named, nothing_at, parse_storage_place
from .storages import open_storages, storage_names

if TYPE_CHECKING:
    from pluton_rclone.rclone.listing import Entry


@click.command()
@click.argument("place", metavar="NAME:PATH")
@click.option(
    "-R", "--recursive", is_flag=True, help="Everything below, not just the folder itself."
)
@common
def ls(place: str, recursive: bool, config: str | None, binary: str | None, as_json: bool) -> None:
    """List a folder of a storage. A leading / in the path starts at the drive's root.

    \b
    pluton-rclone ls work:backup
    pluton-rclone ls work:/TeamFolder -R --json
    """
    output = Output(as_json)
    storage, path = parse_storage_place(place, open_storages(config, binary))
    with named(Place(storage, path)):
        for entry in storage.walk(path) if recursive else storage.list(path):
            if as_json:
                output.line(entry_record(entry))
            else:
                tell(entry_line(entry))


@click.command()
@click.argument("place", metavar="NAME:PATH")
@click.option("-L", "--level", type=click.IntRange(1), metavar="N", help="At most N levels deep.")
@common
def tree(
    place: str, level: int | None, config: str | None, binary: str | None, as_json: bool
) -> None:
    """Show what is below a folder as a tree.

    \b
    pluton-rclone tree work:backup -L 2
    """
    output = Output(as_json)
    storage, path = parse_storage_place(place, open_storages(config, binary))
    found = storage.walk(path, max_depth=level) if level else storage.walk(path)
    with named(Place(storage, path)):
        entries = sorted(found, key=lambda entry: entry.path.split("/"))
    if as_json:
        for entry in entries:
            output.line(entry_record(entry))
        return
    for entry in entries:
        depth = entry.path.count("/")
        tell(f"{'    ' * depth}{printable(entry.name)}{'/' if entry.is_dir else ''}")
    files = [entry for entry in entries if not entry.is_dir]
    size = human_bytes(sum(entry.size for entry in files if entry.size > 0))
    output.say(
        f"{counted(len(entries) - len(files), 'folder')}, {counted(len(files), 'file')}, {size}"
    )


@click.command()
@click.argument("place", metavar="NAME:PATH")
@common
def stat(place: str, config: str | None, binary: str | None, as_json: bool) -> None:
    """Show one file or folder. Exit code 7 when there is none.

    \b
    pluton-rclone stat work:backup/notes.txt --json
    """
    storage, path = parse_storage_place(place, open_storages(config, binary))
    entry = storage.stat(path)
    if entry is None:
        raise nothing_at(Place(storage, path))
    if as_json:
        Output(as_json).result(entry_record(entry))
    else:
        tell(entry_line(entry))


@click.command()
@click.argument("place", metavar="NAME:PATH")
@click.option(
    "--offset",
    type=int,
    metavar="BYTES",
    help="Start there; negative: so many bytes before the end.",
)
@click.option(
    "--count", type=click.IntRange(0), metavar="BYTES", help="Print so many bytes at most."
)
@common
def cat(
    place: str,
    offset: int | None,
    count: int | None,
    config: str | None,
    binary: str | None,
    as_json: bool,
) -> None:
    """Print the content of a file to stdout, byte for byte.

    \b
    pluton-rclone cat work:backup/notes.txt | less
    """
    storage, path = parse_storage_place(place, open_storages(config, binary))
    entry = storage.stat(path)
    if entry is None:
        raise nothing_at(Place(storage, path))
    if entry.is_dir:
        raise UsageError(
            f"{path!r} is a folder.", advice="Name one file; `pluton-rclone ls` lists them."
        )
    for block in storage.rclone.blocks(storage.at(path), offset=offset, count=count):
        sys.stdout.buffer.write(block)
    sys.stdout.buffer.flush()


@click.command()
@click.argument("name", shell_complete=storage_names)
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
        tell(f"{title:<12} {human_bytes(size)}")


def entry_record(entry: Entry) -> dict[str, object]:
    """A file or folder as JSON: sizes in bytes, times with their zone."""
    return {
        "path": entry.path,
        "name": entry.name,
        "size": None if entry.is_dir or entry.size < 0 else entry.size,
        "modified": entry.modified.isoformat() if entry.modified else None,
        "is_dir": entry.is_dir,
        "id": entry.id,
    }


def entry_line(entry: Entry) -> str:
    """A file or folder on one line."""
    when = f"{entry.modified:%Y-%m-%d %H:%M}" if entry.modified else ""
    size = "" if entry.is_dir else human_bytes(entry.size)
    return f"{size:>10}  {when:<16}  {printable(entry.path)}{'/' if entry.is_dir else ''}"
