"""Options as rclone's flags; filters and lists of files as rclone's stdin."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from typing import Any

from pluton_rclone.errors import UsageError
from pluton_rclone.values.units import nearest

from .locations import location

SIZES = ("min_size", "max_size", "bwlimit", "max_transfer", "buffer_size")
DURATIONS = ("min_age", "max_age", "timeout", "contimeout", "max_duration", "retries_sleep")
_LISTS = frozenset({"filters", "files_from", "extra", "hashes"})
_SPECIAL = _LISTS | {"mime_types", "log_level", "allow_empty_source"}
NOT_UTF_8 = re.compile("[\ud800-\udfff]")


def of_options(options: Mapping[str, Any], kind: type) -> tuple[tuple[str, ...], bytes | None]:
    """The flags for the options of a TypedDict, and the input for stdin. Raises UsageError."""
    known = kind.__annotations__
    out: list[str] = []
    for name, value in options.items():
        if name not in known:
            near = nearest(name, known)
            hint = f"did you mean {near!r}?" if near else f"known: {', '.join(sorted(known))}"
            raise UsageError(f"there is no option {name!r}", why=hint)
        if name in _LISTS and isinstance(value, str | bytes):
            raise UsageError(f"{name} is a list", why="a text would be split into letters")
        if name not in _SPECIAL and value is not None:
            out.append(flag(name, value))
    out.extend(options.get("extra") or ())
    rules, files = options.get("filters"), options.get("files_from")
    if rules is not None and files is not None:
        what = "filters and files-from exclude each other"
        raise UsageError(what, why="rclone would ignore the filters")
    if rules is not None:
        return (*out, "--filter-from=-"), _lines(map(_rule, rules))
    if files is not None:
        return (*out, "--files-from-raw=-"), _lines(files)
    return tuple(out), None


def flag(name: str, value: Any) -> str:
    """One option, by its Python name, as one argument for rclone."""
    word = "--" + name.replace("_", "-")
    if value is True:
        return word
    if value is False:
        value = "false"
    elif name in SIZES and isinstance(value, int):
        value = f"{value}B"  # to rclone, a bare number is in KiB
    elif name in DURATIONS and isinstance(value, int | float):
        value = f"{value:.3f}s"
    elif name == "backup_dir":
        value = location(value)
    return f"{word}={value}"


def _rule(rule: str) -> str:
    """The filter rule in a form that rclone reads as intended. Raises UsageError."""
    if not rule.isascii() and NOT_UTF_8.search(rule):
        raise UsageError(
            f"{rule!r} contains bytes that are not UTF-8",
            why="rclone's rules treat all such bytes as one character: other files would match",
            advice="Name the files in files-from, or match that part of the name with a wildcard.",
        )
    if len(rule) > 2 and rule[-1].isspace():  # rclone would strip it, even if it is escaped
        rest = rule[:-1]
        if (len(rest) - len(rest.rstrip("\\"))) % 2:
            rest = rest[:-1]
        return f"{rest}[{rule[-1]}]"
    return rule


def _lines(lines: Iterable[str | bytes]) -> bytes:
    out = bytearray()
    for line in lines:
        raw = os.fsencode(line)
        while raw.startswith(b"./"):  # as `find` prints names, which rclone would not find
            raw = raw[2:]
        if b"\n" in raw or b"\r" in raw:
            raise UsageError(
                f"{line!r} contains a line break",
                advice="Give names in rclone's form, as listings show them.",
            )
        out += raw + b"\n"
    return bytes(out)
