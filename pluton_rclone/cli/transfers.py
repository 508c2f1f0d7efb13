"""Commands that transfer or compare files: `copy`, `sync`, `move`, `delete`, `check`."""

from __future__ import annotations

import datetime
import os
import posixpath
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from pluton_rclone.errors import Cancelled, Corrupted, TooManyDeletions, UsageError
from pluton_rclone.rclone.brake import Brake
from pluton_rclone.rclone.commands import LINKS
from pluton_rclone.values import paths
from pluton_rclone.values.printable import printable
from pluton_rclone.values.units import counted, human_bytes

from .complete import DESTINATION, PLACE, SOURCE
from .context import Context, command, flag, valued, with_options
from .filters import FILTERS, PASSED, checked, filtering, say_what_cannot_match, selection
from .keeping import forget, is_in, place_to_keep
from .output import Outlet, Output
from .places import Place, parse_end, parse_storage_place, remote_names
from .progress import counting, follow
from .timer import pinged
from .values import RATE, SIZES, TIMES

if TYPE_CHECKING:
    from pluton_rclone.rclone.results import CheckResult, FailedFile, TransferResult
    from pluton_rclone.rclone.transfer import Transfer

SAFE = flag("-n", "--dry-run", help="Only show what would be done.")
SURE = flag("-y", "--yes", help="Do not ask for confirmation: for scripts.")
FIRST = "First find what OneDrive would refuse or spoil; if anything is found, copy nothing."
LOOK = flag("--preflight", "look_first", help=FIRST)
ANYWAY = flag("--anyway", help="With --preflight: report what is found, and copy all the same.")
OLD = "Move replaced and deleted files to DIR, in DST's storage but outside DST, e.g. work:old."
DAYS = "In --backup-dir, use a folder for each day, and delete those of more than N days ago."
MOST_DELETED = (
    "Delete nothing if more would be deleted. [default: half of DST's files, at least 10]"
)

# How symbolic links are handled; without one of these, they are listed as failed.
about_links = with_options(
    flag("--skip-links", default=None, help="Leave symbolic links out."),
    flag("--copy-links", default=None, help="Follow symbolic links, and take what they point to."),
    flag("--links", default=None, help="Keep symbolic links, each as a file NAME.rclonelink."),
)
# The options of every transfer.
tuning = with_options(
    valued("--bwlimit", "RATE", "At most this many bytes per second, e.g. 2M.", type=RATE),
    click.option("--transfers", type=click.IntRange(1, 64), help="Number of files at a time."),
    valued("--max-transfer", "SIZE", "Stop after this many bytes, e.g. 10G.", type=SIZES),
    valued("--max-duration", "TIME", "Stop after this time, e.g. 2h30m.", type=TIMES),
    valued("--backup-dir", "DIR", OLD),
    valued("--keep-days", "N", DAYS, type=click.IntRange(1, 36_500)),
    valued("--suffix", "TEXT", "Keep replaced and deleted files, with TEXT added to their names."),
    flag("--checksum", default=None, help="Compare by size and hash instead of size and time."),
    flag("--size-only", default=None, help="Compare by size alone."),
    about_links,
    filtering,
    PASSED,
)


def transfer(
    ctx: Context,
    word: str,
    question: str | None,
    *,
    source: str,
    destination: str,
    dry_run: bool,
    look_first: bool = False,
    anyway: bool = False,
    yes: bool = False,
    backup_dir: str | None = None,
    keep_days: int | None = None,
    passed: tuple[str, ...] = (),
    **given: Any,
) -> None:
    """copy, sync and move: with a preflight if requested, and a question if there is one."""
    output, options = ctx.output, selection(**given, extra=checked(passed) or None)
    start, end = parse_end(source, ctx), parse_end(destination, ctx)
    old = None if backup_dir is None else place_to_keep(backup_dir, end, ctx)
    if keep_days and (old is None or old.storage is None):
        raise UsageError("--keep-days needs a --backup-dir in a storage.")
    for side, place in (("SRC", start), ("DST", end)):
        if keep_days and old is not None and is_in(place, old):
            why = "old folders in it that are named for a day are deleted"
            advice = f"Name a folder in the storage of DST that does not contain {side}."
            raise UsageError(f"{side} is in --backup-dir {backup_dir}.", why=why, advice=advice)
    if word == "sync" and end.storage is None and os.path.realpath(end.path) == "/":
        raise UsageError("A sync to / would delete everything on this machine that is not in SRC.")
    rclone = ctx.storages.rclone(*remote_names(start, end))
    start.require("SRC")
    for place in (start, end):
        if place.storage is not None:  # it may ignore an option, or not renew the token
            place.storage.require()
    say_what_cannot_match(output, start, options)
    if look_first:
        from .files import look

        into = parse_storage_place(destination, ctx)
        wanted = {name: options[name] for name in (*FILTERS, *LINKS) if name in options}
        look(output, start, into, wanted, anyway)
    if question and not (dry_run or yes):
        if word == "sync" and start.is_file:
            word = "copy"  # if a folder replaces the file now, nothing is deleted unasked
            Brake.of(options.pop("max_delete", None), False)  # UsageError for a bad value
        else:
            confirm(output, False, question.format(source, destination))
    verb = "moved" if word == "move" else "transferred"
    options["dry_run"] = dry_run

    def run() -> None:
        if old is not None:  # the day when it begins: a preflight or a question can take hours
            kept = posixpath.join(old.path, str(today())) if keep_days else old.path
            options["backup_dir"] = old._replace(path=kept).location
        began: Transfer = getattr(rclone, word)(start.location, end.location, **options)
        finish(began, output, verb, dry_run)

    with start.named("SRC"):
        try:
            run()
        except TooManyDeletions as error:
            if yes or ctx.as_json or not sys.stdin.isatty():
                raise
            confirm(output, False, f"{error.what.partition(': ')[2].capitalize()} Delete them?")
            options |= {"max_delete": error.details["deletions"], "allow_empty_source": True}
            run()
    if keep_days and old is not None and not dry_run:
        forget(output, old, today() - datetime.timedelta(keep_days))


def today() -> datetime.date:
    return datetime.date.today()


@command(SOURCE, DESTINATION, LOOK, ANYWAY, SAFE, tuning)
@pinged
def copy(ctx: Context, **given: Any) -> None:
    """Copy a folder's content, or a file, into a folder.

    NAME:PATH is in a storage, or in another remote of rclone.conf, such as S3 or a crypt; anything
    else is on this machine. A file that DST has with the same size and time is not transferred
    again; a file that differs is replaced; nothing is deleted. With --json, every progress report
    is a line on stdout, and the result is the last line.

    \b
    pluton-rclone copy /srv/data "OneDrive Personal Backups:laptop/data"
    pluton-rclone copy --preflight /srv/data work:laptop/data
    pluton-rclone copy work:laptop/data /restore
    """
    transfer(ctx, "copy", None, **given)


@command(SOURCE, DESTINATION, LOOK, ANYWAY, SAFE, SURE)
@valued("--max-delete", "N|N%", MOST_DELETED)
@flag("--allow-empty-source", help="Empty DST if SRC contains no files.")
@tuning
@pinged
def sync(ctx: Context, **given: Any) -> None:
    """Make DST the same as SRC, deleting what SRC does not have.

    Asks first; try it with --dry-run. If SRC is empty, or much of DST would be deleted, nothing is
    done, even with --yes. A single file is copied, and deletes nothing.

    \b
    pluton-rclone sync --dry-run /srv/data work:laptop/data
    pluton-rclone sync --yes /srv/data work:laptop/data
    """
    transfer(ctx, "sync", "Everything in {1} that is not in {0} will be deleted. Go on?", **given)


@command(SOURCE, DESTINATION, SAFE, SURE, tuning)
@pinged
def move(ctx: Context, **given: Any) -> None:
    """Copy, then delete from SRC what has arrived.

    \b
    pluton-rclone move work:old-backups work:archive
    """
    question = "The files in {0} will be deleted there once they have arrived. Go on?"
    transfer(ctx, "move", question, **given)


@command(PLACE, SAFE, SURE, filtering)
def delete(ctx: Context, place: str, dry_run: bool, yes: bool, **given: Any) -> None:
    """Delete a file, or a folder with everything in it.

    The files go to OneDrive's recycle bin, unless the storage has the option hard_delete. With
    filters, only the files in the folder that they select are deleted; folders stay.

    \b
    pluton-rclone delete --dry-run work:laptop/data/old
    pluton-rclone delete --dry-run work:laptop/data --include '*.tmp' --min-age 30d
    """
    output, (storage, path) = ctx.output, parse_storage_place(place, ctx)
    if paths.holds_all(path, storage.record()["base_folder"]):
        raise UsageError("That is the whole storage.", advice="Name a file or folder in it.")
    entry = storage.stat(path)
    if entry is None:
        raise Place(storage, path).nothing()
    options = selection(**given)
    if given["filter_from"] and not options.get("filters"):
        why = "without a rule, everything would be deleted"
        advice = "Write rules into it, or leave the option out to delete everything."
        raise UsageError("The filter file contains no rule.", why=why, advice=advice)
    if options and not entry.is_dir:
        raise UsageError(f"{path!r} is a file: filters select files in a folder.")
    drives = storage.onedrives
    hard = any(remote.hard_delete for remote in drives)
    end = "is deleted" if not drives else f"goes {'for good' if hard else 'to the recycle bin'}"
    if not dry_run:
        what = f"The folder {path} with all that is in it" if entry.is_dir else f"The file {path}"
        if options:
            what = f"What the filters select in {path}"
        confirm(output, yes, f"{what} {end}. Go on?")
    remove = storage.delete if entry.is_dir else storage.delete_file
    finish(remove(path, dry_run=dry_run, **options), output, "deleted", dry_run)


@command(SOURCE, DESTINATION)
@flag("--one-way", help="Ignore files that are only in DST.")
@flag("--download", help="Compare contents: for a crypt, S3 and others without OneDrive's hash.")
@about_links
@filtering
@pinged
def check(
    ctx: Context, source: str, destination: str, one_way: bool, download: bool, **given: Any
) -> None:
    """Compare two folders, every file by its hash. Exit code 7 if they differ.

    \b
    pluton-rclone check /srv/data "OneDrive Personal Backups:laptop/data"
    pluton-rclone check --download work:laptop/data s3:bucket/data
    """
    output, start, end = ctx.output, parse_end(source, ctx), parse_end(destination, ctx)
    rclone = ctx.storages.rclone(*remote_names(start, end))
    start.require("SRC")
    end.require("DST")
    options = selection(direction="one_way" if one_way else "both", **given)
    options["content"] = "download" if download else "hash"
    say_what_cannot_match(output, start, options)
    with start.named("SRC"):
        compare(
            output,
            lambda seen: rclone.check(start.location, end.location, on_progress=seen, **options),
            "content" if download else "hash",
            end,
        )


def compare(
    output: Output,
    run: Callable[[Callable[[int], None]], CheckResult],
    by: str,
    end: Place | None = None,
) -> None:
    """Run and report a comparison. Corrupted, which says so if DST, the `end`, does not exist."""
    with counting(output, "compared") as seen:
        result = run(seen)
    output.result(result.record())
    for notice in result.notices:
        output.say(f"  note    {notice}")
    lists = (result.differing, result.missing_on_source, result.missing_on_destination)
    left_out = tuple(f"{one.path}: {one.why}" for one in result.left_out)
    failed = tuple(map(told, result.failed))
    titles = ("differs", "only in DST", "only in SRC", "left out", "failed")
    for title, names in zip(titles, (*lists, left_out, failed), strict=True):
        for name in names:
            output.say(f"  {title:<12} {printable(name)}")
    same = f"{result.matching} {'is' if result.matching == 1 else 'are'} the same"
    if not result.same:
        different = sum(map(len, lists))
        differ = f"{counted(different, 'file')} {'differs' if different == 1 else 'differ'}"
        raise Corrupted(
            f"{differ}, {len(failed)} could not be compared, {same}.",
            why=missing_end(end) if end and not (result.matching or result.differing) else None,
            advice="Copy again, then check again." if different else result.failed[0].error.advice,
        )
    same = f"{counted(result.matching, 'file')} {same.partition(' ')[2]}"
    if result.by_size:
        why = "the two sides have no hash in common; --download compares contents"
        output.say(f"{same}, {result.by_size} of them by size alone: {why}")
    else:
        output.say(f"{same}, compared by {by}; none differs")


def missing_end(end: Place) -> str | None:
    """Why no file of SRC was found in DST, if DST does not exist at all."""
    if end.storage is None or not end.path.strip("/") or end.storage.stat(end.path) is not None:
        return None
    return end.nothing("DST").what


def finish(transfer: Transfer, output: Output, verb: str, dry_run: bool) -> None:
    """Follow a transfer to its end, and report the result. Raises its error."""
    Outlet.going_on = True
    with transfer:
        result = follow(transfer, output)
    if output.as_json:
        output.result({"result": result.record()})
    for planned in result.planned if not output.as_json else ():
        if not planned.action.startswith("set directory"):  # times of folders are of no interest
            print(f"would {planned.action}: {printable(planned.path)}")
    for notice in result.notices:
        output.say(f"  note    {notice}")
    for one in result.left_out:
        output.say(f"  left out  {printable(one.path)}: {one.why}")
    if result.error is not None:
        for failed in result.failed:
            output.say(f"  failed  {told(failed)}")
        raise result.error
    output.say(summary(result, f"would be {verb}" if dry_run else verb))


def told(file: FailedFile) -> str:
    """`PATH: why`; many errors already begin with the path."""
    path, text = printable(file.path), printable(str(file.error))
    begins = tuple(f"{path}{end}" for end in (": ", " was ", " disappeared "))
    return text if text.startswith(begins) else f"{path}: {text}"


def summary(result: TransferResult, verb: str) -> str:
    """One sentence: `3 files transferred (9.8 KiB), 2 deleted, 40 already there, in 1.2 s`."""
    folders = counted(result.folders, "whole folder")
    if verb.endswith("deleted"):
        files = result.deletes or sum(planned.action == "delete" for planned in result.planned)
        what = counted(files, "file") if files or not result.folders else folders
        return f"{what} {verb}, in {result.duration:.1f} s"
    parts = [f"{counted(result.transfers, 'file')} {verb} ({human_bytes(result.bytes)})"]
    if result.folders:  # within one drive, where Microsoft moves it as a whole
        parts = [f"{folders} {verb}"]
    would = "would be " * verb.startswith("would")
    if result.deletes and not verb.endswith("moved"):
        parts.append(f"{result.deletes} {would}deleted")
    if result.kept:
        parts.append(f"{result.kept} earlier {would}kept")
    return ", ".join([*parts, f"{result.unchanged} already there", f"in {result.duration:.1f} s"])


DRY_RUN = "Add --yes to confirm, or --dry-run to look first."


def confirm(output: Output, yes: bool, question: str, *, advice: str = DRY_RUN) -> None:
    """Ask at a terminal; a script must use --yes. UsageError, Cancelled."""
    if yes:
        return
    if output.as_json or not sys.stdin.isatty():
        why = question.replace(" Go on?", "")
        raise UsageError("Nothing was done: this needs --yes.", why=why, advice=advice)
    if not click.confirm(question, err=True):
        raise Cancelled("Nothing was done.", advice="")
