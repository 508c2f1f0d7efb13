"""The connection test's steps: each ok, a warning, skipped, or failed with advice."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

from pluton_rclone.errors import ConnectionTestFailed, PlutonRcloneError
from pluton_rclone.microsoft.graph.drives import Shortcut
from pluton_rclone.values.refusals import of_unsaved

Status = Literal["ok", "warning", "failed", "skipped"]


@dataclass
class Step:
    """One step: `name` is stable, `text` is for display, `seconds` is its duration; `error` is why
    it failed, or its warning. `shortcuts`, of the listing, are shared folders that rclone is not
    shown, so that a backup lacks them."""

    name: str
    title: str
    status: Status = "ok"
    text: str = ""
    seconds: float = 0.0
    error: PlutonRcloneError | None = None
    shortcuts: tuple[Shortcut, ...] = ()

    def record(self) -> dict[str, Any]:
        """The step as a JSON object."""
        error = self.error.record() if self.error else None
        shown = {"seconds": round(self.seconds, 3), "error": error}
        return {**vars(self), **shown, "shortcuts": [vars(one) for one in self.shortcuts]}


OnStep = Callable[[Step], None] | None
"""Called with each step when it ends."""


@dataclass(frozen=True)
class ConnectionReport:
    """The results of a connection test, in the order of its steps."""

    storage: str
    steps: tuple[Step, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing failed; warnings are allowed."""
        return all(step.status != "failed" for step in self.steps)

    @property
    def warnings(self) -> tuple[Step, ...]:
        """The steps that passed with a warning."""
        return tuple(step for step in self.steps if step.status == "warning")

    @property
    def shortcuts(self) -> tuple[Shortcut, ...]:
        """Shared folders that the account sees in a browser, but that rclone is not shown."""
        return tuple(one for step in self.steps for one in step.shortcuts)

    def raise_for_failure(self) -> None:
        """Raise `ConnectionTestFailed` with the cause of the first failed step."""
        for step in self.steps:
            if step.status == "failed" and (cause := step.error) is not None:
                where = f"The connection test of {self.storage!r} failed at {step.title!r}"
                members = ("why", "who", "advice", "next_step", "link")
                about = {name: getattr(cause, name) for name in members}
                about |= {"storage": self.storage, **cause.details}
                about |= {"step": step.name, "cause": cause.code}
                raise ConnectionTestFailed(f"{where}: {cause.what}", **about) from cause

    def record(self) -> dict[str, Any]:
        """The report as a JSON object."""
        steps = [step.record() for step in self.steps]
        return {"storage": self.storage, "ok": self.ok, "steps": steps}


class StepFailed(Exception):
    """Ends the walk: no later step can succeed if this one failed."""


@dataclass
class Walk:
    """Runs the steps of one test and keeps their results."""

    on_step: OnStep = None
    unsaved: bool = False
    steps: list[Step] = field(default_factory=list)

    @contextmanager
    def step(self, name: str, title: str) -> Iterator[Step]:
        """Run one step, whose body sets its text, and perhaps an `error` as a warning. If the body
        raises one of our errors, the walk ends with `StepFailed`."""
        step, started = Step(name, title), time.monotonic()
        try:
            yield step
            if step.error is not None:
                step.status, step.text = "warning", step.error.what
        except PlutonRcloneError as error:
            step.status, step.text, step.error = "failed", str(error), error
        if self.unsaved and step.error is not None:
            of_unsaved(step.error)
        step.seconds = time.monotonic() - started
        self.steps.append(step)
        if self.on_step is not None:
            self.on_step(step)
        if step.status == "failed":
            raise StepFailed(name) from step.error
