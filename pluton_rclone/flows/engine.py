"""Plans on Prefect: a flow of one task for each storage and step, and its deployment for workers.

Prefect schedules, retries, and counts what is done at once, over all machines: a limit for each
account and each organisation, held by leases. Names and places travel, secrets never: each worker
has an rclone.conf of its own.
"""

from __future__ import annotations

import contextvars
import os
import re
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Any

import httpx
import msgspec

from . import offline as offline  # before Prefect is imported

# isort: split
from prefect import flow, task
from prefect.artifacts import (
    create_progress_artifact,
    create_table_artifact,
    update_progress_artifact,
)
from prefect.automations import (
    Automation,
    ChangeFlowRunState,
    EventTrigger,
    Posture,
    ResourceSpecification,
)
from prefect.cache_policies import NO_CACHE
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.client.schemas.objects import State, StateType
from prefect.concurrency.sync import concurrency
from prefect.deployments import run_deployment
from prefect.deployments.runner import RunnerDeployment
from prefect.exceptions import ObjectNotFound, PrefectException
from prefect.runtime import flow_run
from prefect.schedules import Cron
from prefect.states import Completed, Failed
from prefect.tasks import exponential_backoff
from prefect.types.entrypoint import EntrypointType

from pluton_rclone.process import foreground
from pluton_rclone.storages.storages import Storages

from .plan import Plan, Step
from .steps import Outcome, carry_out, do
from .which import Target, limits, targets

FLOW = "pluton-rclone"
LOST = timedelta(seconds=120)
"""After so long without a sign of life, a flow run is taken to be lost with its worker."""
RUNS = 5
"""So often a flow run is begun at most: one that is lost so often may be the cause itself."""
_LEASE = 60.0  # seconds after which a limit is free of a worker that was killed; Prefect's least
_EVERY = 10.0  # seconds between reports of progress
_SILENCE = (httpx.HTTPError, PrefectException)


class StepFailed(Exception):
    """A step of a storage failed; Prefect tries it again if that may help."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(str(outcome))
        self.outcome = outcome


def _may_help(task: object, run: object, state: State[Any]) -> bool:
    error = state.result(raise_on_failure=False)
    return error.outcome.retry_helps if isinstance(error, StepFailed) else True


@task(name="step", persist_result=False, cache_policy=NO_CACHE, retry_condition_fn=_may_help)
def step_of_plan(
    target: dict[str, Any], step: dict[str, Any], shared: dict[str, str], config: str | None
) -> dict[str, Any]:
    """One step in one storage: its outcome. StepFailed."""
    wanted, what = msgspec.convert(target, Target), Step.model_validate(step)
    with concurrency(
        list(shared.values()),
        strict=True,
        lease_duration=_LEASE,
        raise_on_lease_renewal_failure=False,
    ):
        outcome = do(Storages(config), wanted, what, _progress(f"{wanted.name}: {what}"))
    if not outcome.ok:
        raise StepFailed(outcome)
    return outcome.record()


def _progress(title: str) -> Callable[[float], None]:
    """Shows in Prefect how far it is. That the server does not answer does not disturb the work."""
    last, artifact = time.monotonic(), None

    def seen(share: float) -> None:
        nonlocal last, artifact
        if time.monotonic() - last < _EVERY:
            return
        last = time.monotonic()
        with suppress(*_SILENCE):
            if artifact is None:
                artifact = create_progress_artifact(100 * share, description=title)
            else:
                update_progress_artifact(artifact, 100 * share)

    return seen


@flow(
    name=FLOW,
    flow_run_name="{plan[name]}",
    persist_result=False,
    validate_parameters=False,
)
def run_plan(
    plan: dict[str, Any],
    storages: list[dict[str, Any]] | None = None,
    spread: bool = False,
    config: str | None = None,
) -> State[Any]:
    """A plan (`Plan.record`) in `storages` (`Target` as records), or in all that it means; with
    `spread`, those are divided among further runs of the deployment. Its data: the outcomes."""
    whole, home = Plan.from_record(plan), Storages(config)
    if (flow_run.run_count or 0) > RUNS:
        return Failed(message=f"It was lost {RUNS} times, and is not begun again.", data=[])
    if storages is None:
        chosen = targets(whole.storages, home, _log)
        if spread:
            return _divided(whole, chosen)
    else:
        chosen = msgspec.convert(storages, list[Target])
    shared = {target.name: limits(home, target) for target in chosen}
    with get_client(sync_client=True) as client:
        for name, most in {
            name: getattr(whole.at_once, kind)
            for of_one in shared.values()
            for kind, name in of_one.items()
        }.items():
            client.upsert_global_concurrency_limit_by_name(_limit(name), most)
    here, retry = contextvars.copy_context(), whole.retry

    def perform(target: Target, step: Step) -> Outcome:
        named = step_of_plan.with_options(
            task_run_name=f"{target.name}: {step}".replace("{", "(").replace("}", ")"),
            retries=retry.times,
            retry_delay_seconds=exponential_backoff(retry.wait) if retry.times else 0,
        )
        given = (msgspec.to_builtins(target), step.model_dump(mode="json", exclude_unset=True))
        slots = {kind: _limit(name) for kind, name in shared[target.name].items()}
        state = here.copy().run(lambda: named(*given, slots, config, return_state=True))
        found = state.result(raise_on_failure=False)
        if isinstance(found, StepFailed):
            return found.outcome
        if isinstance(found, Exception):
            error = type(found).__name__
            return Outcome(storage=target.name, step=str(step), ended="failed", error=error)
        return msgspec.convert(found, Outcome)

    outcomes = carry_out(whole, chosen, perform)
    table = [
        {**one.record(), "failed": [f"{f['path']}: {f['why']}" for f in one.failed]}
        for one in outcomes
    ]
    create_table_artifact(table, key=f"{whole.name}-outcomes", description="What came of it")
    failed = [one for one in outcomes if not one.ok]
    said = f"{len({one.storage for one in failed})} of {len(chosen)} storages failed"
    data = [one.record() for one in outcomes]
    return Failed(message=f"{said}: {failed[0]}", data=data) if failed else Completed(data=data)


def _divided(plan: Plan, chosen: Sequence[Target]) -> State[Any]:
    """A run of its own for each batch. If this one is lost and runs again, none is begun twice."""
    size = plan.at_once.batch
    for start in range(0, len(chosen), size):
        batch = [msgspec.to_builtins(target) for target in chosen[start : start + size]]
        run_deployment(
            f"{FLOW}/{plan.name}",
            parameters={"storages": batch},
            timeout=0,
            idempotency_key=f"{flow_run.id}-{start}",
        )
    return Completed(message=f"{len(chosen)} storages, {size} to a run", data=[])


def _limit(name: str) -> str:
    """A name that Prefect takes: without / % & > < and quotes."""
    return re.sub(r"[/%&<>\"'^]", "-", name)


def _log(text: str) -> None:
    from prefect import get_run_logger

    get_run_logger().warning(text)


def run(plan: Plan, config: str | None = None) -> list[Outcome]:
    """Runs a plan in this process, on the server of PREFECT_API_URL, or on one that Prefect starts
    for as long (it takes some 15 s)."""
    state = run_plan(plan.record(), config=config, return_state=True)
    found = state.result(raise_on_failure=False)
    if isinstance(found, Exception):
        raise found
    return msgspec.convert(found, list[Outcome])


def deploy(plan: Plan, pool: str) -> None:
    """Registers the plan on the server: its schedule, and that `pool`'s workers run it."""
    when = plan.schedule
    deployment = RunnerDeployment.from_flow(
        run_plan,
        plan.name,
        parameters={"plan": plan.record(), "spread": True},
        schedules=[Cron(when.cron, timezone=when.timezone)] if when else None,
        work_pool_name=pool,
        entrypoint_type=EntrypointType.MODULE_PATH,
        enforce_parameter_schema=False,
    )
    with get_client(sync_client=True) as client:
        try:
            client.read_work_pool(pool)
        except ObjectNotFound:
            client.create_work_pool(WorkPoolCreate(name=pool, type="process"))
        _watch(client)
    deployment.apply()


def _watch(client: SyncPrefectClient) -> None:
    """Prefect takes a run for crashed that gives no sign of life, and schedules it again."""
    names = ("Pending", "heartbeat", "Running", "Completed", "Failed", "Cancelled", "Crashed")
    pending, beat, *others, crashed = (f"prefect.flow-run.{name}" for name in names)
    ours: dict[str, Any] = {
        "match": ResourceSpecification({"prefect.resource.id": "prefect.flow-run.*"}),
        "match_related": ResourceSpecification(
            {"prefect.resource.role": "flow", "prefect.resource.name": FLOW}
        ),
        "for_each": {"prefect.resource.id"},
    }
    lost = EventTrigger(
        after={pending, beat},
        expect={beat, crashed, *others},
        posture=Posture.Proactive,
        within=LOST,
        **ours,
    )
    gone = EventTrigger(expect={crashed}, posture=Posture.Reactive, **ours)
    again = ChangeFlowRunState(state=StateType.SCHEDULED, name="AwaitingRetry")
    for title, trigger, action in (
        ("no sign of life: it is lost", lost, ChangeFlowRunState(state=StateType.CRASHED)),
        ("lost with its worker: it runs again", gone, again),
    ):
        if not client.read_automations_by_name(f"{FLOW}: {title}"):
            Automation(name=f"{FLOW}: {title}", trigger=trigger, actions=[action]).create()


def work(pool: str, limit: int | None) -> int:
    """Prefect's own worker, which runs each flow run in a process; its exit code."""
    most = [f"--limit={limit}"] if limit else []
    words = ["-m", "prefect", "worker", "start", f"--pool={pool}", "--type=process", *most]
    return foreground([sys.executable, *words], env=os.environ)
