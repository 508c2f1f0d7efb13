"""The command `restic`: restic with its repository in a storage."""

from __future__ import annotations

from collections.abc import Sequence

import click

from pluton_rclone.errors import UsageError
from pluton_rclone.process.system import exit_code
from pluton_rclone.storages.restic import INTERRUPTED, as_shell
from pluton_rclone.storages.storage import Storage

from .complete import NAME
from .context import Context, command, flag, valued
from .output import Output
from .places import refuse_two_places
from .timer import pinged


@command(NAME, context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED, metavar="[-- ARGS...]")
@valued("--path", "PATH", "The repository's folder; same as NAME:PATH. [default: restic]")
@flag("--environment", help="Print the variables for running restic by hand, without secrets.")
@pinged
def restic(
    ctx: Context, name: str, arguments: tuple[str, ...], path: str | None, environment: bool
) -> int:
    """Run restic with its repository in a storage.

    Its exit code is passed on. Give restic's password in RESTIC_PASSWORD_FILE or
    RESTIC_PASSWORD_COMMAND, or when restic asks for it. A token that is renewed while restic runs
    is saved.

    \b
    pluton-rclone restic work -- init
    pluton-rclone restic work:laptop -- backup /srv/data
    eval "$(pluton-rclone restic work --environment)"; restic snapshots
    """
    refuse_two_places(name, ctx)
    storage, named = ctx.storage_and_path(name)
    if path and named:
        raise UsageError("The repository's folder is given twice.", advice="Leave --path out.")
    path = named or path or "restic"
    if environment:
        variables = storage.restic(path).environment_for_people()
        if not ctx.output.result(variables):
            print(as_shell(variables), end="")
        return 0
    if not arguments:
        advice = "Write one after --, as in: restic NAME -- snapshots; or give --environment."
        raise UsageError("No command for restic is given.", advice=advice)
    return run_restic(ctx.output, storage, path, arguments)


def run_restic(output: Output, storage: Storage, path: str, arguments: Sequence[str]) -> int:
    """Run restic in the foreground; return its exit code."""
    with storage.restic(path) as opened:
        status = opened.foreground(*arguments)
        if status > 0 and status != INTERRUPTED and opened.refused():
            output.say(
                "Microsoft refused the access token before it expired, while restic was running. "
                "It has been renewed: run the same command again."
            )
    return exit_code(status)
