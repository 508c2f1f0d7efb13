"""--verbose: what the library logs goes to stderr, with every secret taken out."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from pluton_rclone.values.printable import printable
from pluton_rclone.values.redaction import redact


class Talk(logging.Handler):
    """Prints to whatever stderr is now."""

    def emit(self, record: logging.LogRecord) -> None:
        said = f"{record.name.removeprefix('pluton_rclone.')}: {record.getMessage()}"
        if record.exc_info:
            said += "\n" + logging.Formatter().formatException(record.exc_info)
        for line in redact(said).splitlines():
            print(printable(line), file=sys.stderr)


@contextmanager
def log_to_stderr() -> Iterator[None]:
    """Everything from DEBUG on, of this package alone."""
    log, talk = logging.getLogger("pluton_rclone"), Talk()
    level = log.level
    log.addHandler(talk)
    log.setLevel(logging.DEBUG)
    try:
        yield
    finally:
        log.removeHandler(talk)
        log.setLevel(level)
