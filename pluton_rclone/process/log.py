"""Loggers for modules that every command loads: `logging`, which takes 3 ms, is imported with the
first line that may be shown."""

from __future__ import annotations

import sys
from collections.abc import Callable


class Log:
    """Like `logging.getLogger(name)`, but lazy."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, level: str) -> Callable[..., None]:
        if level == "debug" and "logging" not in sys.modules:
            return lambda *_, **__: None  # logging is not configured
        import logging

        logged: Callable[..., None] = getattr(logging.getLogger(self._name), level)
        return logged
