"""--verbose: what the library logs goes to stderr, with every secret taken out."""

from __future__ import annotations

import logging
import sys

from ..rclone.faults import redact
from .output import printable


class Talk(logging.Handler):
    """Prints to whatever stderr is now."""

    def emit(self, record: logging.LogRecord) -> None:
        said = f"{record.name.removeprefix('pluton_rclone.')}: {record.getMessage()}"
        if record.exc_info:
            said += "\n" + logging.Formatter().formatException(record.exc_info)
        for line in redact(said).splitlines():
            print(printable(line), file=sys.stderr)


def log_to_stderr() -> None:
    """Everything from DEBUG on, of this package alone."""
    log = logging.getLogger("pluton_rclone")
    if not any(isinstance(handler, Talk) for handler in log.handlers):
        log.addHandler(Talk())
    log.setLevel(logging.DEBUG)
