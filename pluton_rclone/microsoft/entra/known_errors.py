"""Microsoft's numbered sign-in errors: the table for the mapping and for the printed list."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

from pluton_rclone import errors
from pluton_rclone.errors import Who

_WHO = {"user": Who.YOU, "admin": Who.ADMINISTRATOR, "developer": Who.DEVELOPER, "retry": Who.LATER}


@dataclass(frozen=True)
class KnownError:
    """One of Microsoft's numbered sign-in errors, with its meaning and advice."""

    aadsts: int
    name: str
    error: str  # the OAuth `error`; programs branch on this and on suberror
    suberror: str | None
    exception: type[errors.PlutonRcloneError]
    who: Who
    meaning: str
    advice: str

    @property
    def code(self) -> str:
        return f"AADSTS{self.aadsts}"

    @property
    def link(self) -> str:
        return f"https://login.microsoftonline.com/error?code={self.aadsts}"


@functools.cache
def _table(name: str) -> Any:
    file = resources.files(__package__).joinpath("data/entra-errors.json")
    return json.loads(file.read_text(encoding="utf-8"))[name]


@functools.cache
def known_errors() -> dict[int, KnownError]:
    """All numbered errors, by number."""
    return {known.aadsts: known for known in map(_known, _table("errors"))}


@functools.cache
def by_oauth_error() -> dict[str, tuple[type[errors.PlutonRcloneError], Who, str]]:
    """By value of `error`, for unknown numbers: exception, who can fix it, and meaning."""
    return {row["oauth_error"]: (*_cause(row), row["meaning"]) for row in _table("by_oauth_error")}


@functools.cache
def by_suberror() -> dict[str, type[errors.PlutonRcloneError]]:
    """Exceptions by value of `suberror`, or of a redirect's `error_subcode`."""
    return {word: getattr(errors, name) for word, name in _table("by_suberror").items()}


def _cause(row: dict[str, str]) -> tuple[type[errors.PlutonRcloneError], Who]:
    return getattr(errors, row["exception"]), _WHO[row["who_fixes"]]


def _known(row: dict[str, str]) -> KnownError:
    number, suberror = int(row["code"].removeprefix("AADSTS")), row.get("suberror")
    suberror = suberror if suberror and " " not in suberror else None
    texts = row["meaning"], row["advice"]
    return KnownError(number, row["name"], row["oauth_error"], suberror, *_cause(row), *texts)


def look_up(text: str) -> Sequence[KnownError]:
    """The errors whose number (`AADSTS700082` or a whole message will do), name, OAuth error or
    code of exception is `text`; all errors if `text` is empty."""
    rows = sorted(known_errors().values(), key=lambda row: row.aadsts)
    if not text.strip():
        return rows
    asked = {text.strip().lower(), *re.findall(r"(?<!\d)\d{5,7}(?!\d)", text)}

    def names(row: KnownError) -> set[str]:
        return {str(row.aadsts), row.name.lower(), row.error.lower(), row.exception.code}

    return [row for row in rows if asked & names(row)]
