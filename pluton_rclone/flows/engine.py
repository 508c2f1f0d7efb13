"""Plans on Prefect: a flow with one task for each storage and step, and its deployment for workers.

Prefect schedules and retries, and limits what runs at once over all machines: one limit for each
account and each organisation, held by leases. Names and paths are sent, never secrets: each worker
has its own rclone.conf."""

from __future__ import annotations

import contextvars
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import timedelta
from functools import partial
from hashlib import sha256
from itertools import groupby
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

import httpx
import msgspec

from . import offline as offline  # before Prefect is imported

# isort: split
from prefect import artifacts, automations, flow, get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.concurrency.sync import concurrency
from prefect.deployments import run_deployment
from prefect.deployments.runner import RunnerDeployment
from prefect.exceptions import ObjectNotFound, PrefectException
from prefect.runtime import flow_run
from prefect.schedules import Cron
from prefect.settings import get_current_settings
from prefect.states import AwaitingRetry, Completed, Failed
from prefect.tasks import exponential_backoff
from prefect.types.entrypoint import EntrypointType

from pluton_rclone.errors import Unreachable, UsageError, Who
from pluton_rclone.process.terminal import foreground
from pluton_rclone.storages.storage import Storages
from pluton_rclone.values.redaction import redact

from .plan import AtOnce, Plan, Step
from .shards import carry_out, shards_of
from .steps import Outcome, do, failed
from .which import Target, Turn, limits, slots, targets

FLOW, BATCH = "pluton-rclone", "pluton-rclone-batch"
LOST = timedelta(seconds=120)
"""A flow run without a heartbeat for this long counts as lost with its worker."""
RUNS = 5
"""The most starts of one flow run: a run that is lost this often may be the cause itself."""
_LEASE = 60.0  # seconds until a killed worker's slot is free again; Prefect's minimum
_EVERY = 10.0  # seconds between reports of progress
T = TypeVar("T")
_RUN: Any = {"flow_run_name": "{plan[name]}", "persist_result": False, "validate_parameters": False}
_SILENCE = (httpx.HTTPError, PrefectException)


class StepFailed(Exception):
    """A step of a storage failed; Prefect retries it if that may help."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(str(outcome))
        self.outcome = outcome


def _may_help(task: object, run: object, state: State[Any]) -> bool:
    error = state.result(raise_on_failure=False)
    return error.outcome.retry_helps if isinstance(error, StepFailed) else True


@task(name="step", persist_result=False, cache_policy=NO_CACHE, retry_condition_fn=_may_help)
def step_of_plan(
    target: Target, step: Step, turn: Callable[[], AbstractContextManager[None]]
) -> Outcome:
    """Run one step in one storage, in this process, within its `turn`. StepFailed."""
    with turn():
        outcome = do(Storages(), target, step, _progress(f"{target.name}: {step}"))
    if not outcome.ok:
        raise StepFailed(outcome)
    return outcome


def _leased(at_once: AtOnce, shared: Mapping[str, str]) -> AbstractContextManager[None]:
    """Hold a slot in each of these limits of the server, after waiting for free ones."""

    def limit() -> None:
        with get_client(sync_client=True) as client:
            for kind, name in shared.items():
                client.upsert_global_concurrency_limit_by_name(name, getattr(at_once, kind))

    _patiently(limit)
    lease: Any = {"lease_duration": _LEASE, "raise_on_lease_renewal_failure": False}
    return concurrency([*shared.values()], strict=True, **lease)


def _progress(title: str) -> Callable[[float], None]:
    """Report progress to Prefect. A server that does not answer does not disturb the work."""
    last, artifact = time.monotonic(), None

    def seen(share: float) -> None:
        nonlocal last, artifact
        if time.monotonic() - last < _EVERY:
            return
        last = time.monotonic()
        with suppress(*_SILENCE):
            if artifact is None:
                artifact = artifacts.create_progress_artifact(100 * share, description=title)
            else:
                artifacts.update_progress_artifact(artifact, 100 * share)

    return seen


@flow(name=FLOW, **_RUN)
def run_plan(plan: dict[str, Any], spread: bool = False) -> State[Any]:
    """Run a plan (`Plan.record`, checked on another machine) in all its storages: here or, with
    `spread`, in runs of `run_batch` on any worker. The state's data: the outcomes by storage, or
    the final states of those runs."""
    whole = Plan.model_validate(plan)
    chosen = targets(whole.storages, Storages(), get_run_logger().warning)
    return _spread(whole, chosen) if spread else _carried_out(whole, chosen)


@flow(name=BATCH, **_RUN)
def run_batch(plan: dict[str, Any], storages: list[dict[str, Any]]) -> State[Any]:
    """Run a plan in these storages (`Target` records). The state's data: the outcomes."""
    if (flow_run.run_count or 0) > RUNS:
        return Failed(message=f"It was lost {RUNS} times, and is not started again.", data=[])
    return _carried_out(Plan.model_validate(plan), msgspec.convert(storages, list[Target]))


def _carried_out(plan: Plan, chosen: list[Target]) -> State[Any]:
    turn: Turn = partial(_leased, plan.at_once)
    if not get_current_settings().api.url:  # a killed run's slots on its own server stay taken
        turn = slots(plan.at_once)
    here, retry = contextvars.copy_context(), plan.retry

    def perform(target: Target, step: Step) -> Outcome:
        named = step_of_plan.with_options(
            task_run_name=f"{target.name}: {step}".replace("{", "(").replace("}", ")"),
            retries=retry.times,
            retry_delay_seconds=exponential_backoff(retry.wait) if retry.times else 0,
        )
        mine = partial(turn, limits(Storages(), target))
        state = here.copy().run(lambda: named(target, step, mine, return_state=True))
        found = state.result(raise_on_failure=False)
        if isinstance(found, StepFailed):
            return found.outcome
        return failed(target, step, found) if isinstance(found, Exception) else found

    outcomes = carry_out(plan, Storages(), chosen, perform)
    data = [one.record() for one in outcomes]
    table: dict[str, Any] = {"key": f"{plan.name}-outcomes", "description": "The outcomes"}
    _patiently(partial(artifacts.create_table_artifact, data, **table))
    wrong = [one for one in outcomes if not one.ok]
    said = f"{len({one.storage for one in wrong})} of {len(chosen)} storages failed"
    return Failed(message=f"{said}: {wrong[0]}", data=data) if wrong else Completed(data=data)


def _patiently(call: Callable[[], T]) -> T:
    """The result of the call; waits while the server is away or cannot answer."""
    while True:
        try:
            return call()
        except httpx.TransportError:
            pass
        except httpx.HTTPStatusError as error:
            if error.response.status_code < 500:
                raise
        time.sleep(_EVERY)


def _spread(plan: Plan, chosen: list[Target]) -> State[Any]:
    """Run each batch of storages, and each shard of a step, in its own flow run. A plan with shards
    runs in stages: each sharded step by itself, and the steps between them together."""
    alone = groupby(plan.all_steps(), lambda step: step if step.shards > 1 else None)
    stages = [list(steps) for _, steps in alone]
    size = plan.at_once.batch if len(stages) == 1 else 1
    ends: list[State[Any]] = []
    ended = set[str]()
    for steps in stages:
        going, jobs = [one for one in chosen if one.name not in ended], list[_Job]()
        if steps[0].shards == 1:
            batches = [going[start : start + size] for start in range(0, len(going), size)]
            jobs = [_Job(plan.only(steps), batch, batch[0].name) for batch in batches]
            going = []
        for target in going:
            try:
                shards = shards_of(Storages(), target, steps[0])
            except Exception as error:  # noqa: BLE001 - as in `do`
                ended.add(target.name)
                ends.append(Failed(message=str(failed(target, steps[0], error))))
                continue
            jobs += [_Job(plan.only([step]), [door], target.name) for door, step in shards]
        for job, end in zip(jobs, _run_all(plan.name, jobs), strict=True):
            ends.append(end)
            if not end.is_completed():
                ended.add(job.of)
    wrong = [end.message for end in ends if not end.is_completed()]
    data = [str(end) for end in ends]
    said = f"{len(wrong)} of {len(ends)} runs failed: {'; '.join(map(str, wrong))}"[:2000]
    return Failed(message=said, data=data) if wrong else Completed(data=data)


class _Job(NamedTuple):
    """The work of one flow run, and the storage that it concerns (`of`), or the first of them."""

    plan: Plan
    targets: list[Target]
    of: str


def _run_all(deployment: str, jobs: list[_Job]) -> list[State[Any]]:
    """The final states, in order; lost runs are started again. If this run is lost itself and
    restarted, it finds the runs that it has started."""
    found, ends, runs = list[UUID](), dict[UUID, State[Any]](), dict[UUID, int]()
    for job in jobs:
        parameters = {"plan": job.plan.record(), "storages": msgspec.to_builtins(job.targets)}
        key = f"{flow_run.id}-{sha256(msgspec.json.encode(parameters)).hexdigest()[:16]}"
        given: dict[str, Any] = {"parameters": parameters, "idempotency_key": key}
        made = _patiently(partial(run_deployment, f"{BATCH}/{deployment}", timeout=0, **given))
        assert isinstance(made, FlowRun)  # not a coroutine: this flow is not async
        found.append(made.id)
        runs[made.id] = 0
    with get_client(sync_client=True) as client:
        while waiting := runs.keys() - ends.keys():
            time.sleep(_EVERY)
            with suppress(*_SILENCE):  # the server is away: try later
                for one in waiting:
                    state = client.read_flow_run(one).state
                    if state is not None and state.is_crashed() and runs[one] < RUNS:
                        client.set_flow_run_state(one, AwaitingRetry())
                        runs[one] += 1
                    elif state is not None and state.is_final():
                        ends[one] = state
    return [ends[one] for one in found]


@contextmanager
def _server(*, required: bool) -> Iterator[None]:
    """Wrap calls to Prefect's server. UsageError if there is none; Unreachable if it does not
    answer or fails."""
    address, answers = get_current_settings().api.url or "", False
    if required and not address:
        raise UsageError(
            "PREFECT_API_URL is not set: plans are deployed to a server, and workers ask it.",
            advice="Start one (`prefect server start`), and set PREFECT_API_URL to its address "
            "with /api: http://127.0.0.1:4200/api.",
        )
    try:
        if address:
            with get_client(sync_client=True) as client:
                if problem := client.api_healthcheck():
                    raise problem
                client.raise_for_api_version_mismatch()
        answers = True
        yield
    except Exception as error:
        # before it answers, it may be any other server
        if answers and not isinstance(error, httpx.HTTPError):
            raise
        raise Unreachable(
            f"{address.rpartition('@')[2]} does not answer like a Prefect server.",
            why=redact(f"{type(error).__name__}: {error}")[:500],
            who=Who.YOU,
            advice="Check PREFECT_API_URL (it ends with /api), and that the server runs (`prefect "
            "server start`). `flow run --no-server` needs none.",
        ) from None


@_server(required=False)
def run(plan: Plan) -> list[Outcome]:
    """Run a plan in this process, on the server of PREFECT_API_URL, or on a temporary one that
    Prefect starts (in about 15 s). Unreachable."""
    state = run_plan(plan.record(), return_state=True)
    found = state.result(raise_on_failure=False)
    if isinstance(found, Exception):
        raise found
    return msgspec.convert(found, list[Outcome])


@_server(required=True)
def deploy(plan: Plan, pool: str) -> None:
    """Register the plan on the server, with its schedule, for the workers of `pool`. UsageError
    without PREFECT_API_URL; Unreachable."""
    when, record = plan.schedule, plan.record()
    with get_client(sync_client=True) as client:
        try:
            client.read_work_pool(pool)
        except ObjectNotFound:
            client.create_work_pool(WorkPoolCreate(name=pool, type="process"))
        _watch(client)
    for one, given in ((run_batch, {}), (run_plan, {"spread": True})):
        RunnerDeployment.from_flow(
            one,
            plan.name,
            parameters={"plan": record, **given},
            schedules=[Cron(when.cron, timezone=when.timezone)] if when and given else None,
            work_pool_name=pool,
            entrypoint_type=EntrypointType.MODULE_PATH,
            enforce_parameter_schema=False,
        ).apply()


def _watch(client: SyncPrefectClient) -> None:
    """Set up Prefect's reaction to a run without heartbeats. A batch is marked as crashed, unless
    it has ended (which Prefect may learn late, after a restart). A plan's own run, which restarts
    crashed batches, is restarted itself: it finds the runs that it has started."""
    names = ("Pending", "heartbeat", "Running", "Completed", "Failed", "Cancelled")
    pending, beat, *others = (f"prefect.flow-run.{name}" for name in names)
    crashed = automations.ChangeFlowRunState(state=StateType.CRASHED)
    again = automations.ChangeFlowRunState(state=StateType.SCHEDULED, name="AwaitingRetry")
    for name, action in ((BATCH, crashed), (FLOW, again)):
        title = f"{name}: no sign of life"
        if client.read_automations_by_name(title):
            continue
        trigger = automations.EventTrigger(
            after={pending, beat},
            expect={beat, *others},
            match=automations.ResourceSpecification({"prefect.resource.id": "prefect.flow-run.*"}),
            match_related=automations.ResourceSpecification(
                {"prefect.resource.role": "flow", "prefect.resource.name": name}
            ),
            for_each={"prefect.resource.id"},
            posture=automations.Posture.Proactive,
            within=LOST,
        )
        automations.Automation(name=title, trigger=trigger, actions=[action]).create()


@_server(required=True)
def work(pool: str, limit: int | None) -> int:
    """Run Prefect's own worker, which runs each flow run in a process; return its exit code.
    UsageError without PREFECT_API_URL; Unreachable."""
    most = [f"--limit={limit}"] if limit else []
    words = ["-m", "prefect", "worker", "start", f"--pool={pool}", "--type=process", *most]
    return foreground([sys.executable, *words], env=os.environ)
