"""`repair`: a remote that lacks its drive gets it, without another sign-in."""

from __future__ import annotations

from .arguments import NAME
from .context import Context, command, valued
from .storages import print_report, print_step


@command(NAME)
@valued("--drive drive_id", "ID", "Its drive, if it has several.", default="")
def repair(ctx: Context, name: str, drive_id: str) -> None:
    """Find the drive of a storage that has none, or one that Microsoft only lists.

    The token and the options stay. An encoding is written as rclone reads it. Saved only if the
    connection test passed.

    \b
    pluton-rclone repair work
    """
    output, storage = ctx.output, ctx.storage(name)
    report = storage.repair(lambda step: print_step(output, step), drive_id=drive_id)
    print_report(output, report)
    output.say(f"{storage.name} is repaired: its drive is {storage.remote.drive_id}")
