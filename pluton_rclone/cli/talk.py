"""The library's log on stderr, without secrets: all with --verbose, warnings with --json."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from pluton_rclone.values.redaction import redact

from .output import as_json, tell


class Talk(logging.Handler):
    """Prints to the current sys.stderr."""

    def emit(self, record: logging.LogRecord) -> None:
        tell(redact(self.format(record)), file=sys.stderr)


class JsonWarning(Talk):
    """Prints a JSON record, for messages that no other handler takes (`logging.lastResort`)."""

    def emit(self, record: logging.LogRecord) -> None:
        tell(as_json({"warning": redact(self.format(record))}), file=sys.stderr)


@contextmanager
def warnings_as_json() -> Iterator[None]:
    """Replace Python's plain lines, which a reader of JSON cannot parse."""
    before, logging.lastResort = logging.lastResort, JsonWarning(logging.WARNING)
    try:
        yield
    finally:
        logging.lastResort = before


@contextmanager
def log_to_stderr() -> Iterator[None]:
    """Print this package's messages, from DEBUG on."""
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
