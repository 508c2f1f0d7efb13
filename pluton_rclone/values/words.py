"""Words of a Literal, checked while the program runs: a misspelt one would count as another."""

from __future__ import annotations

from typing import Any, get_args

from pluton_rclone.errors import UsageError


def require_word(what: str, given: object, literal: Any) -> None:
    """Raise UsageError if `given` is not one of the words of the type `literal`."""
    words = get_args(literal)
    if given not in words:
        advice = f"Choose one of: {', '.join(words)}."
        raise UsageError(f"There is no {what} {given!r}.", advice=advice)
