"""Errors that are both: ours, with cause and advice, and rclone-python's `RcloneException`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rclone_python.utils import RcloneException

from pluton_rclone.errors import PlutonRcloneError
from pluton_rclone.rclone.run import Run
from pluton_rclone.values.redaction import redact

_made: dict[type[PlutonRcloneError], type[PlutonRcloneError]] = {}


@contextmanager
def told_as(description: str) -> Iterator[None]:
    """Errors of ours come out as both."""
    try:
        yield
    except PlutonRcloneError as error:
        raise compatible(error, description) from error


def compatible(
    error: PlutonRcloneError,
    description: str,
    run: Run | None = None,
    *,
    messages: str | None = None,
) -> PlutonRcloneError:
    """The same error, which also is an RcloneException with `description` and `error_msg`."""
    if messages is None:
        messages = str(error) if run is None else "\n".join(run.tally.messages)
    kind = _both(type(error))
    made: PlutonRcloneError = OSError.__new__(
        kind
    )  # RcloneException is one; some of ours are KeyErrors beside
    Exception.__init__(made, error.what)
    made.__dict__.update(error.__dict__, description=description, error_msg=redact(messages))
    return made


def _both(kind: type[PlutonRcloneError]) -> type[PlutonRcloneError]:
    both = _made.get(kind)
    if both is None:

        def reduce(self: PlutonRcloneError) -> tuple[Any, ...]:
            return _restored, (kind, self.__dict__)

        members = {"__reduce__": reduce, "__module__": __name__, "__doc__": kind.__doc__}
        both = _made[kind] = type(kind.__name__, (kind, RcloneException), members)
    return both


def _restored(kind: type[PlutonRcloneError], state: dict[str, Any]) -> PlutonRcloneError:
    plain = kind.__new__(kind)
    Exception.__init__(plain, state["what"])
    plain.__dict__.update(state)
    return compatible(plain, state["description"], messages=state["error_msg"])
