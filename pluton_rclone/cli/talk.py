"""What the library logs: with --verbose it goes to stderr, with every secret taken out; without,
only warnings do, and none among JSON."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from pluton_rclone.values.redaction import redact

from .output import tell


class Talk(logging.Handler):
    """Prints to whatever stderr is now."""

    def emit(self, record: logging.LogRecord) -> None:
        tell(redact(self.format(record)), file=sys.stderr)


@contextmanager
def no_warnings() -> Iterator[None]:
    """Nothing is printed that no handler takes: what concerns a result is among its notices."""
    before, logging.lastResort = logging.lastResort, logging.NullHandler()
    try:
        yield
    finally:
        logging.lastResort = before


@contextmanager
def log_to_stderr() -> Iterator[None]:
    """Everything from DEBUG on, of this package alone."""
    log, talk = logging.getLogger("pluton_rclone"), Talk()
    talk.setFormatter(logging.Formatter("%(name)s: %(message)s"))
    level = log.level
    log.addHandler(talk)
    log.setLevel(logging.DEBUG)
    try:
        yield
    finally:
        log.removeHandler(talk)
        log.setLevel(level)
