"""Filters of a command: which files it is about, by rclone's rules, sizes and ages."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import Any

import click

from pluton_rclone.errors import UsageError

from .context import valued, with_options
from .output import Output
from .places import Place
from .values import AGES, SIZES

FILTERS = ("filters", "files_from", "min_size", "max_size", "min_age", "max_age")
_GLOB = frozenset("[{*?\\")

# `--help` lists the last first.
filtering = with_options(
    valued("--max-age", "AGE", "Only what changed since, e.g. 30d.", type=AGES),
    valued("--min-age", "AGE", "Only what is older, e.g. 2w.", type=AGES),
    valued("--max-size", "SIZE", "Only what is not larger.", type=SIZES),
    valued("--min-size", "SIZE", "Only what is not smaller.", type=SIZES),
    valued(
        "--files-from",
        "FILE",
        "Only the files that FILE names, a path in SRC on each line; - is stdin.",
        type=click.File("rb"),
    ),
    valued(
        "--filter-from",
        "FILE",
        "Rules from FILE, one on each line, after those of --filter.",
        type=click.File("rb"),
    ),
    valued(
        "--filter rules",
        "RULE",
        "'- PATTERN' leaves out, '+ PATTERN' keeps; the first that matches counts.",
        multiple=True,
    ),
    valued(
        "--exclude",
        "PATTERN",
        "Leave out what matches, e.g. '*.tmp' or '/cache/**'.",
        multiple=True,
    ),
    valued("--include", "PATTERN", "Only what matches, e.g. '*.{jpg,png}'.", multiple=True),
)


def selection(
    include: Sequence[str] = (),
    exclude: Sequence[str] = (),
    rules: Sequence[str] = (),
    filter_from: Any = None,
    files_from: Any = None,
    **others: Any,
) -> dict[str, Any]:
    """The options as the library takes them; what was not given is left out. Rules stand in
    rclone's order: --include, --exclude, --filter, --filter-from; with an --include, all else is
    left out.
    """
    found = [f"+ {_kept(pattern)}" for pattern in include]
    found += [f"- {_kept(pattern)}" for pattern in exclude]
    for rule in [*rules, *_lines(filter_from, "--filter-from")]:
        if rule != "!" and not rule.startswith(("+ ", "- ")):
            raise UsageError(
                f"{rule!r} is not a filter rule.",
                advice="Write '- PATTERN' to leave out what matches, '+ PATTERN' to keep it.",
            )
        found.append(rule)
    if include:
        found.append("- **")
    if files_from is not None:
        others["files_from"] = list(_lines(files_from, "--files-from"))
    others["filters"] = found or None
    return {name: value for name, value in others.items() if value is not None}


def _kept(pattern: str) -> str:
    """A space at the end, which rclone would cut off."""
    return pattern[:-1] + "[ ]" if pattern.endswith(" ") else pattern


def _lines(file: Any, option: str) -> Iterator[str]:
    """As rclone reads such a file: blanks around a line, empty lines and comments do not count."""
    if file is None:
        return
    try:
        text = os.fsdecode(file.read())
    except OSError as error:
        raise UsageError(f"{option} {file.name} cannot be read.", why=error.strerror) from error
    for line in map(str.strip, text.splitlines()):
        if line and not line.startswith(("#", ";")):
            yield line


def say_what_cannot_match(output: Output, source: Place, options: dict[str, Any]) -> None:
    """A pattern that is the very name of a file in a local SRC, which it does not match."""
    if source.storage is not None:
        return
    for rule in options.get("filters") or ():
        pattern = rule[2:]
        name = pattern.strip("/")
        if _GLOB & set(name) and os.path.lexists(os.path.join(source.path, name)):
            quoted = "".join("\\" + c if c in _GLOB else c for c in pattern)
            output.say(
                f"note    {name!r} is a file of SRC, but as a pattern it does not mean that file: "
                f"to name it, write {quoted!r}."
            )
