"""Assembles the engine of saved remotes: shared token, pace, chunk sizes, binary."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from pluton_rclone.conf.conf import Conf
from pluton_rclone.process import Child
from pluton_rclone.rclone.commands import TRANSFERS, LogLevel
from pluton_rclone.rclone.runner import Around, BareRclone, Order, Runner
from pluton_rclone.saved.rclone import SavedRclone, destination
from pluton_rclone.saved.remote import SavedRemote
from pluton_rclone.saved.wrapping import with_wrapped
from pluton_rclone.values.program import USER_AGENT
from pluton_rclone.values.words import require_word

from .paced import Govern, Paced

if TYPE_CHECKING:
    from pathlib import Path

    from pluton_rclone.rclone.binary import Binary

    from .canary import Canary
    from .governor import Governor


def engine(
    conf: Conf, names: Sequence[str], binary: Binary, *, log_level: LogLevel | None = None
) -> SavedRclone:
    """The engine for these remotes and those that they wrap, at the pace of the slowest;
    `log_level` is the default of its calls."""
    require_word("log level", log_level or "NOTICE", LogLevel)
    names = list(with_wrapped(conf, names))
    level = {} if log_level is None else {"RCLONE_LOG_LEVEL": log_level}
    bare = BareRclone(binary, environment=level, user_agent=USER_AGENT)
    fitted = Fitted(bare, conf, names)
    return SavedRclone(Paced(fitted, governing(conf, names, lambda: binary)), conf, names)


def governing(conf: Conf, names: Sequence[str], binary: Callable[[], Binary]) -> Govern | None:
    """A factory of governors with the budget of the slowest of these remotes; None if none is
    limited."""
    sections = with_wrapped(conf, names)
    onedrives = [name for name in sections if sections[name].get("type") == "onedrive"]
    slowest = next((n for n in onedrives if sections[n].get("drive_type") != "personal"), None)
    if slowest is None:
        return None

    def canary() -> Canary:
        from .canary import Canary

        return Canary(saved_remote(conf, slowest, binary))

    def govern(socket: Path, on_wait: Callable[[float], None]) -> Governor:
        from .governor import Governor  # late: a command with few requests does not need it
        from .ledger import budget_of

        budget = budget_of(sections[slowest])
        assert budget is not None
        return Governor(socket, budget, canary, on_wait)

    return govern


def saved_remote(
    conf: Conf, name: str, binary: Callable[[], Binary], *, log_level: LogLevel | None = None
) -> SavedRemote:
    """The remote `name` of `conf`; `binary` finds rclone on first use."""
    return SavedRemote(conf, name, lambda: engine(conf, [name], binary(), log_level=log_level))


class Fitted(Around):
    """Chooses chunk size and parallel files of each transfer by the section that it writes to."""

    def __init__(self, inner: Runner, conf: Conf, names: Sequence[str]) -> None:
        super().__init__(inner)
        self._conf, self._names = conf, names

    def start(self, order: Order) -> Child:
        command = order.command
        if command.words[0] in TRANSFERS:
            from .chunks import variables

            section = destination(command, self._conf, self._names)
            order = order.plus(variables(command, section, order.variables, order.every_flag))
        return self.inner.start(order)
