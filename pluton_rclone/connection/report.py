"""The connection test: a remote walked through step by step, each step ok, a warning, or failed
with the way out."""

from __future__ import annotations

import os
import secrets
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

from pluton_rclone.errors import ConnectionTestFailed, PlutonRcloneError

Status = Literal["ok", "warning", "failed", "skipped"]

# The probe's name tells who made it: a later test removes it when that process is gone (same host)
# or an hour has passed (another host).
PROBE_PREFIX = ".pluton-connection-test"
PROBE_LIFETIME = 3600.0  # seconds
ACTIVE_PROBES: set[str] = set()  # the probe files of tests that run in this process


@dataclass(frozen=True)
class Step:
    """One step of a connection test. `name` is stable, `text` is for people, `seconds` is how long
    it took."""

    name: str
    title: str
    status: Status
    text: str
    seconds: float
    error: PlutonRcloneError | None = None

    def record(self) -> dict[str, Any]:
        """The step as a JSON object."""
        return {
            "name": self.name,
            "title": self.title,
            "status": self.status,
            "text": self.text,
            "seconds": round(self.seconds, 3),
            "error": self.error.record() if self.error else None,
        }


@dataclass(frozen=True)
class ConnectionReport:
    """What a connection test found, in the order of its steps."""

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

    def raise_for_failure(self) -> None:
        """Raises `ConnectionTestFailed` with the cause of the first failed step."""
        for step in self.steps:
            if step.status == "failed" and step.error is not None:
                raise ConnectionTestFailed(
                    f"The connection test of {self.storage!r} failed at {step.title!r}: "
                    f"{step.error.what}",
                    why=step.error.why,
                    who=step.error.who,
                    advice=step.error.advice,
                    next_step=step.error.next_step,
                    link=step.error.link,
                    step=step.name,
                    cause=step.error.code,
                    **{"storage": self.storage, **step.error.details},
                ) from step.error

    def record(self) -> dict[str, Any]:
        """The report as a JSON object."""
        return {
            "storage": self.storage,
            "ok": self.ok,
            "steps": [step.record() for step in self.steps],
        }


class StepFailed(Exception):
    """Leaves the walk: a later step cannot succeed when this one has not."""


@dataclass
class Walk:
    """Runs the steps of one test and keeps what they found."""

    on_step: Callable[[Step], None] = lambda step: None
    steps: list[Step] = field(default_factory=list)

    @contextmanager
    def step(self, name: str, title: str) -> Iterator[Notes]:
        """One step: an error of ours in the body ends the walk with `StepFailed`, the rest becomes
        its text."""
        notes, started = Notes(), time.monotonic()
        try:
            yield notes
        except PlutonRcloneError as error:
            self._add(Step(name, title, "failed", str(error), time.monotonic() - started, error))
            raise StepFailed(name) from error
        warning = notes.warning
        status: Status = "warning" if warning else "skipped" if notes.skipped else "ok"
        text = warning.what if warning else notes.text
        self._add(Step(name, title, status, text, time.monotonic() - started, warning))

    def _add(self, step: Step) -> None:
        self.steps.append(step)
        self.on_step(step)


@dataclass
class Notes:
    """What a step's body says about itself."""

    text: str = ""
    warning: PlutonRcloneError | None = None
    skipped: bool = False


def probe_name() -> str:
    """A name for a probe file that nobody else uses: host, process and a random part."""
    return f"{PROBE_PREFIX}-{socket.gethostname()[:20]}-{os.getpid()}-{secrets.token_hex(4)}.tmp"


def abandoned_probes(names: Sequence[tuple[str, float]]) -> list[str]:
    """Of (name, age in seconds): the probe files whose maker is gone, on this host, or that are an
    hour old."""
    found = []
    for name, age in names:
        if not name.startswith(PROBE_PREFIX + "-"):
            continue
        host, _, rest = name[len(PROBE_PREFIX) + 1 :].rpartition("-")[0].rpartition("-")
        here = host == socket.gethostname()[:20] and rest.isdigit()
        if name in ACTIVE_PROBES:
            continue
        gone = here and (int(rest) == os.getpid() or not process_is_alive(int(rest)))
        if gone or age > PROBE_LIFETIME:
            found.append(name)
    return found


def process_is_alive(pid: int) -> bool:
    """Whether there is a process of that number on this machine, this user's or another's."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        pass
    return True
