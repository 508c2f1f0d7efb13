"""The command `preflight`: what OneDrive would refuse or spoil, before a byte is sent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from pluton_rclone.errors import NameRefused
from pluton_rclone.values.units import counted, human_bytes

from .arguments import IN_STORAGE, SOURCE
from .context import Context, command
from .filters import filtering, selection
from .output import Output, tell
from .places import Place, named, parse_end, parse_storage_place, require_here

if TYPE_CHECKING:
    from pluton_rclone.storages.storage import Storage


@command(SOURCE)
@click.argument("destination", metavar="NAME:PATH", shell_complete=IN_STORAGE)
@filtering
def preflight(ctx: Context, source: str, destination: str, **given: Any) -> None:
    """Find what OneDrive would refuse or spoil, before it is sent.

    What it would refuse, change or skip if SRC were copied to NAME:PATH. Exit code 4 if something
    would be refused or spoiled.

    \b
    pluton-rclone preflight /srv/data work:laptop/data
    """
    storage, path = parse_storage_place(destination, ctx)
    if not look(ctx.output, parse_end(source, ctx), storage, path, selection(**given)):
        raise refusal()


def look(
    output: Output, source: Place, storage: Storage, path: str, filters: dict[str, Any]
) -> bool:
    """Prints what OneDrive would refuse or spoil of SRC in the folder `path`; True if nothing.

    With filters, rclone lists SRC: it leaves links and what it cannot read to the transfer.
    """
    require_here(source, "SRC")
    scan = storage.preflight(source.path, path, of=source.storage, **filters)
    with named(source, "SRC"):
        for finding in scan:
            if output.as_json:
                output.line(finding.record())
            else:
                tell(finding)
    summary = scan.summary
    output.line({"summary": summary.record()})
    seen = f"{counted(summary.files, 'file')} in {counted(summary.folders, 'folder')}"
    findings = counted(sum(summary.by_rule.values()), "finding")
    output.say(f"{seen}, {human_bytes(summary.bytes)}: {findings}")
    return summary.clean


def refusal() -> NameRefused:
    """What a preflight that was not clean ends with."""
    return NameRefused(
        "OneDrive would refuse or spoil some of these files.",
        advice="Rename or leave out what is listed above, then run it again.",
    )
