"""Runs a plan in this process only, without Prefect: no state survives it, nothing is scheduled."""

from __future__ import annotations

from collections.abc import Callable

from pluton_rclone.rclone.runner import nothing
from pluton_rclone.storages.storage import Storages

from .plan import Plan, Step
from .shards import carry_out
from .steps import STOPPED, Outcome, do
from .which import Target, limits, slots, targets


def run(
    plan: Plan,
    storages: Storages,
    *,
    said: Callable[[Outcome], None] = nothing,
    notice: Callable[[str], None] = nothing,
) -> list[Outcome]:
    """Run a plan; `said` is called with each outcome when it is known, one at a time.
    StorageNotFound, and Microsoft's errors when an organisation's storages are looked up."""
    turn = slots(plan.at_once)

    def perform(target: Target, step: Step) -> Outcome:
        shared = limits(storages, target)
        for tried in range(plan.retry.times + 1):
            with turn(shared):
                outcome = do(storages, target, step)
            if outcome.ok or not outcome.retry_helps or tried == plan.retry.times:
                break
            STOPPED.wait(plan.retry.wait * 2**tried)
        return outcome

    return carry_out(plan, storages, targets(plan.storages, storages, notice), perform, said)
