"""Commands that look at files: `ls`, `tree`, `stat`, `cat`, `mount`, `preflight` and so on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pluton_rclone.errors import NameRefused
from pluton_rclone.process.system import exit_code
from pluton_rclone.values.printable import printable
from pluton_rclone.values.units import counted, human_bytes

from .complete import NAME, PLACE, SOURCE, in_storage
from .context import FOLDER, Context, command, flag, valued
from .filters import PASSED, checked, filtering, selection
from .output import Output, tell, tell_bytes
from .places import Place, parse_end, parse_storage_place

if TYPE_CHECKING:
    from pluton_rclone.rclone.listing import Entry
    from pluton_rclone.storages.storage import Storage

KINDS = ("dlna", "ftp", "http", "nfs", "restic", "s3", "sftp", "webdav")


@command(PLACE)
@flag("-R", "--recursive", help="Include everything in subfolders.")
@filtering
def ls(ctx: Context, place: str, recursive: bool, **given: Any) -> None:
    """List a folder of a storage. A leading / in the path starts at the drive's root.

    \b
    pluton-rclone ls work:backup
    pluton-rclone ls work:/TeamFolder -R --json
    """
    storage, path = parse_storage_place(place, ctx)
    with Place(storage, path).named():
        options = selection(**given)
        found = storage.walk(path, **options) if recursive else storage.list(path, **options)
        for entry in found:
            show(ctx, entry)


@command(PLACE)
@valued("-L --level", "N", "At most N levels deep.", type=click.IntRange(1))
def tree(ctx: Context, place: str, level: int | None) -> None:
    """Show what is below a folder as a tree.

    \b
    pluton-rclone tree work:backup -L 2
    """
    storage, path = parse_storage_place(place, ctx)
    found = storage.walk(path, max_depth=level) if level else storage.walk(path)
    with Place(storage, path).named():
        entries = sorted(found, key=lambda entry: entry.path.split("/"))
    for entry in entries:
        if ctx.as_json:
            show(ctx, entry)
        else:
            indent = "    " * entry.path.count("/")
            tell(f"{indent}{printable(entry.name)}{'/' if entry.is_dir else ''}")
    files = [entry for entry in entries if not entry.is_dir]
    size = human_bytes(sum(entry.size for entry in files if entry.size > 0))
    folders = counted(len(entries) - len(files), "folder")
    ctx.output.say(f"{folders}, {counted(len(files), 'file')}, {size}")


@command(PLACE)
def stat(ctx: Context, place: str) -> None:
    """Show one file or folder. Exit code 7 if it does not exist.

    \b
    pluton-rclone stat work:backup/notes.txt --json
    """
    storage, path = parse_storage_place(place, ctx)
    entry = storage.stat(path)
    if entry is None:
        raise Place(storage, path).nothing()
    show(ctx, entry, alone=True)


@command(PLACE)
@valued("--offset", "BYTES", "Start at this byte; if negative, counted from the end.", type=int)
@valued("--count", "BYTES", "Print at most this many bytes.", type=click.IntRange(0))
def cat(ctx: Context, place: str, offset: int | None, count: int | None) -> None:
    """Print the content of a file to stdout, byte for byte.

    \b
    pluton-rclone cat work:backup/notes.txt | less
    """
    storage, path = parse_storage_place(place, ctx)
    with Place(storage, path).named():
        for block in storage.rclone.blocks(storage.at(path), offset=offset, count=count):
            tell_bytes(block)


@command(PLACE, filtering)
def size(ctx: Context, place: str, **given: Any) -> None:
    """Count the files below a folder, and their bytes.

    \b
    pluton-rclone size work:backup
    pluton-rclone size work: --include '*.jpg' --json
    """
    storage, path = parse_storage_place(place, ctx)
    with Place(storage, path).named():
        total = storage.size(path, **selection(**given))
    if not ctx.output.result(vars(total)):
        tell(f"{counted(total.count, 'file')}, {human_bytes(total.bytes)}")


@command(NAME)
def about(ctx: Context, name: str) -> None:
    """Show how much space is used and free on a storage's drive.

    \b
    pluton-rclone about "OneDrive Personal Backups"
    """
    sizes = vars(ctx.storage_and_path(name)[0].about())
    for title, size in sizes.items() if not ctx.output.result(sizes) else ():
        title = "Recycle bin" if title == "trashed" else title.capitalize()
        tell(f"{title:<12} {human_bytes(size)}")


@command(PLACE, click.argument("folder", type=FOLDER), PASSED)
def mount(ctx: Context, place: str, folder: Path, passed: tuple[str, ...]) -> int:
    """Mount a folder of a storage on an empty FOLDER of this machine, until Ctrl-C.

    Runs rclone, and passes on its messages and exit code. A token that is renewed meanwhile is
    saved.

    \b
    pluton-rclone mount work:laptop /mnt/work
    pluton-rclone mount work: /mnt/work -- --vfs-cache-mode=full --read-only
    """
    return _stand(ctx, place, "mount", passed, str(folder.absolute()))


@command(click.argument("kind", type=click.Choice(KINDS)), PLACE, PASSED)
def serve(ctx: Context, kind: str, place: str, passed: tuple[str, ...]) -> int:
    """Serve a folder of a storage over a protocol, until Ctrl-C.

    Runs rclone, and passes on its messages and exit code. A token that is renewed meanwhile is
    saved. Set a user and a password in RCLONE_USER and RCLONE_PASS, or a file with
    --htpasswd; for s3, RCLONE_AUTH_KEY. Otherwise anyone who reaches the address has access.

    \b
    pluton-rclone serve webdav work:laptop -- --addr=localhost:8080
    pluton-rclone serve restic work:backups -- --append-only
    """
    return _stand(ctx, place, f"serve {kind}", passed)


def _stand(ctx: Context, place: str, words: str, passed: tuple[str, ...], *more: str) -> int:
    storage, path = parse_storage_place(place, ctx)
    flags = checked(passed)
    ctx.output.say("Press Ctrl-C to stop.")
    return exit_code(storage.stand(words, path, *more, flags=flags))


def show(ctx: Context, entry: Entry, *, alone: bool = False) -> None:
    """Print a file or folder on one line; `alone` means without columns to align."""
    when = entry.modified
    if ctx.as_json:
        size = None if entry.is_dir or entry.size < 0 else entry.size
        record: dict[str, Any] = {"path": entry.path, "name": entry.name, "size": size}
        record |= {"modified": when and when.isoformat(), "is_dir": entry.is_dir, "id": entry.id}
        ctx.output.line(record, now=False)
        return
    time = f"{when:%Y-%m-%d %H:%M}" if when else ""
    told = "" if entry.is_dir else human_bytes(entry.size)
    line = f"{told:>10}  {time:<16}  {printable(entry.path)}{'/' if entry.is_dir else ''}"
    tell(line.lstrip() if alone else line)


@command(SOURCE)
@click.argument("destination", metavar="NAME:PATH", shell_complete=in_storage)
@filtering
def preflight(ctx: Context, source: str, destination: str, **given: Any) -> None:
    """Find what OneDrive would refuse or spoil, before a byte is sent.

    Reports what it would refuse, change or skip if SRC were copied to NAME:PATH. Exit code 4 if
    something would be refused or spoiled. With a filter, links and unreadable files are left to the
    copy; with --copy-links, unreadable files.

    \b
    pluton-rclone preflight /srv/data work:laptop/data
    """
    into = parse_storage_place(destination, ctx)
    look(ctx.output, parse_end(source, ctx), into, selection(**given), False)


def look(
    output: Output, source: Place, into: tuple[Storage, str], wanted: dict[str, Any], anyway: bool
) -> None:
    """Print what OneDrive would refuse or spoil of SRC there. NameRefused if not `anyway`."""
    source.require("SRC")
    scan = into[0].preflight(source.path, into[1], of=source.storage, **wanted)
    with source.named("SRC"):
        for finding in scan:
            if output.as_json:
                output.line(finding.record(), now=False)
            else:
                tell(finding)
    summary = scan.summary
    output.line({"summary": summary.record()})
    seen = f"{counted(summary.files, 'file')} in {counted(summary.folders, 'folder')}"
    findings = counted(sum(summary.by_rule.values()), "finding")
    output.say(f"{seen}, {human_bytes(summary.bytes)}: {findings}")
    if not summary.clean and not anyway:
        what = "OneDrive would refuse or spoil some of these files."
        advice = "Rename or leave out what is listed above, then run the command again."
        raise NameRefused(what, advice=advice)
