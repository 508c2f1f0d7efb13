"""Commands that move or remove files: `copy`, `sync`, `move`, `delete`, and `check`, which
compares."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

from pluton_rclone.errors import Cancelled, Corrupted, TooManyDeletions, UsageError
from pluton_rclone.values import paths
from pluton_rclone.values.printable import printable
from pluton_rclone.values.units import counted, human_bytes

from .app import common
from .output import Outlet, Output
from .places import (
    Place,
    location,
    named,
    nothing_at,
    parse_end,
    parse_storage_place,
    remote_names,
    require_here,
)
from .storages import open_storages
from .values import RATES, SIZES, TIMES

if TYPE_CHECKING:
    from pluton_rclone.rclone.results import TransferResult
    from pluton_rclone.rclone.transfer import Transfer

Command = TypeVar("Command", bound=Callable[..., Any])

SAFE = click.option("-n", "--dry-run", is_flag=True, help="Only say what would be done.")
DRY_RUN = "Add --yes when that is meant, or --dry-run to look first."
SURE = click.option("-y", "--yes", is_flag=True, help="Do not ask first: for scripts.")


LOOK = click.option(
    "--preflight",
    "look_first",
    is_flag=True,
    help="First find what OneDrive would refuse or spoil; when there is anything, copy nothing. With --exclude, "
    "links and what cannot be read are left to the copy.",
)
ANYWAY = click.option(
    "--anyway", is_flag=True, help="With --preflight: say what is found and go on."
)


def tuning(command: Command) -> Command:
    """The options that every transfer takes."""
    for option in (
        click.option(
            "--exclude",
            metavar="RULE",
            multiple=True,
            help="Leave out what matches, e.g. '*.tmp' or '/cache/**'.",
        ),
        click.option(
            "--bwlimit", type=RATES, metavar="RATE", help="Bytes a second at most, e.g. 2M."
        ),
        click.option("--transfers", type=click.IntRange(1, 64), help="Files at a time."),
        click.option(
            "--max-transfer", type=SIZES, metavar="SIZE", help="Stop after so many bytes, e.g. 10G."
        ),
        click.option(
            "--max-duration", type=TIMES, metavar="TIME", help="Stop after that time, e.g. 2h30m."
        ),
    ):
        command = option(command)
    return about_links(command)


def about_links(command: Command) -> Command:
    """What becomes of symbolic links, which without one of these are named as failed."""
    for option, text in (
        ("--skip-links", "Leave symbolic links out."),
        ("--copy-links", "Take what symbolic links lead to in their place."),
        ("--links", "Keep symbolic links, each as a small file NAME.rclonelink."),
    ):
        command = click.option(option, is_flag=True, default=None, help=text)(command)
    return command


def transfer_options(exclude: tuple[str, ...] = (), **given: Any) -> dict[str, Any]:
    """What of these was given, as the library takes it."""
    given["filters"] = [f"- {rule}" for rule in exclude] or None
    return {name: value for name, value in given.items() if value is not None}


def transfer(
    word: str,
    question: str | None,
    *,
    source: str,
    destination: str,
    dry_run: bool,
    config: str | None,
    binary: str | None,
    as_json: bool,
    look_first: bool = False,
    anyway: bool = False,
    yes: bool = False,
    **given: Any,
) -> None:
    """copy, sync and move: looks first if that is wanted, asks the question if there is one,
    transfers and tells."""
    output = Output(as_json)
    place, start = transfer_between(word, source, destination, config, binary)
    options = transfer_options(**given)
    if look_first:
        filters = options.get("filters", ())
        preflight_between(
            output, source, destination, config, binary, anyway=anyway, filters=filters
        )
    if question and not dry_run:
        confirm(output, yes, question.format(source, destination))
    verb = "moved" if word == "move" else "transferred"
    with named(place, "SRC"):
        try:
            finish(start(dry_run=dry_run, **options), output, verb, dry_run)
        except TooManyDeletions as error:
            if yes or as_json or not sys.stdin.isatty():
                raise
            confirm(output, False, f"{error.what.partition(': ')[2].capitalize()} Delete them?")
            options |= {"max_delete": error.details["deletions"], "allow_empty_source": True}
            finish(start(dry_run=dry_run, **options), output, verb, dry_run)


@click.command()
@click.argument("source", metavar="SRC")
@click.argument("destination", metavar="DST")
@LOOK
@ANYWAY
@SAFE
@tuning
@common
def copy(**given: Any) -> None:
    """Copy a folder's content, or a file, into a folder.

    NAME:PATH is in a storage, all else on this machine. What is there already, with the same size
    and time, is not transferred again; nothing is deleted. With --json every progress report is a
    line on stdout, the result is the last.

    \b
    pluton-rclone copy /srv/data "OneDrive Personal Backups:laptop/data"
    pluton-rclone copy --preflight /srv/data work:laptop/data
    pluton-rclone copy work:laptop/data /restore
    """
    transfer("copy", None, **given)


@click.command()
@click.argument("source", metavar="SRC")
@click.argument("destination", metavar="DST")
@LOOK
@ANYWAY
@SAFE
@SURE
@click.option(
    "--max-delete",
    metavar="N|N%",
    help="Stop before the first deletion if more files would go. [default: half of those in DST, and 10 in any case]",
)
@click.option("--allow-empty-source", is_flag=True, help="Empty DST when SRC holds no file.")
@tuning
@common
def sync(**given: Any) -> None:
    """Make DST the same as SRC, deleting what SRC has not.

    Asks first; try it with --dry-run. When SRC is empty, or much of DST would go, nothing is done:
    --yes does not mean that.

    \b
    pluton-rclone sync --dry-run /srv/data work:laptop/data
    pluton-rclone sync --yes /srv/data work:laptop/data
    """
    transfer("sync", "Everything in {1} that is not in {0} will be deleted. Go on?", **given)


@click.command()
@click.argument("source", metavar="SRC")
@click.argument("destination", metavar="DST")
@SAFE
@SURE
@tuning
@common
def move(**given: Any) -> None:
    """Copy, and delete at SRC what has arrived.

    \b
    pluton-rclone move work:old-backups work:archive
    """
    transfer(
        "move", "The files in {0} will be deleted there once they have arrived. Go on?", **given
    )


@click.command()
@click.argument("place", metavar="NAME:PATH")
@SAFE
@SURE
@common
def delete(
    place: str, dry_run: bool, yes: bool, config: str | None, binary: str | None, as_json: bool
) -> None:
    """Delete a file, or a folder with all that is in it.

    It goes to OneDrive's recycle bin, unless the storage has the option hard_delete.

    \b
    pluton-rclone delete --dry-run work:laptop/data/old
    """
    from dataclasses import replace

    from pluton_rclone.rclone.results import Planned, TransferResult

    output = Output(as_json)
    storage, path = parse_storage_place(place, open_storages(config, binary))
    if paths.holds_all(path, storage.record()["base_folder"]):
        raise UsageError("That is the whole storage.", advice="Name a file or folder in it.")
    entry = storage.stat(path)
    if entry is None:
        raise nothing_at(Place(storage, path))
    hard = any(remote.hard_delete for remote in storage.onedrives)
    end = "for good" if hard else "to the recycle bin"
    if not dry_run:
        what = f"The folder {path} with all that is in it" if entry.is_dir else f"The file {path}"
        confirm(output, yes, f"{what} goes {end}. Go on?")
    if entry.is_dir:
        finish(storage.delete(path, dry_run=dry_run), output, "deleted", dry_run)
        return
    began = time.monotonic()
    if not dry_run:
        storage.delete_file(path)
    done = TransferResult("done", 0, 0, 0, 0, int(not dry_run), 0, 0, 0, time.monotonic() - began)
    planned = (Planned("delete", path, entry.size),) if dry_run else ()
    tell(replace(done, planned=planned), output, "deleted", dry_run)


@click.command()
@click.argument("source", metavar="SRC")
@click.argument("destination", metavar="DST")
@click.option("--one-way", is_flag=True, help="Do not mind files that are only in DST.")
@about_links
@common
def check(
    source: str,
    destination: str,
    one_way: bool,
    config: str | None,
    binary: str | None,
    as_json: bool,
    **given: Any,
) -> None:
    """Compare two folders, every file by its hash. Exit code 7 when they differ.

    \b
    pluton-rclone check /srv/data "OneDrive Personal Backups:laptop/data"
    """
    from .progress import counting

    output, storages = Output(as_json), open_storages(config, binary)
    start, end = parse_end(source, storages), parse_end(destination, storages)
    rclone = storages.rclone(*remote_names(start, end))
    require_here(start, "SRC")
    require_here(end, "DST")
    with named(start, "SRC"), counting(output, "compared") as seen:
        result = rclone.check(
            location(start),
            location(end),
            direction="one_way" if one_way else "both",
            on_progress=seen,
            **transfer_options(**given),
        )
    if as_json:
        output.result(result.record())
    for title, names in (
        ("differs", result.differing),
        ("only in DST", result.missing_on_source),
        ("only in SRC", result.missing_on_destination),
        ("left out", tuple(f"{one.path}: {one.why}" for one in result.left_out)),
        ("failed", tuple(f"{failed.path}: {failed.error}" for failed in result.failed)),
    ):
        for name in names:
            output.say(f"  {title:<12} {printable(name)}")
    different = (
        len(result.differing) + len(result.missing_on_source) + len(result.missing_on_destination)
    )
    if not result.same:
        raise Corrupted(
            f"{counted(different, 'file')} {'differs' if different == 1 else 'differ'}, {len(result.failed)} could "
            f"not be compared, {result.matching} {'is' if result.matching == 1 else 'are'} the same.",
            why=None if result.matching or result.differing else missing_end(end),
            advice="Copy again, then check again.",
        )
    same = f"{counted(result.matching, 'file')} {'is' if result.matching == 1 else 'are'} the same"
    output.say(f"{same}, compared by hash; none differs")


def missing_end(end: Place) -> str | None:
    """Said when nothing of SRC was found in DST: whether there is a DST at all."""
    if end.storage is None or not end.path.strip("/") or end.storage.stat(end.path) is not None:
        return None
    return nothing_at(end, "DST").what


def transfer_between(
    word: str, source: str, destination: str, config: str | None, binary: str | None
) -> tuple[Place, Callable[..., Transfer]]:
    """SRC, and what starts the transfer between the two places as soon as its options are known."""
    storages = open_storages(config, binary)
    start, end = parse_end(source, storages), parse_end(destination, storages)
    if end.storage is None and word == "sync":
        refuse_root(end)
    rclone = storages.rclone(*remote_names(start, end))
    require_here(start, "SRC")
    for place in (start, end):
        if place.storage is not None:  # an rclone that ignores an option, or cannot renew the token
            place.storage.require()
    run: Callable[..., Transfer] = getattr(rclone, word)
    return start, lambda **options: run(location(start), location(end), **options)


def preflight_between(
    output: Output,
    source: str,
    destination: str,
    config: str | None,
    binary: str | None,
    *,
    anyway: bool,
    filters: Sequence[str] = (),
) -> None:
    """--preflight: what is found is printed; NameRefused unless it is nothing, or meant to be sent
    `anyway`."""
    from .preflight import look, refusal

    storages = open_storages(config, binary)
    storage, path = parse_storage_place(destination, storages)
    if not look(output, parse_end(source, storages), storage, path, filters) and not anyway:
        raise refusal()


def refuse_root(place: Place) -> None:
    """A sync to / would delete the machine."""
    import os

    if os.path.realpath(place.path) == "/":
        raise UsageError("A sync to / would delete everything on this machine that is not in SRC.")


def finish(transfer: Transfer, output: Output, verb: str, dry_run: bool) -> None:
    """Follows a transfer to its end and says what it came to. Raises what went wrong."""
    from .progress import follow

    Outlet.going_on = True
    with transfer:
        result = follow(transfer, output)
    tell(result, output, verb, dry_run)


def tell(result: TransferResult, output: Output, verb: str, dry_run: bool) -> None:
    """What a transfer came to. Raises what went wrong."""
    if output.as_json:
        output.result({"result": result.record()})
    for planned in result.planned if not output.as_json else ():
        if not planned.action.startswith(
            "set directory"
        ):  # times of folders: nobody asked for those
            print(f"would {planned.action}: {printable(planned.path)}")
    for notice in result.notices:
        output.say(f"  note    {notice}")
    for one in result.left_out:
        output.say(f"  left out  {printable(one.path)}: {one.why}")
    if result.error is not None:
        for failed in result.failed:
            output.say(f"  failed  {printable(failed.path)}: {failed.error}")
        raise result.error
    output.say(summary(result, f"would be {verb}" if dry_run else verb))


def summary(result: TransferResult, verb: str) -> str:
    """One sentence: `3 files transferred (9.8 KiB), 2 deleted, 40 already there, in 1.2 s`."""
    folders = counted(result.folders, "whole folder")
    if verb.endswith("deleted"):
        files = result.deletes or sum(planned.action == "delete" for planned in result.planned)
        return f"{counted(files, 'file') if files or not result.folders else folders} {verb}, in {result.duration:.1f} s"
    parts = [f"{counted(result.transfers, 'file')} {verb} ({human_bytes(result.bytes)})"]
    if result.folders:  # within one drive, where Microsoft moves it as it is
        parts = [f"{folders} {verb}"]
    if result.deletes and not verb.endswith("moved"):
        parts.append(f"{result.deletes} {'would be ' * verb.startswith('would')}deleted")
    return ", ".join([*parts, f"{result.unchanged} already there", f"in {result.duration:.1f} s"])


def confirm(output: Output, yes: bool, question: str, *, advice: str = DRY_RUN) -> None:
    """Asks at a terminal; a script must have said --yes. UsageError, Cancelled."""
    if yes:
        return
    if output.as_json or not sys.stdin.isatty():
        raise UsageError(
            "Nothing was done: this needs --yes.",
            why=question.replace(" Go on?", ""),
            advice=advice,
        )
    if not click.confirm(question, err=True):
        raise Cancelled("Nothing was done.", advice="")
