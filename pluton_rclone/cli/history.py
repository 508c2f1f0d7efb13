"""Past runs: `history`, and `again`, which repeats a run."""

from __future__ import annotations

import os
import re
import shlex
from datetime import timedelta

import click
from msgspec.structs import replace

from pluton_rclone.errors import StorageNotFound, UsageError
from pluton_rclone.rclone.results import DONE
from pluton_rclone.runs.record import RunRecord
from pluton_rclone.runs.run import Run
from pluton_rclone.values.printable import printable
from pluton_rclone.values.units import counted, human_bytes, human_seconds

from .complete import storage_names
from .context import Context, command, valued
from .output import tell
from .restic import run_restic
from .transfers import SAFE, SURE, compare, confirm, finish, today

_TO_BEGIN = timedelta(minutes=1)  # from naming a day's folder to the recorded start


@command()
@click.argument("name", metavar="[NAME|ID]", required=False, shell_complete=storage_names)
@valued("-n --limit", "N", "Show at most N runs.", type=click.IntRange(1), default=20)
def history(ctx: Context, name: str | None, limit: int) -> None:
    """Show the last runs, of all storages or of NAME; with an ID, one run and its failures.

    NAME may be a storage that has since been removed or renamed.

    Transfers, comparisons and restic are recorded beside rclone.conf for 90 days, however they were
    started: by this program, its page, or a Python program. Dry runs are not recorded.

    \b
    pluton-rclone history
    pluton-rclone history work -n 5
    pluton-rclone history 12
    pluton-rclone history --json | jq '.[] | select(.ended == "failed")'
    """
    output, runs = ctx.output, ctx.new_storages.runs
    if name is not None and name.isascii() and name.isdigit() and len(name) < 20:
        one = runs.get(int(name))
        if not output.result(one.record()):
            show(one)
        return
    if name is None:
        found = runs.last(limit=limit, notice=output.say)
    else:
        found = _of_storage(ctx, name.rstrip(":"), limit)
    if not output.result([one.record() for one in found]):
        heads = ("Id", "Began", "Run", "End", "Files", "Size", "Failed", "Took")
        output.table(heads, [_row(one) for one in found])
    if not found:
        output.say("No run is recorded yet.")


def _of_storage(ctx: Context, name: str, limit: int) -> list[RunRecord]:
    """The runs of a storage, or of one that had that name. StorageNotFound."""
    runs, say = ctx.new_storages.runs, ctx.output.say
    try:
        return runs.last(ctx.new_storages.reach(name).remote_name, limit=limit, notice=say)
    except StorageNotFound:
        from pluton_rclone.remote.names import derive_name

        # or the friendly name under which it was connected
        for once in (name, derive_name(name, (), ctx.new_storages.binary.version)):
            if found := runs.last(once, limit=limit, notice=say):
                return found
        raise


def _row(one: RunRecord) -> tuple[str, ...]:
    began = f"{one.began.astimezone():%Y-%m-%d %H:%M}"
    size = human_bytes(one.bytes) if one.bytes else ""
    took = "" if one.seconds is None else human_seconds(one.seconds)
    counts = (str(one.files or ""), size, str(one.failures or ""), took)
    return (str(one.id), began, str(one.run), one.ended, *counts)


def show(one: RunRecord) -> None:
    """Print one run on several lines."""
    tell(f"Run {one.id}: {one.run}")
    if one.run.options:
        tell(f"  options  {shlex.join(one.run.options)}")
    took = "" if one.seconds is None else f", took {human_seconds(one.seconds)}"
    tell(f"  began    {one.began.astimezone():%Y-%m-%d %H:%M:%S}{took}")
    code = "" if one.exit_code is None else f", exit code {one.exit_code}"
    tell(f"  end      {one.ended}{code}")
    if one.bytes is not None:
        files = f"{counted(one.files or 0, 'file')} ({human_bytes(one.bytes)})"
        tell(f"  done     {files}, {one.deletes} deleted, {one.failures} failed or different")
    if one.error:
        tell(f"  error    {one.error['what']}{f' ({why})' if (why := one.error['why']) else ''}")
        tell(f"  advice   {one.error['advice']}")
    for failed in one.failed:
        tell(f"  failed   {printable(failed['path'])}: {failed['why'] or failed['what']}")
    for notice in one.notices:
        tell(f"  note     {notice}")


def _today(before: RunRecord) -> Run:
    """The run, with today's folder in place of its own day's (--keep-days): rclone would overwrite
    files there, and that folder is deleted when its time is over."""
    named = {before.began - _TO_BEGIN, before.began}  # midnight may have passed in between
    days = "|".join(str(one.astimezone().date()) for one in named)
    day = re.compile(rf"(?s)(--backup-dir=.*/)(?:{days})\Z")
    options = (day.sub(rf"\g<1>{today()}", one) for one in before.run.options)
    return replace(before.run, options=tuple(options))


@command()
@click.argument("id", type=click.IntRange(1))
@SAFE
@SURE
def again(ctx: Context, id: int, dry_run: bool, yes: bool) -> int:
    """Repeat a run of `history`: the same places, options and filters.

    \b
    pluton-rclone again 12
    """
    storages = ctx.storages
    before = storages.runs.get(id)
    run = _today(before)
    run.require_whole()
    for name in run.storages:
        try:
            storages.reach(name).require()
        except StorageNotFound as error:
            error.why = f"run {id} used it, but it has since been removed or renamed"
            raise
        if not storages.runs.is_of(name, before):
            what = f"The name {name!r} no longer belongs to the drive of run {id}."
            why = "its storage has since been removed or renamed, or has another drive"
            raise StorageNotFound(what, why=why, advice="Start a new run, with the right storage.")
        if not storages.runs.has_base_of(name, before):
            what = f"{name}: is no longer the same folder as in run {id}."
            why = "the base folder of its storage has since been changed"
            raise UsageError(what, why=why, advice="Start a new run, with the right places.")
    if before.error:
        ctx.output.say(f"Run {id} {before.ended}: {before.error['what']} {before.error['advice']}")
    if run.command == "restic":
        if dry_run:
            raise UsageError("restic has a --dry-run of its own.")
        storage, path = storages.reach(run.storages[0]), run.destination.partition(":")[2]
        if storage.at(path) != run.destination:
            path = f"/{path}"
        os.chdir(run.folder or ".")  # its arguments may name files there
        return run_restic(ctx.output, storage, path, run.options)
    if run.command == "check":
        rclone = storages.rclone(*run.storages)
        by = "content" if "--download" in run.options else "hash"
        compare(ctx.output, lambda seen: rclone.compare(run.as_command(), seen), by)
        return 0
    if (run.command == "sync" or run.command in DONE) and not dry_run:
        confirm(ctx.output, yes, f"{run}: files may be deleted. Go on?")
    if dry_run:
        run = run.dry()
    finish(storages.start(run), ctx.output, DONE.get(run.command, "transferred"), dry_run)
    return 0
