"""Loggers of modules that every command loads: `logging`, 3 ms of an `ls`, comes with the first
line that somebody may hear."""

from __future__ import annotations

import sys
from collections.abc import Callable


class Log:
    """As `logging.getLogger(name)`."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, level: str) -> Callable[..., None]:
        if level == "debug" and "logging" not in sys.modules:
            return lambda *_, **__: None  # nobody has asked for it
        import logging

        logged: Callable[..., None] = getattr(logging.getLogger(self._name), level)
        return logged
