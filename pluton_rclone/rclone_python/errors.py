"""Errors that are both ours, with cause and advice, and rclone-python's `RcloneException`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rclone_python.utils import RcloneException

from pluton_rclone.errors import PlutonRcloneError
from pluton_rclone.values.redaction import redact

_made: dict[type[PlutonRcloneError], type[PlutonRcloneError]] = {}


@contextmanager
def told_as(description: str) -> Iterator[None]:
    """Raise our errors as both kinds."""
    try:
        yield
    except PlutonRcloneError as error:
        raise compatible(error, description) from error


def compatible(
    error: PlutonRcloneError, description: str, messages: str | None = None
) -> PlutonRcloneError:
    """The same error, which is also an RcloneException, with `description` and `error_msg`."""
    told = {"description": description, "error_msg": redact(messages or str(error))}
    return _make(type(error), {**error.__dict__, **told})


def _make(kind: type[PlutonRcloneError], state: dict[str, Any]) -> PlutonRcloneError:
    # RcloneException is an OSError; some of our errors are also KeyErrors
    made: PlutonRcloneError = OSError.__new__(_both(kind))
    Exception.__init__(made, state["what"])
    made.__dict__.update(state)
    return made


def _both(kind: type[PlutonRcloneError]) -> type[PlutonRcloneError]:
    def reduce(self: PlutonRcloneError) -> tuple[Any, ...]:
        return _make, (kind, self.__dict__)

    if kind not in _made:
        members = {"__reduce__": reduce, "__module__": __name__, "__doc__": kind.__doc__}
        _made[kind] = type(kind.__name__, (kind, RcloneException), members)
    return _made[kind]
