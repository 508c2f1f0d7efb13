"""The commands `plan` and `flow`: work on many storages, here or on many machines."""

from __future__ import annotations

import json
import os
import sys
from functools import partial
from pathlib import Path

import click

from pluton_rclone.errors import StorageNotFound, TransferFailed, UsageError
from pluton_rclone.flows import alone
from pluton_rclone.flows.plan import Plan, check
from pluton_rclone.flows.steps import Outcome
from pluton_rclone.flows.which import targets
from pluton_rclone.values.printable import printable
from pluton_rclone.values.units import counted, human_bytes, human_seconds

from .context import FILE, Context, command, flag, needs, valued
from .output import Outlet, tell

FLOWS = ("prefect", "tomllib" if sys.version_info >= (3, 11) else "tomli")
LIMIT = "worker: at most N flow runs at once, including a plan's, which waits for its batches."
OF_PLAN = click.argument("file", metavar="[PLAN]", required=False, type=FILE)


@command()
@click.argument("action", type=click.Choice(["check"]), metavar="check")
@OF_PLAN
@flag("--schema", help="Print the JSON Schema of a plan, for an editor.")
def plan(ctx: Context, action: str, file: Path | None, schema: bool) -> None:
    """Explain a plan: what it does, in which storages, and when. Reports all faults at once.

    \b
    pluton-rclone plan check nightly.toml
    pluton-rclone plan check --schema
    """
    needs("flows", *FLOWS)
    if schema:
        model = Plan.model_json_schema()
        if not ctx.output.result(model):
            tell(json.dumps(model, indent=2))
        return
    found = _read(ctx, file)
    storages, notes = _meant(ctx, found)
    steps = [str(step) for step in found.all_steps()]
    if ctx.output.result({"plan": found.record(), "storages": storages, "notes": notes}):
        return
    tell(f"The plan {found.name}: {counted(len(steps), 'step')}")
    tell(f"  storages  {', '.join(storages)}")
    for number, step in enumerate(steps, 1):
        tell(f"  step {number:<4} {step}")
    when, retry, most = found.schedule, found.retry, found.at_once
    tell(f"  when      {f'{when.cron}, {when.timezone}' if when else 'when it is run'}")
    tell(f"  again     {retry.times} times, first after {human_seconds(retry.wait)}")
    tell(
        f"  at once   {most.account} per account, {most.tenant} per organisation, "
        f"{most.worker} per process; {counted(most.batch, 'storage')} per flow run"
    )
    for note in notes:
        ctx.output.note(note)


def _meant(ctx: Context, plan: Plan) -> tuple[list[str], list[str]]:
    """The storages in rclone.conf that the plan means, and what rclone.conf lacks."""
    found: list[str] = []
    notes = []
    for which in plan.storages:
        for name in which.names or [which.tenant_of]:
            try:
                if which.tenant_of:
                    found.append(f"the organisation of {ctx.new_storages[name].name}")
                else:
                    one = which.model_copy(update={"names": (name,)})
                    found += [each.name for each in targets([one], ctx.new_storages)]
            except StorageNotFound as error:
                notes.append(error.what)
    return list(dict.fromkeys(found)), notes


@command()
@click.argument("action", type=click.Choice(["run", "deploy", "worker"]))
@OF_PLAN
@flag("--no-server", help="run: in this process, without Prefect: no server, no record there.")
@valued("--pool", "NAME", "Prefect's work pool. [default: pluton-rclone]", default="pluton-rclone")
@valued("--limit", "N", LIMIT, type=click.IntRange(2))
def flow(
    ctx: Context, action: str, file: Path | None, no_server: bool, pool: str, limit: int | None
) -> int:
    """Run a plan, deploy it to a Prefect server that runs it on schedule, or be a worker.

    The server is the one at PREFECT_API_URL. Without one, `run` starts a temporary Prefect server.

    \b
    pluton-rclone flow run --no-server nightly.toml
    PREFECT_API_URL=http://server:4200/api pluton-rclone flow deploy nightly.toml
    PREFECT_API_URL=http://server:4200/api pluton-rclone flow worker
    """
    needs("flows", *FLOWS)
    if not no_server:  # child processes find them there
        if os.path.expanduser("~") == "~":
            raise UsageError("Prefect needs a home folder.", advice="Set HOME, or add --no-server.")
        named = {"RCLONE_CONFIG": ctx.config, "PLUTON_RCLONE_BINARY": ctx.binary}
        whole = {name: os.path.abspath(path) for name, path in named.items() if path}
        os.environ.update(whole)  # absolute, because a worker's runs start in their own folders
    if action == "worker":
        from pluton_rclone.flows.engine import work

        return work(pool, limit)
    wanted = _read(ctx, file)
    if action == "deploy":
        from pluton_rclone.flows.engine import deploy

        deploy(wanted, pool)
        ctx.output.say(f"The plan {wanted.name} is deployed; the workers of {pool!r} run it")
        return 0
    Outlet.going_on = True
    if no_server:
        said = partial(_say, ctx)
        outcomes = alone.run(wanted, ctx.storages, said=said, notice=ctx.output.note)
    else:
        from pluton_rclone.flows import engine

        outcomes = engine.run(wanted)
        for one in outcomes:
            _say(ctx, one)
    failed = list(dict.fromkeys(one.storage for one in outcomes if not one.ok))
    if failed:
        of_all = counted(len({one.storage for one in outcomes}), "storage")
        what = f"{len(failed)} of {of_all} failed: {', '.join(failed)}."
        raise TransferFailed(what, advice="The message for each storage gives the cause.")
    return 0


def _say(ctx: Context, one: Outcome) -> None:
    ctx.output.line(one.record())
    done = f", {counted(one.files, 'file')} ({human_bytes(one.bytes)})" if one.files else ""
    took = f" in {human_seconds(one.seconds)}"
    text = f"{one.storage}: {one.step}{done}{took}" if one.ok else str(one)
    ctx.output.say(f"{'ok' if one.ok else 'FAILED':<8}{printable(text)}")
    for notice in one.notices:
        ctx.output.say(f"        note: {printable(notice)}")
    if one.advice and not one.ok:
        ctx.output.say(f"        {one.advice}")


def _read(ctx: Context, file: Path | None) -> Plan:
    """The plan in the file. UsageError, after every fault was printed."""
    if file is None:
        raise UsageError("No plan is given.", advice="Name its file, such as nightly.toml.")
    found, faults = check(file)
    for fault in faults:
        ctx.output.say(f"{file}: {fault}")
    if found is None:
        what, named = f"{file} is not a plan: {counted(len(faults), 'fault')}.", map(str, faults)
        raise UsageError(what, advice="Correct the faults listed above.", faults=list(named))
    return found
