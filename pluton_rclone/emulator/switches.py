"""Quirks: the entries of their catalogue, and the switch that a test holds while one is on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import TypeVar

from .graph.faults import Rule


@dataclass(frozen=True)
class Quirk:
    """An entry of the catalogue."""

    name: str
    meaning: str
    source: str  # where it was observed


CATALOGUE: dict[str, Quirk] = {}


class Switch:
    """A quirk that is on. `off()` ends it, as does leaving the `with` block."""

    def __init__(self, undo: Callable[[], object] | None = None, *rules: Rule) -> None:
        self._undo = undo
        self._rules = rules

    @property
    def met(self) -> int:
        """The number of requests it answered; 0 for quirks that change the world's state."""
        return sum(rule.met for rule in self._rules)

    def off(self) -> None:
        """End the quirk; a second call does nothing."""
        undo, self._undo = self._undo, None
        if undo is not None:
            undo()

    def __enter__(self) -> Switch:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.off()


Method = TypeVar("Method", bound=Callable[..., Switch])


def quirk(source: str) -> Callable[[Method], Method]:
    """Enter a method into the catalogue: its name, the first line of its docstring, its source."""

    def enter(method: Method) -> Method:
        meaning = (method.__doc__ or "").partition("\n")[0]
        CATALOGUE[method.__name__] = Quirk(method.__name__, meaning, source)
        return method

    return enter
