"""Keeps rclone within what Microsoft grants its account, at full speed or at an even pace.

On work and school drives and document libraries, a transfer, a recursive listing or a comparison is
governed (`governor`). An rclone older than 1.68 is paced from the start: BURST + 60 x TPS = 600
requests in any minute (625 allowed), and 2,760 in any five minutes (3,000 allowed). For personal
drives Microsoft documents no such budget.

More parallel transfers hide the latency, up to rclone's own 100 calls a second. Measured at 60 ms
(`python -m tests.bench.onedrive --work upload --files 2000`): 66 s bare (4 transfers), 49 s with 16
transfers, governed, and no less with 32. With enforced budgets, 200 files in a tenth of Microsoft's
time: 123 s bare with 35 refusals, 54 s with none.

BUFFER: 16 files of 64 MiB took 1,038 MiB of memory with rclone's 16 MiB of read-ahead and 630 MiB
with 4 MiB, in the same time. `chunks` chooses parallel files and chunk size when a transfer starts.
"""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pluton_rclone.process import Child
from pluton_rclone.process.interrupts import Flag
from pluton_rclone.rclone import asked
from pluton_rclone.rclone.commands import TRANSFERS
from pluton_rclone.rclone.runner import Around, Order, Runner
from pluton_rclone.saved.lent import slow_down
from pluton_rclone.values.versions import Feature

if TYPE_CHECKING:
    from .governor import Governor

TPS = 9
BURST = 60
BUFFER = "4Mi"
_SOCKET = "asked"
_LONG = TRANSFERS | {"check", "delete", "size"}
"""Commands that may send more requests than a budget allows; so may a recursive lsjson."""
Govern = Callable[[Path, Callable[[float], None]], "Governor"]
"""Makes the governor for a metrics socket; the callable gets the seconds of a stop."""


FULL = {"RCLONE_TRANSFERS": "16", "RCLONE_CHECKERS": "16", "RCLONE_BUFFER_SIZE": BUFFER}
FEWER = {**FULL, "RCLONE_TRANSFERS": "8", "RCLONE_CHECKERS": "8"}
"""At nine requests a second, more than eight transfers would only wait for each other."""
EVENLY = {"RCLONE_TPSLIMIT": str(TPS), "RCLONE_TPSLIMIT_BURST": str(BURST)}


def unset(variables: Mapping[str, str]) -> dict[str, str]:
    """These variables, except those set in the environment."""
    return {name: value for name, value in variables.items() if name not in os.environ}


def is_chosen(flags: Sequence[str]) -> bool:
    """Whether the operator, for every rclone, or the caller, for this run, has set a limit."""
    return "RCLONE_TPSLIMIT" in os.environ or any(one.startswith("--tpslimit") for one in flags)


class Paced(Around):
    """Runs rclone at full speed if no budget is known, else governed or, if that is impossible, at
    an even pace. A limit set by a variable or an option takes precedence."""

    def __init__(self, inner: Runner, govern: Govern | None) -> None:
        super().__init__(inner)
        self._govern = govern

    def start(self, order: Order) -> Child:
        if self._govern is None:
            return self.inner.start(order.plus(unset(FULL)))
        if is_chosen(order.every_flag):
            return self.inner.start(order.plus(unset(FEWER)))
        # its metrics socket is beside its private rclone.conf, if it has one
        socket = None if order.config is None else order.config.with_name(_SOCKET)
        address = None if socket is None else asked.address(socket)
        if socket is None or address is None or not self._can_be_governed(order):
            return self.inner.start(order.plus(unset(FEWER | EVENLY)))
        governed = order.plus({**unset(FULL), asked.VARIABLE: address})
        return self._governed(self._govern, socket, governed)

    def _can_be_governed(self, order: Order) -> bool:
        """Whether rclone may send many requests, counts them, and can be stopped."""
        if order.command.words[0] not in _LONG and "--recursive" not in order.command.flags:
            return False
        return Feature.METRICS.known_to(self.binary.version) and hasattr(signal, "SIGSTOP")

    def _governed(self, govern: Govern, socket: Path, order: Order) -> Child:
        """Start rclone, and make its governor meanwhile, which takes less time than that start."""
        told, ended = order.on.stderr, order.on.end
        known = Flag()
        made: list[Governor] = []

        def hear(line: bytes) -> None:
            if (event := slow_down(line)) is not None:
                known.wait()
                for governor in made:
                    governor.refused(event.seconds)
            told(line)

        def end() -> None:
            known.wait()
            for governor in made:
                governor.ended()
            ended()

        child = self.inner.start(order.calling(stderr=hear, end=end))
        try:
            made.append(govern(socket, lambda seconds: told(_waiting(seconds))))
            made[0].attend(child)
        except BaseException:
            child.kill()
            raise
        finally:
            known.set()
        return child


def _waiting(seconds: float) -> bytes:
    """A log line, in rclone's wording, that rclone has to wait."""
    text = "Too many requests for Microsoft: rclone is paused. Trying again in"
    return json.dumps({"level": "notice", "msg": f"{text} {seconds:.0f} seconds."}).encode()
