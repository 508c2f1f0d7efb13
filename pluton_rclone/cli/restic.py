"""The command `restic`: restic on a storage, or the variables to run it by hand."""

from __future__ import annotations

import click

from pluton_rclone.errors import UsageError

from .app import common
from .output import Output
from .storages import open_storages, storage_names


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("name", shell_complete=storage_names)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED, metavar="[-- ARGS...]")
@click.option(
    "--path",
    default="restic",
    show_default=True,
    metavar="PATH",
    help="The repository's folder in the storage.",
)
@click.option(
    "--environment",
    is_flag=True,
    help="Print the variables for running restic by hand; they hold no secret.",
)
@common
def restic(
    name: str,
    arguments: tuple[str, ...],
    path: str,
    environment: bool,
    config: str | None,
    binary: str | None,
    as_json: bool,
) -> int:
    """Run restic with its repository in a storage.

    Its exit code is passed on. restic's password is yours to give: RESTIC_PASSWORD_FILE,
    RESTIC_PASSWORD_COMMAND, or its own question. A token that is renewed while restic runs is kept.

    \b
    pluton-rclone restic work -- init
    pluton-rclone restic work --path laptop -- backup /srv/data
    eval "$(pluton-rclone restic work --environment)"; restic snapshots
    """
    import os

    from pluton_rclone import process
    from pluton_rclone.storages.restic import as_shell

    storage = open_storages(config, binary)[name]
    if environment:
        variables = storage.restic(path).environment_for_people()
        if as_json:
            Output(as_json).result(variables)
        else:
            print(as_shell(variables), end="")
        return 0
    if not arguments:
        raise UsageError(
            "What shall restic do?",
            advice="Write it behind --, as in: restic NAME -- snapshots; or --environment.",
        )
    with storage.restic(path) as opened:
        argv = opened.argv(*arguments)
        status = process.foreground([os.path.abspath(argv[0]), *argv[1:]], env=opened.environment)
    return status if status >= 0 else 128 - status
