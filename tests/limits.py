"""Limits of the system, reached on purpose."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def no_free_files() -> Iterator[None]:
    """Within it, this process cannot open a further file (EMFILE), even where an earlier one was
    closed."""
    lowest_free, limit = os.dup(0), resource.getrlimit(resource.RLIMIT_NOFILE)
    os.close(lowest_free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest_free, limit[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limit)
