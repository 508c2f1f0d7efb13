"""The command `preflight`: what OneDrive would refuse or spoil of a folder, before a byte is sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from pluton_rclone.errors import NameRefused
from pluton_rclone.values.units import counted, human_bytes

from .app import common
from .output import Output, tell
from .places import Place, named, parse_end, parse_storage_place, require_here
from .storages import open_storages

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pluton_rclone.storages.storage import Storage


@click.command()
@click.argument("source", metavar="SRC")
@click.argument("destination", metavar="NAME:PATH")
@common
def preflight(
    source: str, destination: str, config: str | None, binary: str | None, as_json: bool
) -> None:
    """Find what OneDrive would refuse or spoil, before it is sent.

    What it would refuse, change or skip of SRC, were that copied to NAME:PATH. Exit code 4 when
    something would be refused or spoiled.

    \b
    pluton-rclone preflight /srv/data work:laptop/data
    """
    output, storages = Output(as_json), open_storages(config, binary)
    storage, path = parse_storage_place(destination, storages)
    if not look(output, parse_end(source, storages), storage, path):
        raise refusal()


def look(
    output: Output, source: Place, storage: Storage, path: str, filters: Sequence[str] = ()
) -> bool:
    """Prints what OneDrive would refuse or spoil of SRC in the folder `path`; whether that is
    nothing.

    With filter rules it is rclone that lists SRC: what cannot be read, and links, it leaves to the
    transfer.
    """
    require_here(source, "SRC")
    scan = storage.preflight(source.path, path, of=source.storage, filters=filters)
    with named(source, "SRC"):
        for finding in scan:
            if output.as_json:
                output.line(finding.record())
            else:
                tell(finding)
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
