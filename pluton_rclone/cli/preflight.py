"""The command `preflight`: what OneDrive would refuse or spoil of a folder, before a byte is sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from pluton_rclone.errors import NameRefused
from pluton_rclone.values.units import counted, human_bytes

from .app import common
from .output import Output
from .places import Place, location, named, parse_end, parse_storage_place, remote_names, require_here
from .storages import open_storages

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pluton_rclone.preflight import Source
    from pluton_rclone.storages.storage import Storage


@click.command()
@click.argument("source", metavar="SRC")
@click.argument("destination", metavar="NAME:PATH")
@common
def preflight(source: str, destination: str, config: str | None, binary: str | None, as_json: bool) -> None:
    """Find what OneDrive would refuse or spoil, before it is sent.

    What it would refuse, change or skip of SRC, were that copied to NAME:PATH. Exit code 4 when something would be
    refused or spoiled.

    \b
    pluton-rclone preflight /srv/data work:laptop/data
    """
    output, storages = Output(as_json), open_storages(config, binary)
    storage, path = parse_storage_place(destination, storages)
    if not look(output, parse_end(source, storages), storage, path):
        raise refusal()


def look(output: Output, source: Place, storage: Storage, path: str, filters: Sequence[str] = ()) -> bool:
    """Prints what OneDrive would refuse or spoil of SRC in the folder `path`; whether that is nothing.

    With filter rules it is rclone that lists SRC: what cannot be read, and links, it leaves to the transfer.
    """
    from pluton_rclone.preflight import library_prefix
    from pluton_rclone.preflight import preflight as scan_source

    require_here(source, "SRC")
    remote, drive = storage.remote, storage.drive()
    free = drive.quota.remaining if drive.quota.state == "known" else None
    rclone = storage.storages.rclone(*remote_names(source, Place(storage, path)))

    def not_there_yet() -> int:
        return rclone.copy(location(source), storage.at(path), dry_run=True, filters=filters).result().bytes

    if filters:
        entries: Source = rclone.walk(location(source), filters=filters)
    else:
        entries = source.path if source.storage is None else source.storage.walk(source.path)
    scan = scan_source(
        entries,
        drive_type=remote.drive_type,
        prefix=library_prefix(drive.web_url),
        base=storage.at(path).partition(":")[2],
        quota_free=free,
        encoding=remote.encoding,
        not_there_yet=not_there_yet,
    )
    with named(source, "SRC"):
        for finding in scan:
            if output.as_json:
                output.line(finding.record())
            else:
                print(finding)
    summary = scan.summary
    if output.as_json:
        output.line({"summary": summary.record()})
    seen = f"{counted(summary.files, 'file')} in {counted(summary.folders, 'folder')}, {human_bytes(summary.bytes)}"
    output.say(f"{seen}: {counted(sum(summary.by_rule.values()), 'finding')}")
    return summary.clean


def refusal() -> NameRefused:
    """What a preflight that was not clean ends with."""
    return NameRefused(
        "OneDrive would refuse or spoil some of these files.",
        advice="Rename or leave out what is listed above, then run it again.",
    )
